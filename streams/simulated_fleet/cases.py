"""The process that makes the cases of a day: who is examined, what the image looks like, what the model says, what is true.

The model is right about its own uncertainty: its score is the probability of disease given the sign it sees in the image.
Two things go wrong later, and neither is visible in what the devices say of themselves:

* from `SHIFT_DAY` a firmware makes the images of one site brighter; the model copes, so only the input moves;
* from `MISS_DAY` a low-dose protocol for patients of 75 and over hides the sign in some of the diseased, at every site; the
  inputs look as before, so only the outcomes show it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.simulated_fleet.roster import ROSTER, SHIFTED_SITE
from surveillance.times import DAY_MS, HOUR_MS, from_text

START_MS = from_text("2026-03-02T00:00:00Z")
"""A Monday."""
DAYS = 14
SHIFT_DAY, MISS_DAY = 5, 8
"""Days of the failures, counted from 1."""
OLD_AGE = 75
THRESHOLD = 0.15

_PER_DEVICE = 70.0
_WEEKEND = 0.8
_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 8, 9, 9, 9, 8, 8, 8, 8, 7, 6, 5, 4, 4, 3, 3, 2], np.float64)
_PREVALENCE, _PREVALENCE_OLD = 0.11, 0.18
_SEPARATION = 3.0
"""Distance between the sign's means in the diseased and the others, in standard deviations."""
_HIDDEN_SHARE = 0.5
_SHIFT = 0.9
_SITE_OFFSETS = np.array([0.04, -0.05, 0.02, -0.03, 0.06, 0.0, -0.02, 0.05, -0.06, 0.01, 0.03, -0.05])
"""Harmless differences between sites, in standard deviations of `px_mean`."""
_VIEWS, _VIEW_SHARES = np.array(["PA", "AP", "LAT"]), (0.58, 0.38, 0.04)
_PX_MISSING = 0.003

_DEVICE_SITE = np.array([int(device.site_id[-2:]) - 1 for device in ROSTER])

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cases:
    """Examinations of one day in order of time; all arrays have one row each. `px_mean` is NaN where it is missing."""

    day: int
    device: NDArray[np.int64]
    """Index into ROSTER."""
    at_ms: NDArray[np.int64]
    age: NDArray[np.int64]
    female: Flags
    emergency: Flags
    diseased: Flags
    score: Numbers
    px_mean: Numbers
    view: NDArray[np.str_]
    low_dose: Flags

    def __len__(self) -> int:
        return len(self.at_ms)


def cases_of(day: int, rng: np.random.Generator) -> Cases:
    """The cases of a day, counted from 1."""
    weekday = (day - 1) % 7
    counts = rng.poisson(_PER_DEVICE * (_WEEKEND if weekday >= 5 else 1.0), len(ROSTER))
    device = np.repeat(np.arange(len(ROSTER)), counts)
    n = len(device)
    hour = rng.choice(24, n, p=_HOURS / _HOURS.sum())
    at_ms = START_MS + (day - 1) * DAY_MS + hour * HOUR_MS + rng.integers(0, HOUR_MS, n)
    order = np.argsort(at_ms, kind="stable")
    device, at_ms = device[order], at_ms[order]

    age = np.clip(np.rint(rng.normal(61, 18, n)), 18, 99).astype(np.int64)
    prevalence = np.where(age >= OLD_AGE, _PREVALENCE_OLD, _PREVALENCE)
    diseased = rng.random(n) < prevalence
    low_dose = (age >= OLD_AGE) & (day >= MISS_DAY)
    hidden = low_dose & (rng.random(n) < _HIDDEN_SHARE)
    return Cases(
        day=day,
        device=device,
        at_ms=at_ms,
        age=age,
        female=rng.random(n) < 0.52,
        emergency=rng.random(n) < 0.35,
        diseased=diseased,
        score=_score(prevalence, diseased & ~hidden, rng),
        px_mean=_px_mean(day, device, rng),
        view=rng.choice(_VIEWS, n, p=_VIEW_SHARES),
        low_dose=low_dose,
    )


def _score(prevalence: Numbers, shows: Flags, rng: np.random.Generator) -> Numbers:
    """Probability of disease given the sign: normal around half the separation where it shows, around minus that elsewhere."""
    sign = rng.normal(np.where(shows, _SEPARATION / 2, -_SEPARATION / 2))
    logit = np.log(prevalence / (1 - prevalence)) + _SEPARATION * sign
    return np.round(1 / (1 + np.exp(-logit)), 6)


def _px_mean(day: int, device: NDArray[np.int64], rng: np.random.Generator) -> Numbers:
    """Mean of the pixels, normalised to the images of the validation."""
    site = _DEVICE_SITE[device]
    shifted = (site == int(SHIFTED_SITE[-2:]) - 1) & (day >= SHIFT_DAY)
    values: Numbers = np.round(rng.normal(_SITE_OFFSETS[site] + np.where(shifted, _SHIFT, 0.0)), 4)
    values[rng.random(len(device)) < _PX_MISSING] = np.nan
    return values
