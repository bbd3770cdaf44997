"""What is simulated has a standard error, and no verdict on a budget rests on less than that."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest

from surveillance.foresight import false_alarms
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import FalseAlarms, false_alarms_of
from surveillance.foresight.fitting import BudgetLine, budget_of, fits_of, over_budget
from surveillance.foresight.forecast import foresee, without_season
from surveillance.foresight.forecast_lines import forecast_body, forecast_text
from surveillance.foresight.simulated_rate import Rate, chance_of_coincidence, squared_error
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import load_manifest, parse_manifest
from tests.unit.foresight.field import DIGEST, Document, document, manifest_of, monitor

EXAMPLE = Path(__file__).resolve().parents[4] / "shared" / "contract" / "manifest.example.yaml"
DIGESTS = [DIGEST[:-1] + str(last) for last in range(5)]
SLOW = {"use.volume", "sub.sensitivity.age_band", "cal.slope"}
"""More than half the time of all, and nothing in the sum: none of them breaches in a quiet field."""
AT_ONCE = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}


@pytest.fixture(scope="module")
def by_digest() -> dict[str, list[BudgetLine]]:
    """Budget lines of the example by digest: what is exact once, what is simulated each time, over less time than lint has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(false_alarms, "MOST_LOOKS", 60_000)
        return lines_by_digest()


def lines_by_digest() -> dict[str, list[BudgetLine]]:
    manifest = without_season(load_manifest(EXAMPLE)[0])
    field = assumptions_of(manifest)
    exact: list[FalseAlarms] = []
    drawn: dict[str, list[FalseAlarms]] = {digest: [] for digest in DIGESTS}
    for one in manifest.surveillance.monitors:
        first = false_alarms_of(manifest, DIGESTS[0], field, one) if one.id not in SLOW else []
        if all(alarms.error == 0.0 for alarms in first):
            exact += first
            continue
        drawn[DIGESTS[0]] += first
        for digest in DIGESTS[1:]:
            drawn[digest] += false_alarms_of(manifest, digest, field, one)
    return {digest: budget_of(manifest, [*exact, *found]) for digest, found in drawn.items()}


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the contract is not beside the project")
@pytest.mark.parametrize("level", ["investigate", "pause", "rollback_or_field_safety"])
def test_the_digest_moves_no_sum_by_more_than_the_error_that_is_told(by_digest: dict[str, list[BudgetLine]], level: str) -> None:
    lines = [next(line for line in found if line.level == level) for found in by_digest.values()]
    sums, error = np.array([line.expected for line in lines]), float(np.mean([line.error for line in lines]))
    assert 0 < error < 0.08 * max(sums.mean(), lines[0].budget or 0.0)
    assert np.ptp(sums) <= 4 * error
    assert {line.fits for line in lines} == {True}
    assert {line.excess for line in lines} == {0.0}


def rate_of(manifest: Manifest, digest: str) -> FalseAlarms:
    (found,) = false_alarms_of(manifest, digest, assumptions_of(manifest), manifest.surveillance.monitors[0])
    return found


def test_the_error_that_is_told_is_that_of_numbers_from_digest_to_digest() -> None:
    drift = monitor("psi", "day", {"p": 0.05}, feature="px", persistence=AT_ONCE)
    found = [rate_of(manifest_of(drift, a_day=500.0), f"{DIGEST}{number}") for number in range(12)]
    spread = float(np.std([one.per_30_days for one in found], ddof=1))
    assert 0.5 * spread < found[0].error < 2 * spread


def of_twelve_sites(share: float) -> Manifest:
    rare = monitor("missing_rate", "day", {"abs": share}, feature="px", persistence=AT_ONCE, by=["site"])
    return manifest_of(rare | {"interval": {"method": "wilson"}}, a_day=12_000.0, sites=12)


def test_scopes_alike_are_so_much_more_time_and_no_incident_counts_for_all_of_them() -> None:
    found = [rate_of(of_twelve_sites(0.014), digest) for digest in DIGESTS]
    numbers, errors = np.array([one.per_30_days for one in found]), [one.error for one in found]
    assert 0.1 < numbers.mean() < 0.5
    assert np.ptp(numbers) <= 4 * max(errors)
    # Ten thousand days of one that stands for all twelve would have told multiples of 12 x 30 / 10 000.
    assert max(errors) < 0.036


def test_where_none_was_seen_the_error_is_that_of_what_may_have_been_missed() -> None:
    sliding = monitor("proportion_vs_floor", "month", {"ci_upper_below": 0.8}, event="sensitivity")
    none = rate_of(manifest_of(sliding, a_day=2000.0), DIGEST)
    assert none.per_30_days == 0.0
    assert 0 < none.error < 0.02
    tumbling = monitor("missing_rate", "day", {"abs": 0.2}, feature="px")
    rarer = rate_of(manifest_of(tumbling, a_day=2000.0), DIGEST)
    # Two of three independent days, each at most as likely as half a breach among all that were drawn.
    assert rarer.per_30_days == 0.0
    assert rarer.error == pytest.approx(30 * 2 * (0.5 / 15_000) ** 2, rel=0.01)


