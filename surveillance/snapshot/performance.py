"""Validated performance of a snapshot's labelled cases: each metric with its interval, and by level where cells are large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_slope
from detectors.estimate import Estimate, Outcome
from detectors.observed_expected import observed_expected
from detectors.proportion import proportion
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit, sketch_bin
from surveillance.arrays import Bool, Float, Int

_MICRO = 1_000_000
_BY_LEVEL = ("sensitivity", "specificity")
Part = dict[str, Any]


def prevalence_of(label: Int) -> Part:
    """Share of positives among labelled cases, with its interval."""
    return _body(proportion([int(label.sum())], [len(label)], method="wilson")[0]) | {"n": len(label)}


def metrics_of(
    label: Int,
    flagged: Bool,
    score: Float,
    at: str | None,
    strata: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    smallest: int,
) -> list[Part]:
    """Metrics of labelled cases (n,); `at` names the threshold, `strata` as in `feature_reference`."""
    found: list[Part] = []
    for name in ("sensitivity", "specificity", "ppv", "npv"):
        overall = _proportion(name, label, flagged)
        if overall is None:
            continue
        body: Part = {"id": name} | ({"at": at} if at is not None else {}) | {"overall": overall}
        own = _by_level(name, label, flagged, strata, smallest) if name in _BY_LEVEL else {}
        found.append(body | ({"strata": own} if own else {}))
    for name, outcome in _of_scores(label, score).items():
        if isinstance(outcome, Estimate):
            found.append({"id": name, "overall": _body(outcome) | {"n": len(label)}})
    return found


def _proportion(name: str, label: Int, flagged: Bool) -> Part | None:
    chosen, hit = {
        "sensitivity": (label == 1, flagged),
        "specificity": (label == 0, ~flagged),
        "ppv": (flagged, label == 1),
        "npv": (~flagged, label == 0),
    }[name]
    n, k = int(chosen.sum()), int((chosen & hit).sum())
    outcome = proportion([k], [n], method="wilson")[0]
    if not isinstance(outcome, Estimate):
        return None
    key = {"sensitivity": "n_pos", "specificity": "n_neg"}.get(name, "n")
    return _body(outcome) | {key: n}


def _by_level(
    name: str, label: Int, flagged: Bool, strata: Mapping[str, tuple[Sequence[str], Sequence[str]]], smallest: int
) -> Part:
    found: Part = {}
    for axis, (levels, told) in strata.items():
        by_level, own = np.array(levels), {}
        for level in told:
            inside = by_level == level
            body = _proportion(name, label[inside], flagged[inside])
            if body is not None and min(value for key, value in body.items() if key.startswith("n_")) >= smallest:
                own[level] = body
        found |= {axis: own} if own else {}
    return found


def _of_scores(label: Int, score: Float) -> Mapping[str, Outcome]:
    micro = np.round(score * _MICRO).astype(np.int64)
    bins = sketch_bin(micro)
    negative, positive = (np.bincount(bins[label == one], minlength=SKETCH_BINS)[None, :] for one in (0, 1))
    sums = np.bincount(bins, micro, SKETCH_BINS)[None, :]
    scores, logit = ScoreBins.of(negative, positive), bin_mean_logit(negative + positive, sums)
    error = np.square(score - label)
    n = [len(label)]
    return {
        "auroc": auroc(scores)[0],
        "calibration_slope": calibration_slope(scores, logit)[0],
        "observed_expected": observed_expected(n, [int(label.sum())], [int(micro.sum())])[0],
        "brier": brier(n, [round(error.sum() * _MICRO)], [round(np.square(error).sum() * _MICRO)])[0],
    }


def _body(outcome: Outcome) -> Part:
    assert isinstance(outcome, Estimate)
    return {"value": round(outcome.value, 6), "ci95": [round(outcome.lower, 6), round(outcome.upper, 6)]}
