"""The bins of a reference distribution that features, scores and output classes are counted in."""

from __future__ import annotations

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_distribution import Distribution


def feature_distribution(manifest: Manifest, feature: str) -> Distribution | None:
    """The overall reference distribution whose bins a feature, the score or the output class is counted in."""
    reference = manifest.baselines.reference(feature)
    return reference.distribution if reference is not None else None


def bin_count(distribution: Distribution | None) -> int:
    """Bins counted: those of the reference, plus `other` for categories where the reference names none; 0 without one."""
    if distribution is None:
        return 0
    if distribution.levels is None:
        return len(distribution.probs)
    return len(distribution.levels) + ("other" not in distribution.levels)
