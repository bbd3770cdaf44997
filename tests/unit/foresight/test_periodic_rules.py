"""Trend tests and run rules: days to detect and false alarms are those of a plain simulation, within 15 %."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from detectors.poisson_trend import poisson_trend
from detectors.run_rules import run_rule_hits
from surveillance.arrays import Bool, Float
from surveillance.evaluation.verdict import Verdict
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.course import Course
from surveillance.foresight.false_alarms import false_alarms_of
from surveillance.foresight.forecast import power_of
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Look
from surveillance.foresight.periodic_rules import MONTH_DAYS
from surveillance.manifest.manifest import Manifest
from surveillance.times import DAY_MS
from tests.unit.foresight.field import DIGEST, Document, document, manifest_of

QUIET_POINTS = 40
COURSES = 400
ENDLESS = {"clear_after": 1, "cooldown": "PT0S"}


def periodic(limit: Document, **metric: Any) -> Document:
    own = {key: metric.pop(key) for key in ("by", "persistence") if key in metric}
    return {"id": "m", "metric": metric, "limits": {"investigate": limit}} | own


def run_rule(rule: int, **metric: Any) -> Document:
    return periodic({"hit": True}, type="run_rule", rule=rule, **{"period": "P1D", **metric})


def rule_on_means(rule: int, **metric: Any) -> Manifest:
    return manifest_of(run_rule(rule, of="feature_mean", feature="px", mean=0.0, sd=0.1, **metric))


def foretold(manifest: Manifest) -> float:
    _, (found,) = power_of(manifest, DIGEST)
    assert found.days is not None
    return found.days


def false_alarms(manifest: Manifest) -> float:
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    assert found.per_30_days is not None
    return found.per_30_days


def agree(found: float, simulated: float, look_days: float) -> bool:
    """Within 15 %, or within one look: an incident opens at a look and not between two."""
    return abs(found - simulated) <= max(0.15 * simulated, 1.01 * look_days)


def waited(points: Callable[[np.random.Generator], Float], rule: int, k: int = 1, of: int = 1, courses: int = COURSES) -> float:
    """Points of the harm until the rule has held at k of the last `of`, as the quantile 0.8 of so many courses."""
    draws, found = np.random.default_rng(11), []
    for _ in range(courses):
        hits = run_rule_hits(points(draws), rule)[QUIET_POINTS - 1 :]
        if hits[0]:
            continue  # it was a false alarm that came first
        held = np.array([hits[1 : at + 1][-of:].sum() >= k and hits[at] for at in range(1, len(hits))])
        found.append(int(held.argmax()) + 1 if held.any() else len(hits))
    return float(np.quantile(found, 0.8, method="inverted_cdf"))


def harmful(rule: int, draws: np.random.Generator) -> Float:
    after = np.arange(1, 321)
    noise = draws.standard_normal(QUIET_POINTS + len(after))
    harm = {3: after.astype(float), 4: 2.0 * (after % 2), 7: -0.5 * noise[QUIET_POINTS:], 8: noise[QUIET_POINTS:]}
    noise[QUIET_POINTS:] += harm.get(rule, 1.0)
    return noise


@pytest.mark.parametrize("rule", range(1, 9))
def test_a_run_rule_waits_as_long_as_points_that_are_drawn(rule: int) -> None:
    assert agree(foretold(rule_on_means(rule)), waited(lambda draws: harmful(rule, draws), rule), 1.0)


def test_with_persistence_of_its_own_it_waits_longer() -> None:
    manifest = rule_on_means(5, persistence={"k": 2, "of": 4})
    simulated = waited(lambda draws: harmful(5, draws), 5, 2, 4)
    assert agree(foretold(manifest), simulated, 1.0)
    assert simulated > 1.2 * foretold(rule_on_means(5))


def false_alarms_drawn(points: Float, manifest: Manifest, rule: int) -> float:
    """Incidents in 30 points, by the very rule that makes incidents."""
    hits = run_rule_hits(points, rule)
    looks = [Look({"investigate": verdict}, verdict) for verdict in (Verdict.BREACHED if hit else Verdict.MET for hit in hits)]
    ends = np.arange(1, len(looks) + 1) * DAY_MS
    found = incidents_by_level(manifest, manifest.surveillance.monitors[0], (), Course.of(looks), ends, ends - DAY_MS)
    return found["investigate"] * 30 / len(points)


@pytest.mark.parametrize("rule", [1, 2, 3, 4, 6])
def test_a_quiet_series_hits_as_often_as_one_that_is_drawn(rule: int) -> None:
    manifest = rule_on_means(rule, persistence=ENDLESS)
    simulated = false_alarms_drawn(np.random.default_rng(rule).standard_normal(100_000), manifest, rule)
    assert false_alarms(manifest) == pytest.approx(simulated, rel=0.15)


def test_each_site_has_a_series_of_its_own() -> None:
    every = manifest_of(run_rule(3, by=["site"]), sites=4)
    assert false_alarms(every) == pytest.approx(4 * false_alarms(manifest_of(run_rule(3))))


# counts per use ---------------------------------------------------------------------------------------------
USES = 100_000
"""Inferences a day of the field."""


def rates(draws: np.random.Generator, expected: Float) -> Float:
    """Events per use of each day: both vary."""
    found: Float = draws.poisson(expected) / draws.poisson(USES, len(expected))
    return found


def test_rising_events_are_seen_at_the_pace_of_drawn_ones() -> None:
    course = 30.0 * np.concatenate([np.ones(QUIET_POINTS), 1 + 0.25 * np.arange(1, 321)])
    manifest = manifest_of(run_rule(3, mean=30.0 / USES), a_day=USES)
    assert agree(foretold(manifest), waited(lambda draws: rates(draws, course), 3), 1.0)


def test_of_seldom_events_many_points_are_zero_and_tie() -> None:
    manifest = manifest_of(run_rule(3, mean=1.0 / USES, persistence=ENDLESS), a_day=USES)
    calm = false_alarms_drawn(rates(np.random.default_rng(3), np.full(200_000, 1.0)), manifest, 3)
    assert false_alarms(manifest) == pytest.approx(calm, rel=0.15)
    assert false_alarms(manifest) < 0.7 * false_alarms(
        manifest_of(run_rule(3, mean=30.0 / USES, persistence=ENDLESS), a_day=USES)
    )


def test_without_a_mean_the_frequency_is_that_of_the_hazard() -> None:
    hazards = [{"id": "HZ-1", "assumed_rate_per_10k": 30.0 / USES * 10_000}]
    assert foretold(manifest_of(run_rule(3), hazards=hazards, a_day=USES)) == foretold(
        manifest_of(run_rule(3, mean=30.0 / USES), a_day=USES)
    )


@pytest.mark.parametrize("rule", [1, 2, 6])
def test_events_that_double_leave_their_zone_when_drawn_ones_do(rule: int) -> None:
    centre, spread = 6.0 / USES, 6.0**0.5 / USES
    course = np.concatenate([np.full(QUIET_POINTS, 6.0), np.full(320, 12.0)])
    manifest = manifest_of(run_rule(rule, mean=centre, sd=spread), a_day=USES)
    assert agree(foretold(manifest), waited(lambda draws: (rates(draws, course) - centre) / spread, rule), 1.0)


def test_without_a_mean_nothing_is_foretold_of_where_points_lie() -> None:
    manifest = manifest_of(run_rule(2), a_day=USES)
    assert power_of(manifest, DIGEST)[1] == ()
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    assert found.per_30_days is None


# trend test -------------------------------------------------------------------------------------------------
def trend(frequency: float, looks: int, p: float = 0.05, **rest: Any) -> Document:
    return periodic({"p": p}, type="trend_test", baseline_frequency_per_1000=frequency, looks=looks, **rest)


def breaches(draws: np.random.Generator, quiet: float, risk: float, looks: int, months: int, p: float) -> Bool:
    """Whether each month's look breaches: sums of an observation period against what is spent at each look of it."""
    counts = draws.poisson(risk * quiet, months)
    found = []
    for begin in range(0, months, looks):
        sums = np.cumsum(counts[begin : begin + looks])
        uses = quiet * 1000 * np.arange(1, len(sums) + 1)
        found += [one.p < p / looks for one in poisson_trend(sums, uses, frequency_per_1000=1.0)]
    return np.array(found)