def test_parts_that_differ_by_chance_give_the_error_of_their_sum() -> None:
    draws = np.random.default_rng(1)
    counts, weights = draws.poisson(3.0, (2, 400)).astype(np.float64), np.array([0.5, 2.0])
    assert math.sqrt(squared_error(counts, weights)) == pytest.approx(math.sqrt(3.0 * 400 * (0.25 + 4.0)), rel=0.1)
    # Scopes that rise and fall together add up without averaging out.
    assert math.sqrt(squared_error(counts[[0, 0]], np.ones(2))) == pytest.approx(2 * math.sqrt(3.0 * 400), rel=0.1)
    assert squared_error(np.array([[4.0]]), np.array([0.5])) == pytest.approx(1.0)


def test_a_coincidence_is_as_rare_as_its_breaches_to_the_power() -> None:
    assert chance_of_coincidence(0.1, 1, 1) == pytest.approx(0.1)
    assert chance_of_coincidence(0.1, 3, 3) == pytest.approx(1e-3)
    assert chance_of_coincidence(0.01, 2, 1000) == pytest.approx(999 * 1e-4)
    assert chance_of_coincidence(1.0, 2, 3) == 1.0


def test_only_an_excess_beyond_the_error_is_one() -> None:
    within, beyond = BudgetLine("pause", 0.6, 0.5, 0.06, 0.06), BudgetLine("pause", 0.6, 0.5, 0.04, 0.04)
    assert (within.fits, beyond.fits) == (True, False)
    assert over_budget([within]) == []
    assert len(over_budget([beyond])) == 1
    assert BudgetLine("pause", 0.4, 0.5, 0.0).fits
    assert Rate(0.1, 0.02, 0.5).fits(0.14)
    assert not Rate(0.1, 0.03, 0.5).fits(0.14)


def test_a_monitor_that_raised_nothing_excuses_no_excess_of_the_others() -> None:
    """What is known exactly is above the budget already; what was never seen in the simulation can only add to it."""
    described = document([monitor("psi", "day", {"p": 0.02}, feature="px")])
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"pause": 0.001}}
    known = [FalseAlarms("chart", "pause", 0.011, "exact"), FalseAlarms("quiet", "pause", 0.0, "simulated", 0.02)]
    (line,) = (one for one in budget_of(parse_manifest(described), known) if one.level == "pause")
    assert line.error == pytest.approx(0.02)
    assert not line.fits
    seen = [FalseAlarms("chart", "pause", 0.0009, "exact"), FalseAlarms("rare", "pause", 0.002, "simulated", 0.002)]
    (line,) = (one for one in budget_of(parse_manifest(described), seen) if one.level == "pause")
    assert line.fits


def at_the_budget(part: float) -> Document:
    """A noisy monitor with a budget of this part of what it is expected to raise."""
    described = document([monitor("psi", "day", {"p": 0.02}, feature="px", persistence=AT_ONCE)], a_day=500.0)
    expected = rate_of(parse_manifest(described), DIGEST).per_30_days
    assert expected is not None
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": part * expected}}
    return described


def test_what_lies_at_the_budget_within_the_error_is_told_as_such_and_is_no_problem() -> None:
    forecast = foresee(parse_manifest(at_the_budget(0.97)), DIGEST)
    text, body = "\n".join(forecast_text(forecast)), forecast_body(forecast)
    (line,) = [one for one in body["false_alarms"]["per_30_days"] if one["level"] == "investigate"]
    assert ", within the error of simulation" in text
    assert " simulation)" in text
    assert line["fits"] is True
    assert line["simulation_error"] > 0
    assert line["expected"] > line["budget"]
    assert forecast.over_budget == forecast.fits == ()
    assert "ABOVE the budget" in "\n".join(forecast_text(foresee(parse_manifest(at_the_budget(0.5)), DIGEST)))


def test_what_is_proposed_fits_under_other_digests_too() -> None:
    noisy = [
        monitor("psi", "day", {"p": 0.2}, feature="px", persistence=AT_ONCE),
        monitor("prevalence", "day", {"ci_lower_above": 0.1}, interval={"level": 0.8}, persistence=AT_ONCE),
    ]
    described = document(noisy)
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 0.5}}
    manifest = parse_manifest(described)
    field = assumptions_of(manifest)
    alarms = [one for each in manifest.surveillance.monitors for one in false_alarms_of(manifest, DIGEST, field, each)]
    fits = {fit.monitor_id: fit for fit in fits_of(manifest, DIGEST, field, alarms, budget_of(manifest, alarms))}
    assert set(fits) == {"psi", "prevalence"}
    mended = copy.deepcopy(described)
    mended["surveillance"]["monitors"][0]["limits"]["investigate"]["p"] = fits["psi"].value
    mended["surveillance"]["monitors"][1]["interval"]["level"] = fits["prevalence"].value
    changed = parse_manifest(mended)
    for digest in DIGESTS:
        each = [one for watching in changed.surveillance.monitors for one in false_alarms_of(changed, digest, field, watching)]
        assert over_budget(budget_of(changed, each)) == []
        for fit in fits.values():
            assert sum(one.per_30_days or 0.0 for one in each if one.monitor_id == fit.monitor_id) <= fit.share


def test_more_is_simulated_only_where_the_first_leaves_too_much_open() -> None:
    def days(share: float) -> float:
        told = rate_of(of_twelve_sites(share), DIGEST).how
        return float(told.removeprefix("simulated over ").split()[0].replace(",", ""))

    assert days(0.2) == 15_000
    assert days(0.014) > 100_000
