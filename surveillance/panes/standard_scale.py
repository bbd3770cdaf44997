"""The scale on which numbers are standardised before their powers are summed."""

from __future__ import annotations

from typing import NamedTuple

from surveillance.manifest.manifest import Manifest


class StandardScale(NamedTuple):
    """z = (number - mean) / sd."""

    mean: float
    sd: float


UNSCALED = StandardScale(0.0, 1.0)


def standard_scale(manifest: Manifest, subject: str) -> StandardScale:
    """Mean and sd of the overall baseline of a feature or of `score`; 0 and 1 where it does not state both."""
    reference = manifest.baselines.reference(subject)
    if reference is None or reference.mean is None or not reference.sd:
        return UNSCALED
    return StandardScale(reference.mean, reference.sd)
