"""Calibration of labelled scores through `pms replay`: Spiegelhalter's Z, calibration in the large, calibration error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surveillance.manifest.parse import read_document
from surveillance.times import to_text
from tests.scenario.replaying import Line, of_kind, replayed
from tests.scenario.stage import BEGIN_MS

CASES = 400
LIMITS: dict[str, Line] = {
    "spiegelhalter": {"p": 0.001},
    "calibration_intercept": {"outside": [-0.5, 0.5]},
    "calibration_error": {"ci_lower_above": 0.02},
    "auroc": {"p": 0.001},
    "brier": {"p": 0.001},
}


@pytest.fixture(scope="module")
def ward() -> Line:
    document: Line = read_document(Path(__file__).parent / "ward.manifest.yaml")
    document["baselines"]["metrics"] = [
        {"id": "auroc", "overall": {"value": 0.8, "ci95": [0.78, 0.82]}},
        {"id": "brier", "overall": 0.16},
    ]
    document["strata"]["min_sample"] = {"inferences": 20, "labelled": 10, "positives": 5}
    return document


def watching(ward: Line, metric: Line, limit: Line) -> Line:
    monitor = {
        "id": "watched", "hazard_id": "HZ-1", "metric": metric, "window": "w1h",
        "limits": {"investigate": limit}, "playbook": "PB-1",
    }  # fmt: skip
    return ward | {"surveillance": ward["surveillance"] | {"monitors": [monitor]}}


def cohort(shift: float, *, unflagged_labelled: float = 1.0) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    """Scores, outcomes and the stream of one hour of cases whose true log odds lie `shift` above what the score says."""
    rng = np.random.default_rng(7)
    score = np.round(rng.beta(1.3, 3.0, CASES), 6)
    label = rng.random(CASES) < 1 / (1 + np.exp(-(np.log(score / (1 - score)) + shift)))
    lines = []
    for at in range(CASES):
        at_ms, flagged = BEGIN_MS + at * 8_000, bool(score[at] >= 0.5)
        common: dict[str, Any] = {
            "schema_version": 2, "product": "triage", "site_id": "north", "device_id": "scanner-1", "release_id": "triage-1",
            "event_time": to_text(at_ms), "ingest_time": to_text(at_ms), "inference_id": f"i-{at}",
        }  # fmt: skip
        inference = {
            "schema": "pms.inference", "event_id": f"e-{at}", "score": score[at], "alert_raised": flagged,
            "threshold_applied": 0.5, "features": {"px": 0.0},
        }  # fmt: skip
        lines.append(json.dumps(common | inference).encode())
        if flagged or rng.random() < unflagged_labelled:
            outcome = {
                "schema": "pms.outcome", "event_id": f"o-{at}", "outcome_id": f"o-{at}", "label": int(label[at]),
                "label_kind": "report", "label_time": to_text(at_ms), "verification": "random_sample",
            }  # fmt: skip
            lines.append(json.dumps(common | outcome).encode())
    return score, label, lines


def status_of(ward: Line, kind: str, shift: float, **more: Any) -> Line:
    manifest = watching(ward, {"type": kind} | more, LIMITS[kind])
    (status,) = of_kind(replayed([manifest], cohort(shift)[2], to_text(BEGIN_MS + 3_600_000)), "status")
    return status


@pytest.mark.parametrize("kind", LIMITS)
def test_scores_that_are_right_breach_nothing(ward: Line, kind: str) -> None:
    assert status_of(ward, kind, 0.0)["verdict"] in ("met", "inconclusive")


@pytest.mark.parametrize("kind", ["calibration_intercept", "calibration_error", "brier"])
def test_odds_far_above_the_scores_are_found(ward: Line, kind: str) -> None:
    assert status_of(ward, kind, 1.6)["verdict"] == "breached"


def test_spiegelhalters_z_and_its_p_are_those_of_the_rows(ward: Line) -> None:
    score, label, _ = cohort(0.0)
    z = ((label - score) * (1 - 2 * score)).sum() / math.sqrt(((1 - 2 * score) ** 2 * score * (1 - score)).sum())
    estimate = status_of(ward, "spiegelhalter", 0.0)["estimate"]
    assert estimate["value"] == pytest.approx(z, abs=1e-3)
    assert estimate["p"] == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=1e-3)
    assert estimate["n"] == CASES


def test_the_intercept_is_the_shift_of_the_log_odds(ward: Line) -> None:
    estimate = status_of(ward, "calibration_intercept", 1.6)["estimate"]
    assert estimate["lower"] <= 1.6 <= estimate["upper"]


def test_an_e_limit_of_calibration_is_judged(ward: Line) -> None:
    for shift, verdict in ((0.0, "met"), (1.6, "breached")):
        manifest = watching(ward, {"type": "calibration_error"}, {"e": 1000})
        (status,) = of_kind(replayed([manifest], cohort(shift)[2], to_text(BEGIN_MS + 3_600_000)), "status")
        assert status["verdict"] == verdict
        assert status["estimate"]["e"] > 0


@pytest.mark.parametrize(
    ("kind", "method"), [("spiegelhalter", "inverse_coverage_z"), ("calibration_error", "inverse_coverage_debiased_rms_chi2")]
)
def test_an_e_limit_holds_for_weighted_labels_too(ward: Line, kind: str, method: str) -> None:
    corrected = {"type": kind, "verification_correction": "begg_greenes"}
    for shift, verdict in ((0.0, "met"), (1.6, "breached")):
        lines = cohort(shift, unflagged_labelled=0.6)[2]
        (status,) = of_kind(replayed([watching(ward, corrected, {"e": 20})], lines, to_text(BEGIN_MS + 3_600_000)), "status")
        assert (status["verdict"], status["estimate"]["method"]) == (verdict, method)


@pytest.mark.parametrize(("kind", "far_better"), [("auroc", 0.95), ("brier", 0.05)])
def test_p_compares_the_field_with_the_validated_number(ward: Line, kind: str, far_better: float) -> None:
    found = {}
    for name, known in (
        ("as validated", ward["baselines"]),
        ("better", {"metrics": [{"id": kind, "overall": far_better}]}),
        ("none", {}),
    ):
        (status,) = of_kind(
            replayed(
                [watching(ward, {"type": kind}, {"p": 0.001}) | {"baselines": known}],
                cohort(0.0)[2],
                to_text(BEGIN_MS + 3_600_000),
            ),
            "status",
        )
        found[name] = (status["verdict"], "p" in status["estimate"])
    assert found == {"as validated": ("met", True), "better": ("breached", True), "none": ("inconclusive", False)}


@pytest.mark.parametrize(
    "kind",
    ["observed_expected", "calibration_slope", "calibration_intercept", "calibration_error", "auroc", "brier", "spiegelhalter"],
)
def test_labels_missing_among_the_unflagged_are_weighted_back(ward: Line, kind: str) -> None:
    """With half of the unflagged labelled at random, the corrected number is near that of all labels."""
    limit = LIMITS.get(kind, {"outside": [0.5, 2.0]})
    numbers = []
    for share, metric in ((1.0, {"type": kind}), (0.5, {"type": kind, "verification_correction": "begg_greenes"})):
        lines = cohort(0.0, unflagged_labelled=share)[2]
        (status,) = of_kind(replayed([watching(ward, metric, limit)], lines, to_text(BEGIN_MS + 3_600_000)), "status")
        numbers.append(status["estimate"])
    whole, corrected = numbers
    assert corrected["n"] < whole["n"]
    assert corrected["lower"] <= whole["value"] <= corrected["upper"]
