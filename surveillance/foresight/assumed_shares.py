"""Shares of values that are missing, absent, out of range or saturated, and are taken as none where a manifest states none."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.evaluation.estimators.request import own_level
from surveillance.foresight.assumptions import Assumption, FieldAssumptions
from surveillance.foresight.field_scopes import scopes_of
from surveillance.foresight.monitor_cells import series_of
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import Drift, FeatureShare, Saturation, VarianceRatio
from surveillance.manifest.model_metrics import Metric
from surveillance.panes import statistics
from surveillance.panes.plan import Series

_READ = {"missing_rate": "missing", "absent_rate": "absent", "out_of_range_rate": "out_of_range"}


def assumptions_on_shares(manifest: Manifest, field: FieldAssumptions) -> Iterator[Assumption]:
    """What is taken as none beside the rest, by share, with the features that are silent about it."""
    silent: dict[str, dict[str, None]] = {}
    for monitor in manifest.surveillance.monitors:
        share = _share_read(monitor.metric)
        for series in series_of(manifest, monitor) if share is not None else ():
            family, _, subject = series.statistic.partition(":")
            of_a_feature = family == statistics.FEATURE or manifest.baselines.feature(subject) is not None
            if share is not None and of_a_feature and _is_silent(manifest, field, series, subject, share):
                silent.setdefault(share, {})[subject] = None
    for share, features in silent.items():
        yield Assumption(f"{share}_share", 0.0, f"default: baselines.features states none of {', '.join(features)}")
    for side in _silent_sides(manifest):
        yield Assumption(f"saturation_{side}", 0.0, f"default: baselines.score.saturation_share.{side} is absent")


def _share_read(metric: Metric) -> str | None:
    """Which share of a feature's values decides what the metric counts."""
    if isinstance(metric, FeatureShare):
        return _READ[metric.type]
    return "missing" if isinstance(metric, Drift | VarianceRatio) else None


def _is_silent(manifest: Manifest, field: FieldAssumptions, series: Series, feature: str, share: str) -> bool:
    """Whether neither the whole nor the scope itself has a number, in any scope of the series."""
    reference = manifest.baselines.feature(feature)
    if reference is None:
        return True
    if getattr(reference, share) is not None:
        return False
    levels = (own_level(one.scope) for one in scopes_of(manifest, field, series.axes))
    own = (reference.of(*level) if level is not None else None for level in levels)
    return any(one is None or getattr(one, share) is None for one in own)


def _silent_sides(manifest: Manifest) -> list[str]:
    score = manifest.baselines.score
    watched = [one.metric.side for one in manifest.surveillance.monitors if isinstance(one.metric, Saturation)]
    stated = {} if score is None else {"low": score.saturation_share.low, "high": score.saturation_share.high}
    return [side for side in ("low", "high") if {side, "both"} & set(watched) and stated.get(side) is None]