@pytest.mark.parametrize(("frequency", "looks"), [(0.2, 12), (0.2, 5), (0.1, 24)])
def test_a_trend_is_seen_in_the_month_in_which_a_drawn_one_is(frequency: float, looks: int) -> None:
    quiet = frequency / 1000 * 480 * MONTH_DAYS
    draws = np.random.default_rng(7)
    found = [breaches(draws, quiet, 2.0, looks, 120, 0.05) for _ in range(COURSES)]
    simulated = float(np.quantile([one.argmax() + 1 for one in found], 0.8, method="inverted_cdf")) * MONTH_DAYS
    days = foretold(manifest_of(trend(frequency, looks)))
    assert simulated > 4 * MONTH_DAYS
    assert agree(days, simulated, MONTH_DAYS if simulated < 6 * MONTH_DAYS else 0.0), (days, simulated)


def test_a_quiet_trend_test_spends_its_alpha_over_the_observation_period_and_no_more() -> None:
    manifest = manifest_of(trend(1.0, 12, p=0.2))
    quiet, draws = 480 * MONTH_DAYS / 1000, np.random.default_rng(9)
    periods = [breaches(draws, quiet, 1.0, 12, 12, 0.2).any() for _ in range(6000)]
    simulated = float(np.mean(periods)) / 12 * 30 / MONTH_DAYS
    assert false_alarms(manifest) == pytest.approx(simulated, rel=0.15)
    assert false_alarms(manifest) < 0.2 / 12 * 30 / MONTH_DAYS


def test_a_larger_field_sees_smaller_trends_sooner() -> None:
    small, large = (power_of(manifest_of(trend(0.2, 12), a_day=a_day), DIGEST)[1][0] for a_day in (2000.0, 20_000.0))
    assert small.days is not None
    assert large.days is not None
    assert large.days < small.days
    assert small.smallest is not None
    assert large.smallest is not None
    assert 1.0 < large.smallest < small.smallest


def test_what_a_manifest_with_both_foretells_stands_beside_the_other_monitors() -> None:
    described = document([trend(0.2, 12), run_rule(3) | {"id": "rising"}])
    manifest = manifest_of(*described["surveillance"]["monitors"])
    assert [one.monitor_id for one in power_of(manifest, DIGEST)[1]] == ["m", "rising"]
