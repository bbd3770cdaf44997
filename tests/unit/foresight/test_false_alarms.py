"""False alarms: known rates come out, the sum stands against the budget, and what is said to fit does fit."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from detectors.maxsprt_poisson import critical_value
from detectors.run_length import cusum_run_length
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import FalseAlarms, false_alarms_of, total_by_level
from surveillance.foresight.fitting import BudgetLine, Fit, budget_of, fits_of, over_budget, with_interval, with_limit
from surveillance.foresight.forecast import foresee, power_of
from surveillance.foresight.forecast_lines import forecast_text
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from tests.unit.foresight.field import DIGEST, Document, document, manifest_of, monitor

AT_ONCE = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}


def rate_of(manifest: Manifest) -> float:
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    assert found.per_30_days is not None
    return found.per_30_days


def test_a_test_of_five_per_cent_a_day_opens_a_new_incident_in_five_per_cent_of_the_days_after_a_quiet_one() -> None:
    drift = monitor("psi", "day", {"p": 0.05}, feature="px", persistence=AT_ONCE)
    assert rate_of(manifest_of(drift, a_day=500.0)) == pytest.approx(30 * 0.05 * 0.95, rel=0.15)


def test_two_of_three_days_are_rarer_by_an_order() -> None:
    drift = monitor("psi", "day", {"p": 0.05}, feature="px", persistence={"k": 2, "of": 3, "clear_after": 3})
    # About two ways to be the second of three, each 0.05 squared.
    assert 0.3 * 30 * 2 * 0.0025 < rate_of(manifest_of(drift, a_day=500.0)) < 1.1 * 30 * 2 * 0.0025


def test_adjusting_over_twelve_sites_keeps_the_error_of_one_and_without_it_there_are_twelve() -> None:
    drift = monitor("psi", "day", {"p": 0.05}, feature="px", persistence=AT_ONCE, by=["site"])
    strata = {"multiplicity": {"method": "benjamini_hochberg"}}
    adjusted = rate_of(manifest_of(drift, a_day=6000.0, sites=12, strata=strata))
    each = rate_of(manifest_of(drift, a_day=6000.0, sites=12))
    assert adjusted < 30 * 0.08
    assert each == pytest.approx(12 * 30 * 0.05 * 0.95, rel=0.15)


def test_a_feature_that_moves_from_day_to_day_raises_more() -> None:
    drift = monitor("psi", "day", {"p": 0.05}, feature="px", persistence=AT_ONCE)
    still = document([drift], a_day=500.0)
    moving = copy.deepcopy(still)
    moving["baselines"]["features"] = [{**still["baselines"]["features"][0], "dispersion": 3}]
    assert rate_of(parse_manifest(moving)) > 3 * rate_of(parse_manifest(still))


def test_a_wide_interval_at_many_looks_is_quieter_than_a_fixed_one() -> None:
    limits = {"ci_upper_below": 0.9}
    fixed = monitor(
        "proportion_vs_floor", "week", limits, event="sensitivity", interval={"method": "wilson"}, persistence=AT_ONCE
    )
    sequence = monitor("proportion_vs_floor", "week", limits, event="sensitivity", persistence=AT_ONCE)
    often, seldom = rate_of(manifest_of(fixed)), rate_of(manifest_of(sequence))
    assert often > 0.1
    assert seldom < often / 3


def test_volume_is_tested_against_the_hours_it_falls_in() -> None:
    volume = monitor("volume_vs_expected", "hour", {"p": 0.05}, persistence=AT_ONCE)
    described = document([volume], a_day=4800.0)
    busy = [100.0 if hour % 24 < 12 else 300.0 for hour in range(168)]
    described["baselines"]["operational"]["expected_volume"]["hour_of_week"]["all"] = busy
    assert rate_of(parse_manifest(described)) == pytest.approx(720 * 0.05 * 0.95, rel=0.15)


def test_each_site_is_compared_with_all_of_them() -> None:
    gap = monitor("subgroup_gap", "day", {"ci_upper_below": 0.0}, event="specificity", by=["site"], persistence=AT_ONCE)
    # Half of the 5 % error of an interval lies on the side that is looked at, and less because a site is among the others.
    at_most = 6 * 30 * 0.025
    assert 0.2 * at_most < rate_of(manifest_of(gap, a_day=6000.0, sites=6)) < 1.1 * at_most


def test_charts_have_the_rate_of_their_run_length() -> None:
    chart: Document = {
        "id": "slow", "metric": {"type": "cusum", "of": "feature_mean", "feature": "px", "k": 0.5}, "window": "day",
        "limits": {"investigate": {"h": 4}},
    }  # fmt: skip
    assert rate_of(manifest_of(chart)) == pytest.approx(30 / cusum_run_length(0.5, 4.0).mean)


def test_retransmissions_at_a_stated_rate_raise_what_drawn_ones_do_and_at_none_nothing() -> None:
    described = document([monitor("duplicate_rate", "hour", {"above": 0.05}, persistence=AT_ONCE)])
    assert rate_of(parse_manifest(described)) == 0.0
    described["baselines"]["operational"]["duplicate_rate"] = 0.03
    draws = np.random.default_rng(4)
    # Twenty inferences an hour, each with its label, an action for one in eight, and a heartbeat a minute.
    arrived = draws.poisson(20 * 2.12 + 60, 200_000)
    breached = float((draws.binomial(arrived, 0.03) / arrived > 0.05).mean())
    assert rate_of(parse_manifest(described)) == pytest.approx(720 * breached * (1 - breached), rel=0.15)


def test_what_should_not_happen_at_all_raises_no_false_alarm() -> None:
    identity = monitor("identity_mismatch", "hour", {"ge": 1}, fields=["model_digest"])
    assert rate_of(manifest_of(identity)) == 0.0


def test_a_dry_run_raises_nothing() -> None:
    drift = monitor("psi", "day", {"p": 0.5}, feature="px") | {"dry_run": True}
    manifest = manifest_of(drift)
    assert false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0]) == []


def test_sums_leave_out_what_is_not_estimated() -> None:
    known = [FalseAlarms("a", "pause", 0.5, ""), FalseAlarms("b", "pause", None, ""), FalseAlarms("c", "pause", 0.25, "")]
    assert {level: rate.per_30_days for level, rate in total_by_level(known).items()} == {"pause": 0.75}


NOISY = [
    monitor("psi", "day", {"p": 0.2}, feature="px", persistence=AT_ONCE),
    monitor(
        "proportion_vs_floor", "day", {"ci_upper_below": 0.9}, event="sensitivity", interval={"level": 0.6}, persistence=AT_ONCE
    ),
    {
        "id": "slow", "metric": {"type": "cusum", "of": "feature_mean", "feature": "px", "k": 0.5}, "window": "day",
        "limits": {"investigate": {"h": 2}},
    },
]  # fmt: skip


def foreseen(base: Document) -> tuple[list[BudgetLine], dict[str, Fit]]:
    """Budget lines, and the limits that would fit by monitor."""
    manifest = parse_manifest(base)
    field = assumptions_of(manifest)
    alarms = [one for each in manifest.surveillance.monitors for one in false_alarms_of(manifest, DIGEST, field, each)]
    lines = budget_of(manifest, alarms)
    return lines, {fit.monitor_id: fit for fit in fits_of(manifest, DIGEST, field, alarms, lines)}


def test_above_the_budget_the_author_is_warned_and_told_limits_that_fit() -> None:
    base = document(NOISY)
    base["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 0.6}}
    lines, fits = foreseen(base)
    (warning,) = over_budget(lines)
    assert warning.severity == "warning"
    assert warning.path == "surveillance.false_alarm_budget.per_30_days.investigate"
    keys = {monitor_id: fit.key for monitor_id, fit in fits.items()}
    assert keys == {"psi": "p", "proportion_vs_floor": "interval.level", "slow": "h"}
    changed = copy.deepcopy(base)
    psi, floor, slow = changed["surveillance"]["monitors"]
    psi["limits"]["investigate"]["p"] = fits["psi"].value
    floor["interval"]["level"] = fits["proportion_vs_floor"].value
    slow["limits"]["investigate"]["h"] = fits["slow"].value
    lines, fits = foreseen(changed)
    assert over_budget(lines) == []
    assert fits == {}


def test_inside_the_budget_nothing_is_proposed() -> None:
    manifest = manifest_of(monitor("psi", "day", {"p": 0.0001}, feature="px"))
    field = assumptions_of(manifest)
    alarms = false_alarms_of(manifest, DIGEST, field, manifest.surveillance.monitors[0])
    lines = budget_of(manifest, alarms)
    assert list(fits_of(manifest, DIGEST, field, alarms, lines)) == []
    assert over_budget(lines) == []


def test_a_limit_is_tried_without_touching_the_manifest() -> None:
    manifest = manifest_of(*NOISY)
    psi = manifest.surveillance.monitors[0]
    changed = with_limit(psi, "investigate", "p", 0.01)
    assert (psi.limits.by_level["investigate"].p, changed.limits.by_level["investigate"].p) == (0.2, 0.01)
    assert with_interval(psi, 0.99).interval.level == 0.99


def test_a_forecast_is_the_same_each_time_and_another_for_another_digest() -> None:
    manifest = manifest_of(NOISY[0])
    assert foresee(manifest, DIGEST) == foresee(manifest, DIGEST)
    assert foresee(manifest, DIGEST).false_alarms != foresee(manifest, DIGEST[:-1] + "1").false_alarms


def test_a_sequential_test_of_each_site_has_the_uses_of_its_site() -> None:
    ae: Document = {"id": "ae", "metric": {"type": "maxsprt_poisson", "expected_per_10k": 5, "T": 50}}
    ae["limits"] = {"investigate": {"llr": 3}}
    whole, each = manifest_of(ae, a_day=3000.0), manifest_of(ae | {"by": ["site"]}, a_day=9000.0, sites=3)
    assert rate_of(each) == pytest.approx(3 * rate_of(whole))
    (of_all,), (of_site,) = power_of(whole, DIGEST)[1], power_of(each, DIGEST)[1]
    assert (of_site.scope, of_site.alike) == ((("site", "1"),), 3)
    assert of_site.days == pytest.approx(of_all.days)


def fitted(described: Document, budget: float) -> tuple[Fit, list[BudgetLine]]:
    """What is proposed for the only monitor, and the budget lines with that in place."""
    base = document([described], a_day=5000.0)
    base["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": budget}}
    _, fits = foreseen(base)
    (fit,) = fits.values()
    base["surveillance"]["monitors"][0]["limits"]["investigate"][fit.key] = fit.value or fit.now
    return fit, foreseen(base)[0]


def test_a_monitor_judged_by_its_e_value_is_told_an_e_that_fits() -> None:
    described = monitor("spiegelhalter", "day", {"e": 2}, persistence=AT_ONCE)
    quiet = rate_of(manifest_of(described, a_day=5000.0))
    fit, lines = fitted(described, 0.1)
    assert (fit.key, fit.now) == ("e", 2)
    assert fit.value == pytest.approx(2 * quiet / 0.1, rel=0.1)
    assert over_budget(lines) == []


def test_of_a_sequential_test_the_critical_value_of_its_share_is_told() -> None:
    ae: Document = {"id": "ae", "metric": {"type": "maxsprt_poisson", "expected_per_10k": 5, "T": 50}}
    fit, lines = fitted(ae | {"limits": {"investigate": {"llr": 3}}}, 0.01)
    # Two and a half events are expected a day, so that T is used up after 20 days.
    assert fit.key == "llr"
    assert fit.value == pytest.approx(critical_value(50.0, 0.01 * 20 / 30), abs=3 / 64 + 0.01)
    assert over_budget(lines) == []


def test_a_limit_of_which_no_value_fits_is_told_as_such() -> None:
    always = monitor("prevalence", "day", {"ci_lower_above": 0.01}, persistence=AT_ONCE)
    described = document([always], a_day=5000.0)
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 1e-6}}
    text = "\n".join(forecast_text(foresee(parse_manifest(described), DIGEST)))
    assert "no value of interval.level would do (now 0.95)" in text


def test_the_interval_is_proposed_only_where_a_condition_reads_it() -> None:
    described = document([monitor("prevalence", "day", {"above": 0.1}, persistence=AT_ONCE)])
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 0.01}}
    lines, fits = foreseen(described)
    assert not next(line for line in lines if line.level == "investigate").fits
    assert [fit.key for fit in fits.values()] == ["above"]
