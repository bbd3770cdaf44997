"""Every flagged case is verified, of the unflagged one in ten at random: what monitors say with and without correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, replayed_lines, tick

Line = dict[str, Any]
CORRECTED = {"verification_correction": "begg_greenes"}
VERIFIED = 0.1


class Case(NamedTuple):
    site: str
    score: float
    label: int
    seen: bool


def cohort(rng: np.random.Generator, site: str, cases: int, *, overlooked: float = 0.0, too_high: float = 0.0) -> list[Case]:
    """Calibrated scores, but for flagged ones, which say so much too high a risk; of the positives that would be flagged, so
    many score low all the same."""
    score = np.round(rng.beta(0.7, 3.0, cases), 6)
    label = rng.random(cases) < score - np.where(score >= 0.5, too_high, 0.0)
    low = label & (score >= 0.5) & (rng.random(cases) < overlooked)
    score[low] = np.round(score[low] / 3, 6)
    seen = (score >= 0.5) | (rng.random(cases) < VERIFIED)
    return [Case(site, *row) for row in zip(score.tolist(), label.astype(int).tolist(), seen.tolist(), strict=True)]


def told(watched: Line, cases: Sequence[Case], *, everything: bool = False) -> dict[str, Line]:
    """Status by site, empty without one; `everything` labels every case."""
    document = release(watched)
    document["strata"]["multiplicity"] = {"method": "none"}
    document["baselines"]["label_latency"]["verification"] = {"flagged": 1.0, "unflagged": VERIFIED}
    document["baselines"]["prevalence"] = {"value": 0.19, "n": 50_000}
    lines: list[bytes] = []
    for number, case in enumerate(cases):
        at_ms = MINUTE_MS + number
        lines.append(inference(number, at_ms, case.score, site_id=case.site))
        if everything or case.seen:
            verification = "routine" if case.score >= 0.5 else "random_sample"
            lines.append(outcome(number, case.label, at_ms, site_id=case.site, verification=verification))
    found = replayed_lines([document], [*lines, tick(HOUR_MS + 2 * MINUTE_MS)])
    return {line["scope"].get("site", ""): line for line in found if line["kind"] == "status"}


def watch(metric: Line, limit: Line, **more: Any) -> Line:
    return monitor("m", metric, {"investigate": limit}, window="w1h", **more)


@pytest.fixture(scope="module")
def ward() -> list[Case]:
    return cohort(np.random.default_rng(1), "s", 3000)


def test_prevalence_among_the_verified_is_that_of_the_flagged_and_the_corrected_one_that_of_all(ward: list[Case]) -> None:
    metric, limit = {"type": "prevalence"}, {"p": 0.001}
    whole = told(watch(metric, limit), ward, everything=True)[""]
    naive = told(watch(metric, limit), ward)[""]
    corrected = told(watch(metric | CORRECTED, limit), ward)[""]
    assert naive["estimate"]["lower"] > 1.5 * whole["estimate"]["value"]
    assert naive["verdict"] == "breached"
    assert corrected["estimate"]["lower"] < whole["estimate"]["value"] < corrected["estimate"]["upper"]
    assert corrected["estimate"]["lower"] < 0.7 / 3.7 < corrected["estimate"]["upper"]
    assert corrected["verdict"] == "met"
    assert corrected["estimate"]["n"] == naive["estimate"]["n"] == sum(case.seen for case in ward)
    assert corrected["estimate"]["method"] == "inverse_coverage_wilson"


def test_with_every_case_verified_the_correction_changes_nothing(ward: list[Case]) -> None:
    metric, limit = {"type": "prevalence"}, {"p": 0.001}
    plain, corrected = (told(watch(one, limit), ward, everything=True)[""]["estimate"] for one in (metric, metric | CORRECTED))
    for key in ("value", "lower", "upper", "p"):
        assert corrected[key] == pytest.approx(plain[key], abs=1e-12)


def test_a_gap_is_of_the_cases_and_not_of_who_was_verified() -> None:
    """At the north site most positives score low: few are flagged, few of the others verified, and the gap looks far too wide."""
    rng = np.random.default_rng(2)
    cases = [*cohort(rng, "north", 2500, overlooked=0.8), *cohort(rng, "south", 2500)]
    metric, limit = {"type": "subgroup_gap", "event": "sensitivity"}, {"ci_upper_below": -0.12}
    whole, naive, corrected = (
        told(watch(one, limit, by=["site"]), cases, everything=everything)["north"]
        for one, everything in ((metric, True), (metric, False), (metric | CORRECTED, False))
    )
    assert naive["estimate"]["upper"] < whole["estimate"]["value"] < 0
    assert corrected["estimate"]["lower"] < whole["estimate"]["value"] < corrected["estimate"]["upper"] < 0
    assert [one["verdict"] for one in (whole, naive, corrected)] == ["met", "breached", "met"]
    assert corrected["estimate"]["method"] == "inverse_coverage_newcombe"
    assert corrected["estimate"]["n"] == naive["estimate"]["n"]


def test_the_site_outside_the_funnel_is_the_one_that_misses_and_not_the_one_that_verifies() -> None:
    """Five sites verify one unflagged case in ten, one of them overlooks most positives; a sixth verifies every case."""
    rng = np.random.default_rng(4)
    cases = [case for name in "abcd" for case in cohort(rng, name, 1000)]
    cases += cohort(rng, "misses", 1000, overlooked=0.9)
    cases += [case._replace(seen=True) for case in cohort(rng, "thorough", 1000)]
    metric, limit = {"type": "site_outlier", "event": "sensitivity"}, {"p": 0.01}
    found = {
        name: {site: line["verdict"] for site, line in told(watch(one, limit, by=["site"]), cases).items()}
        for name, one in (("naive", metric), ("corrected", metric | CORRECTED))
    }
    assert {site for site, verdict in found["naive"].items() if verdict == "breached"} == set()
    assert {site for site, verdict in found["corrected"].items() if verdict == "breached"} == {"misses"}


def test_an_error_of_flagged_scores_counts_for_no_more_cases_than_there_are() -> None:
    cases = cohort(np.random.default_rng(5), "s", 3000, too_high=0.4)
    metric, limit = {"type": "calibration_error"}, {"ci_lower_above": 0.15}
    whole, naive, corrected = (
        told(watch(one, limit), cases, everything=everything)[""]
        for one, everything in ((metric, True), (metric, False), (metric | CORRECTED, False))
    )
    assert naive["estimate"]["lower"] > 1.3 * whole["estimate"]["value"]
    assert corrected["estimate"]["lower"] < whole["estimate"]["value"] < corrected["estimate"]["upper"]
    assert [one["verdict"] for one in (whole, naive, corrected)] == ["met", "breached", "met"]
    assert corrected["estimate"]["method"] == "inverse_coverage_debiased_rms_chi2"
    assert corrected["estimate"]["n"] == sum(case.seen for case in cases)
    assert corrected["estimate"]["p"] < 0.01
