"""Drift of 20 features in 8 segments from arrays, against libraries that are given the same rows without segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.result import Claim, Contender, Options, Result, ratio
from benchmarks.rounds import interleaved, rate
from detectors.psi import psi
from surveillance.arrays import Float, Int
from surveillance.ingest.reference_bins import number_bins

_ROWS, _FEATURES, _SEGMENTS = 200_000, 20, 8
_EDGES = np.linspace(-3, 3, 11)
_PROBS = np.full((1, 10), 0.1)
_REFERENCE_ROWS = 40_000


def drift_peers(options: Options) -> Result:
    """All in one process; a peer that is not installed is named as missing."""
    rng = np.random.default_rng(1)
    rows = options.scaled(_ROWS, 2_000)
    values = rng.standard_normal((_FEATURES, rows))
    reference = rng.standard_normal((_FEATURES, min(rows, _REFERENCE_ROWS)))
    segments = rng.integers(0, _SEGMENTS, rows)
    running: dict[str, Callable[[], float]] = {"ours": rate(rows, lambda: _ours(values, segments))}
    missing = {}
    for name, make in {"evidently": _evidently, "nannyml": _nannyml, "whylogs": _whylogs}.items():
        try:
            running[name] = rate(rows, make(reference, values))
        except ImportError as absent:
            missing[name] = f"not installed: {absent.name}"
    found = interleaved(running, options.rounds)
    contenders = {name: Contender("rows/s", taken) for name, taken in found.items()}
    contenders |= {name: Contender("rows/s", (), why) for name, why in missing.items()}
    peers = [contenders[name] for name in running if name != "ours"]
    fastest = max(peers, key=lambda one: one.median or 0, default=Contender("rows/s", ()))
    claims = [
        Claim("rows/s/core", contenders["ours"].median, 1.5e6),
        Claim("× the fastest peer", ratio(contenders["ours"], fastest), 2),
        Claim("× Evidently", ratio(contenders["ours"], contenders["evidently"]), 50),
    ]
    what = f"PSI with interval and p of {_FEATURES} features in {_SEGMENTS} segments, from arrays"
    return Result("drift-peers", what, options.scale, contenders, claims)


def _ours(values: Float, segments: Int) -> None:
    bins = len(_EDGES) - 1
    start = segments * bins
    for feature in values:
        counts = np.bincount(start + number_bins(_EDGES.tolist(), feature), minlength=_SEGMENTS * bins)
        psi(counts.reshape(_SEGMENTS, bins), np.repeat(_PROBS, _SEGMENTS, axis=0), np.full(_SEGMENTS, float(_REFERENCE_ROWS)))


def _frame(values: Float) -> Any:
    import pandas as pd

    return pd.DataFrame({f"f{number}": feature for number, feature in enumerate(values)})


def _evidently(reference: Float, values: Float) -> Callable[[], object]:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    known, seen = _frame(reference), _frame(values)
    return lambda: Report([DataDriftPreset(method="psi")]).run(seen, known).dict()


def _nannyml(reference: Float, values: Float) -> Callable[[], object]:
    import nannyml

    known, seen = _frame(reference), _frame(values)

    def run() -> object:
        drift = nannyml.UnivariateDriftCalculator(
            column_names=list(known.columns), continuous_methods=["jensen_shannon"], chunk_number=1
        )
        return drift.fit(known).calculate(seen)

    return run


def _whylogs(reference: Float, values: Float) -> Callable[[], object]:
    import whylogs

    seen = _frame(values)
    return lambda: whylogs.log(seen).view()
