"""Each number a forecast rests on comes from one named place of the manifest, or is named as a default."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.calibrated_scores import calibrated_scores
from surveillance.foresight.chance import chance
from surveillance.foresight.field_scopes import scopes_of
from surveillance.foresight.forecast import foresee
from surveillance.foresight.volume import drawn_cases, expected_cases
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.times import DAY_MS, HOUR_MS
from tests.unit.foresight.field import DIGEST, Document, document, monitor


def parsed(**changed: Document) -> Manifest:
    described = copy.deepcopy(document([], a_day=2400.0, sites=4))
    for section, body in changed.items():
        described[section] = described[section] | body
    return parse_manifest(described)


def test_every_number_names_its_place() -> None:
    told = {one.name: one for one in assumptions_of(parsed()).told}
    assert told["inferences_a_day"].value == 2400
    assert told["sensitivity"].source == "baselines.metrics[0].overall"
    assert told["sites"].source == "release.datasets.monitoring_baseline.sites"


def test_a_silent_manifest_gets_defaults_that_are_named_as_such() -> None:
    described = document([]) | {"baselines": {}, "release": {"release_id": "r-1"}}
    told = assumptions_of(parse_manifest(described)).told
    assert {one.name for one in told if one.source.startswith("default")} >= {"inferences_a_day", "prevalence", "sites"}


def test_the_year_is_as_busy_as_its_mean_month() -> None:
    described = document([], a_day=2400.0)
    described["baselines"]["operational"]["expected_volume"]["month_factor"] = [2.0] * 6 + [1.0] * 6
    assert assumptions_of(parse_manifest(described)).per_day == pytest.approx(3600)


def test_sites_of_equal_share_stand_for_each_other() -> None:
    manifest = parsed()
    (site,) = scopes_of(manifest, assumptions_of(manifest), ("site",))
    assert (site.share, site.alike) == (0.25, 4)


def test_levels_take_the_share_their_references_were_counted_with_and_the_rest_is_shared_equally() -> None:
    axes = {"axes": [{"id": "age", "source": "context.age_years", "bins": [0, 40, 60, 120], "labels": ["a", "b", "c"]}]}
    described = document([])
    described["strata"] = axes
    described["baselines"]["features"] = [described["baselines"]["features"][0] | {"strata": {"age": {"a": {"n": 10_000}}}}]
    manifest = parse_manifest(described)
    found = {dict(one.scope)["age"]: one.share for one in scopes_of(manifest, assumptions_of(manifest), ("age",))}
    assert found == pytest.approx({"a": 0.2, "b": 0.4, "c": 0.4})


def test_shares_of_two_axes_multiply() -> None:
    manifest = parsed(
        strata={"axes": [{"id": "site", "source": "site_id"}, {"id": "sex", "source": "context.sex", "values": ["F", "M"]}]}
    )
    found = scopes_of(manifest, assumptions_of(manifest), ("sex", "site"))
    assert [(one.share, one.alike) for one in found] == [(0.125, 4), (0.125, 4)]


def test_volume_follows_the_hours_of_the_week_and_is_as_over_dispersed_as_stated() -> None:
    hours = [10.0 if hour % 24 < 12 else 30.0 for hour in range(168)]
    volume = {"per": "overall", "hour_of_week": {"all": hours}, "dispersion": 4.0}
    described = document([])
    described["baselines"]["operational"]["expected_volume"] = volume
    field = assumptions_of(parse_manifest(described))
    assert expected_cases(field, 1.0, HOUR_MS, 336).tolist() == pytest.approx(hours * 2)
    assert expected_cases(field, 0.5, DAY_MS, 9).tolist() == pytest.approx([240.0] * 9)
    counts = drawn_cases(chance("volume"), field, 1.0, np.full(20_000, 30.0))
    assert counts.mean() == pytest.approx(30, rel=0.02)
    assert counts.var() / counts.mean() == pytest.approx(4.0, rel=0.05)
    # A tenth of the field is over-dispersed by a tenth of the excess.
    part = drawn_cases(chance("part"), field, 0.1, np.full(20_000, 3.0))
    assert part.var() / part.mean() == pytest.approx(1.3, rel=0.05)


def test_scores_are_calibrated_at_the_prevalence_and_each_harm_moves_what_it_names() -> None:
    scores = calibrated_scores(parsed().baselines.score, 0.07)
    assert scores.prevalence == pytest.approx(0.07, abs=1e-4)
    assert (scores.weight * scores.score).sum() == pytest.approx(scores.prevalence)
    assert scores.with_ratio(1.5).prevalence == pytest.approx(1.5 * 0.07, rel=0.05)
    flatter = scores.with_slope(0.6)
    assert flatter.prevalence == pytest.approx(scores.prevalence, abs=1e-4)
    assert flatter.auroc() < scores.auroc()
    assert scores.blurred(1.0).auroc() == pytest.approx(0.5)


def test_out_of_distribution_share_and_input_quality_are_named_where_a_monitor_watches_them() -> None:
    watching = [monitor("ood_share", "day", {"above": 0.5}), monitor("quality_mean", "day", {"below": 0.1})]

    def told(**figures: float) -> dict[str, tuple[float, str]]:
        described = document(watching, a_day=50.0)
        described["baselines"]["operational"] |= figures
        found = foresee(parse_manifest(described), DIGEST).assumptions
        return {one.name: (one.value, one.source) for one in found if one.name in ("ood_share", "input_quality_mean")}

    silent = told()
    assert silent["ood_share"] == (0.02, "default: baselines.operational.ood_share is absent")
    assert silent["input_quality_mean"] == (0.9, "default: baselines.operational.input_quality_mean is absent")
    assert told(ood_share=0.05)["ood_share"] == (0.05, "baselines.operational.ood_share")
    assert not [one for one in foresee(parse_manifest(document([])), DIGEST).assumptions if one.name == "ood_share"]


def test_a_rate_that_is_not_stated_is_assumed_below_its_limit_and_named_with_its_monitor() -> None:
    known = monitor("rate", "day", {"ci_lower_above": 0.3}, numerator="overrides", denominator="alerts") | {"id": "known"}
    unknown = monitor("rate", "day", {"ci_lower_above": 0.3}, numerator="dismissals", denominator="alerts") | {"id": "unknown"}
    both = foresee(parse_manifest(document([known, unknown], a_day=50.0)), DIGEST).assumptions
    (found,) = [one for one in both if one.name == "rate_of_limit"]
    assert (found.value, found.source) == (0.7, "default: baselines.operational states no rate for unknown")
    alone = foresee(parse_manifest(document([known], a_day=50.0)), DIGEST).assumptions
    assert not [one for one in alone if one.name == "rate_of_limit"]


def assumed(monitors: list[Document], **baselines: Document | list[Document]) -> dict[str, tuple[float, str]]:
    """What a forecast assumes by default."""
    described = document(monitors, a_day=50.0)
    described["baselines"] |= baselines
    found = foresee(parse_manifest(described), DIGEST).assumptions
    return {one.name: (one.value, one.source) for one in found if one.source.startswith("default")}


def test_the_spread_of_input_quality_is_named_where_a_monitor_watches_it() -> None:
    watched = assumed([monitor("quality_mean", "day", {"below": 0.1})])
    assert watched["input_quality_sd"] == (0.1, "default: a manifest states none")
    assert "input_quality_sd" not in assumed([monitor("ood_share", "day", {"above": 0.5})])


def test_shares_that_no_feature_states_are_named_as_taken_for_none() -> None:
    silent = {"name": "age", "n": 1000, "bins": {"edges": [0, 50, 100], "probs": [0.5, 0.5]}}
    said = {"name": "px", "n": 1000, "missing": 0.0, "bins": {"edges": [0, 50, 100], "probs": [0.5, 0.5]}}
    missing = monitor("missing_rate", "day", {"abs": 0.2}, feature="*")
    absent = monitor("absent_rate", "day", {"abs": 0.2}, feature="px")
    ranged = monitor("out_of_range_rate", "day", {"abs": 0.2}, feature="age", by=["site"])
    found = assumed([missing, absent, ranged], features=[silent, said])
    assert found["missing_share"] == (0.0, "default: baselines.features states none of age")
    assert found["absent_share"] == (0.0, "default: baselines.features states none of px")
    assert found["out_of_range_share"] == (0.0, "default: baselines.features states none of age")
    assert "missing_share" not in assumed([missing, ranged], features=[said, silent | {"missing": 0.01}])
    # Of a share that no monitor reads nothing is assumed; drift reads the missing.
    assert set(assumed([absent], features=[silent])) & {"missing_share", "out_of_range_share"} == set()
    drift = monitor("psi", "day", {"p": 0.001}, feature="age")
    assert "missing_share" in assumed([drift], features=[silent])


def test_a_share_that_each_scope_has_of_its_own_is_not_assumed() -> None:
    strata = {"site": {"1": {"missing": 0.02}}}
    known = {"name": "px", "n": 1000, "bins": {"edges": [0, 50, 100], "probs": [0.5, 0.5]}, "strata": strata}
    each = monitor("missing_rate", "day", {"abs": 0.2}, feature="px", by=["site"])
    assert "missing_share" not in assumed([each], features=[known])
    assert "missing_share" in assumed([each | {"by": []}], features=[known])


def test_sides_of_saturation_that_are_not_stated_are_named() -> None:
    bins = {"edges": [0, 0.5, 1], "probs": [0.9, 0.1]}
    both = monitor("saturation_share", "day", {"abs": 0.2}, side="both")
    found = assumed([both], score={"n": 1000, "bins": bins, "saturation_share": {"high": 0.01}})
    assert found["saturation_low"] == (0.0, "default: baselines.score.saturation_share.low is absent")
    assert "saturation_high" not in found
    high = monitor("saturation_share", "day", {"abs": 0.2}, side="high")
    assert "saturation_low" not in assumed([high], score={"n": 1000, "bins": bins})
