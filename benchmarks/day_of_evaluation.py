"""What a day costs an evaluator that watches a thousand sites, minute by minute as a live service judges."""

from __future__ import annotations

import time

from benchmarks.result import Claim, Contender, Options, Result
from benchmarks.sites import Sites, sites_plan
from surveillance.cli.main import collect_rarely
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.times import DAY_MS, MINUTE_MS, from_text

_SITES = 1_000
_DAY_MS = from_text("2026-06-03T00:00:00Z")


def day_of_evaluation(options: Options) -> Result:
    """One run, with the collector of cycles set as `pms` sets it.

    Rows of the days before are read and judged first, and are not counted; nor is drawing the rows.
    """
    collect_rarely()
    sites = Sites(sites_plan(), options.scaled(_SITES, 2), _DAY_MS)
    evaluator = Evaluator(Registry([Registration(sites.plan, ALWAYS_MS)]))
    evaluator.take(list(sites.before()))
    evaluator.judge(_moment(_DAY_MS))
    taking = judging = 0.0
    judged = 0
    for minute, rows in enumerate(sites.by_minute()):
        rows = rows + sites.beats(minute)
        begun = time.process_time()
        evaluator.take(rows)
        taken = time.process_time()
        judged += len(evaluator.judge(_moment(_DAY_MS + (minute + 1) * MINUTE_MS)).evidence)
        judging += time.process_time() - taken
        taking += taken - begun
    begun = time.process_time()
    evaluator.take_changed_status()
    telling = time.process_time() - begun
    contenders = {
        "all": Contender("s", [taking + judging], f"{judged:,} evaluations on {sites.sites:,} sites"),
        "rows taken up": Contender("s", [taking]),
        "judged": Contender("s", [judging]),
        "every state told once": Contender("s", [telling], "not counted"),
    }
    what = (
        f"processor time of a day's evaluation, judged every minute, of {len(sites.plan.series)} series on {sites.sites:,} sites"
    )
    return Result(
        "day-of-evaluation", what, options.scale, contenders, [Claim("s a day", taking + judging, 10.0, at_least=False)]
    )


def _moment(at_ms: int) -> Moment:
    assert at_ms <= _DAY_MS + DAY_MS
    return Moment(at_ms, at_ms, at_ms, final=True)
