"""The mix of an axis's levels that the manifest expects: where it is stated, and in which bins it is counted."""

from __future__ import annotations

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_baselines import FeatureBaseline
from surveillance.manifest.model_distribution import Distribution
from surveillance.manifest.model_monitors import IMPLICIT_AXES

_FEATURES = "features."


def mix_reference(manifest: Manifest, axis_id: str) -> FeatureBaseline | None:
    """The categorical entry of `baselines.features` that is named as the axis, else as the field that the axis reads."""
    axis = manifest.axis(axis_id)
    source = axis.source if axis is not None else IMPLICIT_AXES.get(axis_id)
    names = [] if source is None else [axis_id, source, source.removeprefix(_FEATURES)]
    for name in names:
        found = manifest.baselines.feature(name)
        if found is not None and found.distribution is not None and found.distribution.levels is not None:
            return found
    return None


def mix_distribution(manifest: Manifest, axis_id: str) -> Distribution | None:
    """The overall reference mix, over whose levels the inferences are counted; None where the manifest states none."""
    reference = mix_reference(manifest, axis_id)
    return reference.distribution if reference is not None else None
