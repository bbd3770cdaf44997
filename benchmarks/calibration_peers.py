"""Calibration slope and AUROC, both with intervals, of 160 cells from panes, against libraries that read the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.result import Claim, Contender, Options, Result, ratio
from benchmarks.rounds import interleaved, rate
from detectors.auroc import auroc
from detectors.calibration import calibration_slope
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, sketch_bin, sketch_logit
from surveillance.arrays import Float, Int

_ROWS, _CELLS = 400_000, 160
_EVALUATIONS = 200
"""In one round: as long as a round of a peer, so that what the peer before it left in the caches weighs as little."""
_MICRO = 1_000_000


def calibration_peers(options: Options) -> Result:
    """All in one process; a peer that is not installed is named as missing."""
    rng = np.random.default_rng(1)
    rows = options.scaled(_ROWS, _CELLS * 100)
    score = rng.beta(1.2, 4, rows)
    label = (rng.random(rows) < score).astype(np.int64)
    negatives, positives = _panes(score, label, rng.integers(0, _CELLS, rows))
    logit = sketch_logit()

    def ours() -> None:
        for _ in range(_EVALUATIONS):
            scores = ScoreBins.of(negatives, positives)
            calibration_slope(scores, logit)
            auroc(scores)

    running: dict[str, Callable[[], float]] = {"ours": rate(rows * _EVALUATIONS, ours)}
    missing = {}
    for name, make in {"scikit-learn": _sklearn, "nannyml": _nannyml}.items():
        try:
            running[name] = rate(rows, make(score, label))
        except ImportError as absent:
            missing[name] = f"not installed: {absent.name}"
    found = interleaved(running, options.rounds)
    evaluation_ms = Contender("ms", [rows / value * 1_000 for value in found["ours"]], f"one evaluation of {_CELLS} cells")
    contenders = {name: Contender("rows/s", taken) for name, taken in found.items()}
    contenders |= {name: Contender("rows/s", (), why) for name, why in missing.items()}
    peers = [contenders[name] for name in running if name != "ours"]
    fastest = max(peers, key=lambda one: one.median or 0, default=Contender("rows/s", ()))
    claims = [
        Claim("rows/s equivalent", contenders["ours"].median, 20e6),
        Claim("ms for 160 cells", evaluation_ms.median, 1.0, at_least=False),
        Claim("× the fastest peer", ratio(contenders["ours"], fastest), 1),
    ]
    what = f"calibration slope and AUROC with intervals of {_CELLS} cells, from panes of {rows:,} rows"
    return Result("calibration-peers", what, options.scale, contenders | {"evaluation": evaluation_ms}, claims)


def _panes(score: Float, label: Int, cell: Int) -> tuple[Int, Int]:
    at = (label * _CELLS + cell) * SKETCH_BINS + sketch_bin(np.rint(score * _MICRO).astype(np.int64))
    counts = np.bincount(at, minlength=2 * _CELLS * SKETCH_BINS).reshape(2, _CELLS, SKETCH_BINS)
    return counts[0], counts[1]


def _sklearn(score: Float, label: Int) -> Callable[[], object]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    logit = np.log(score / (1 - score)).reshape(-1, 1)
    return lambda: (roc_auc_score(label, score), LogisticRegression(C=np.inf).fit(logit, label).coef_)


def _nannyml(score: Float, label: Int) -> Callable[[], object]:
    import nannyml
    import pandas as pd

    frame: Any = pd.DataFrame({"score": score, "called": (score >= 0.5).astype(int), "label": label})

    def run() -> object:
        estimator = nannyml.CBPE(
            y_pred_proba="score", y_pred="called", y_true="label", metrics=["roc_auc"], problem_type="classification_binary",
            chunk_number=10,
        )  # fmt: skip
        return estimator.fit(frame).estimate(frame)

    return run
