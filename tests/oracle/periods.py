"""Adverse events per calendar month: the exact Poisson trend test over an observation period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from . import intervals
from .judge import Judgement, first_event_ms, rows_of, scopes_seen, series
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .of_safety import NONSERIOUS
from .of_use import poisson_upper_p
from .policy import Document, Policy, Scope
from .question import COUNTED_WORDS, Measure


@dataclass(frozen=True)
class Month:
    """A calendar month of a time zone, in ms; `number` counts months since year 0."""

    number: int
    start_ms: int
    end_ms: int


def month_of(ms: int, zone: ZoneInfo) -> Month:
    """The month that holds a moment."""
    local = datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone)
    number = local.year * 12 + local.month - 1
    return Month(number, _start_ms(number, zone), _start_ms(number + 1, zone))


def _start_ms(number: int, zone: ZoneInfo) -> int:
    return round(datetime(number // 12, number % 12 + 1, 1, tzinfo=zone).timestamp()) * 1000


def months(first_ms: int, last_ms: float, zone: ZoneInfo) -> list[Month]:
    """Every month from the one of the first event on that ended by `last_ms`."""
    found, month = [], month_of(first_ms, zone)
    while month.end_ms <= last_ms:
        found.append(month)
        month = month_of(month.end_ms, zone)
    return found


def zone_of(policy: Policy) -> ZoneInfo:
    return ZoneInfo(policy.document.get("regulatory", {}).get("time_zone", "UTC"))


def ended_months(ledger: Ledger, policy: Policy, monitor: Document) -> list[Month]:
    """Months that are over on the watermark's clock, and before the next revision came into force."""
    first = first_event_ms(ledger, policy)
    if first is None or ledger.watermark_ms is None:
        return []
    return months(first, min(ledger.watermark_ms, ledger.registry.last_end_ms(policy, monitor)), zone_of(policy))


def judge_trend(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """One look at the end of every month, cumulative within an observation period of `looks` months."""
    rows, ended = rows_of(ledger, policy, monitor), ended_months(ledger, policy, monitor)
    looks = monitor["metric"].get("looks", 1)
    judged: dict[Scope, list[Judgement]] = {}
    for index, month in enumerate(ended):
        start_ms = ended[index // looks * looks].start_ms
        for one in series(policy, monitor):
            for scope in scopes_seen(ledger, policy, one, rows, month.end_ms):
                inside = [row for row in rows if one.scope(policy, row) == scope and start_ms <= row.event_ms < month.end_ms]
                number = _trend(monitor["metric"], inside)
                levels = level_verdicts(_spent(monitor["limits"], looks), number, Facts())
                found = Judgement(scope, start_ms, month.end_ms, overall(levels), levels, number)
                judged.setdefault(scope, []).append(found)
    return judged


def _spent(limits: Document, looks: int) -> Document:
    """Every p limit divided by the looks that share it."""
    return {
        level: {**conditions, **({"p": conditions["p"] / looks} if "p" in conditions else {})}
        for level, conditions in limits.items()
        if isinstance(conditions, dict)
    }


def counts_as(event: Event, counts: str) -> bool:
    """Nonserious: seriousness none or near_miss, or expected; every other event is serious."""
    document = event.document
    nonserious = document["seriousness"] in NONSERIOUS or document.get("expectedness") == "expected"
    return counts == "all" or nonserious == (counts == "nonserious")


def _trend(metric: Document, rows: list[Event]) -> Measure:
    events = [row for row in rows if row.kind != "pms.inference" and counts_as(row, metric.get("counts", "nonserious"))]
    inferences = [row for row in rows if row.kind == "pms.inference"]
    uses = sum(COUNTED_WORDS[metric.get("uses", "inferences")](row) for row in inferences)
    mu, n = metric["baseline_frequency_per_1000"] / 1000 * uses, len(events)
    if mu == 0:
        return Measure(n, reason="no_exposure")
    lower, upper = intervals.poisson_exact(n, 0.95)
    return Measure(n, n / mu, lower / mu, upper / mu, "exact_poisson", poisson_upper_p(n, mu))
