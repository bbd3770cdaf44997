"""The rate that a manifest states for counting words, such as alerts per encounter, in the season of a window."""

from __future__ import annotations

from typing import NamedTuple

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_operation import RateRatio
from surveillance.manifest.season import seasonal


class ReferenceRate(NamedTuple):
    """Events per unit of exposure, and the exposure it was found in, where that is stated."""

    value: float
    exposure: float | None


def reference_rate(manifest: Manifest, ratio: RateRatio, own: tuple[str, str] | None, end_ms: int) -> ReferenceRate | None:
    """That of (axis, level) `own` where it has one, else the overall one; None where the manifest states none.

    It is scaled by the month factor of `baselines.metrics` whose id is the key of the figure, for the month of the window's end.
    """
    for key in ratio.baseline_keys:
        figure = manifest.baselines.operational.nearest(key, own)
        if figure is not None and figure.value is not None:
            season = manifest.baselines.metric(key)
            value = seasonal(figure.value / 100.0, season.month_factor if season is not None else None, end_ms)
            return ReferenceRate(value, figure.n)
    return None
