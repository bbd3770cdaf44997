"""How many inferences fall into each step of a simulated time line."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.foresight.assumptions import HOURS_A_WEEK, FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.times import HOUR_MS


def expected_cases(field: FieldAssumptions, share: float, step_ms: int, steps: int) -> Float:
    """Expected inferences (steps,) of a scope with this share of the volume; the first step begins on Monday 00:00 UTC."""
    hours = np.array(field.hours) * share
    by_hour = np.concatenate([[0.0], np.cumsum(hours)])
    edges_h = np.arange(steps + 1) * (step_ms / HOUR_MS)
    weeks, inside = np.divmod(edges_h, HOURS_A_WEEK)
    whole = np.minimum(inside.astype(np.int64), HOURS_A_WEEK - 1)
    up_to = weeks * by_hour[-1] + by_hour[whole] + (inside - whole) * hours[whole]
    expected: Float = np.diff(up_to)
    return expected


def drawn_cases(chance: Chance, field: FieldAssumptions, share: float, expected: Float) -> Int:
    """Inferences (steps,), over-dispersed as the manifest states for the whole field: a part of it is so by its share only."""
    excess = (field.volume_dispersion - 1.0) * share
    if excess <= 0:
        return chance.poisson(expected)
    return chance.poisson(chance.gamma(np.maximum(expected, 1e-12) / excess) * excess)
