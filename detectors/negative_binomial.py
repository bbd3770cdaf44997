"""A count against what was expected of it, where counts vary more than Poisson: arrivals of labels, volume of use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds, poisson_exact
from detectors.outcomes import outcomes

METHOD = "negative_binomial_midp"
Tail = Literal["both", "upper", "lower"]
Chance = Callable[[Float, Float, Float], Float]
"""Of a count, given its mean and dispersion."""

_SECANTS = 8
_SOLVED = 1e-7
"""Standard normal scores that a bound may be off."""


@silent
def count_ratio(
    observed: ArrayLike, expected: ArrayLike, *, dispersion: ArrayLike = 1.0, tail: Tail = "both", level: float = 0.95
) -> list[Outcome]:
    """Observed over expected counts, both (C,), with `p` from the negative binomial whose variance is dispersion x mean.

    `p` is the mid-p (Lancaster 1961, JASA 56:223) of the tail of too many (`upper`) or too few (`lower`); `both` doubles the
    smaller one. A dispersion of 1 or less is Poisson. The interval holds the means whose doubled mid-p is at least 1 - level: it
    leaves 1 out where such a p is smaller. Coverage of one look at 95 %, over the means about 20, 60, 200: .951, .950, .950 with
    dispersion 1, .950 throughout with 4; an exact interval would hold .962, .957, .954 and .975, .965, .958. Where
    no such mean is found (few counts of a far larger dispersion, numbers near the end of floats) the exact Poisson bound of
    observed / dispersion, scaled back, stands for it (quasi-likelihood: McCullagh & Nelder 1989, sec. 9.2). `n` is the number
    observed.

    `no_exposure` where nothing was expected, `degenerate_outcomes` where a count is negative or a number is not finite.

    >>> found = count_ratio([5], [12.0], dispersion=2.0)[0]
    >>> round(found.value, 3), round(found.p, 3), found.method
    (0.417, 0.11, 'negative_binomial_midp')
    >>> [round(count_ratio([5], [12.0], dispersion=2.0, tail=tail)[0].p, 3) for tail in ("lower", "upper")]
    [0.055, 0.945]
    """
    count, mean = np.atleast_1d(as_float(observed)), np.atleast_1d(as_float(expected))
    spread = np.broadcast_to(as_float(dispersion), count.shape)
    usable = np.isfinite(count) & np.isfinite(mean) & np.isfinite(spread) & (count >= 0) & (mean > 0)
    k, mu, d = np.where(usable, count, 0.0), np.where(usable, mean, 1.0), np.where(usable, np.maximum(spread, 1.0), 1.0)
    lower, upper = _bounds(k, d, level)
    refusals = [(mean == 0, Reason.NO_EXPOSURE), (~usable, Reason.DEGENERATE_OUTCOMES)]
    return outcomes(k / mu, lower / mu, upper / mu, count, METHOD, refusals=refusals, p=_mid_p(k, mu, d, tail))


def _bounds(k: Float, dispersion: Float, level: float) -> Bounds:
    """The means under which half the error lies above k, and below it."""
    tail = (1.0 - level) / 2.0
    lower, upper = (bound * dispersion for bound in poisson_exact(k / dispersion, level))
    # Close to both ends: mid-p intervals of Poisson counts are near those of a gamma with half a count more.
    counts = (k + 0.5) / dispersion
    near_lower, near_upper = special.gammaincinv(counts, tail), special.gammainccinv(counts, tail)
    some = k > 0
    lower[some] = _solved(_mid_survival, k[some], dispersion[some], tail, near_lower[some] * dispersion[some], lower[some])
    return lower, _solved(_mid_cdf, k, dispersion, tail, near_upper * dispersion, upper)


def _solved(chance: Chance, k: Float, dispersion: Float, tail: float, near: Float, instead: Float) -> Float:
    """The mean with this chance of k: by secants from near it, on scales on which the chance is almost a line of known slope."""
    root, slope = np.sqrt(near), np.where(chance is _mid_cdf, -2.0, 2.0) / np.sqrt(dispersion)
    last, was = root, np.full_like(root, np.nan)
    off = _score(chance(k, root**2, dispersion), tail)
    for _ in range(_SECANTS):
        # Each cell stops by itself, so that its bound does not depend on its company.
        moving = ~(np.abs(off) < _SOLVED)
        if not moving.any():
            break
        slope = np.where(np.isnan(was) | (off == was), slope, (off - was) / (root - last))
        following = np.where(moving, np.maximum(root - off / slope, root / 2.0), root)
        last, was, root = np.where(moving, root, last), np.where(moving, off, was), following
        off = np.where(moving, _score(chance(k, root**2, dispersion), tail), off)
    return np.where(np.abs(off) < _SOLVED, root**2, instead)


def _score(chance: Float, tail: float) -> Float:
    """By how many standard normal scores a chance is off the tail."""
    found: Float = special.ndtri(chance) - special.ndtri(tail)
    return found


def _mid_p(k: Float, mean: Float, dispersion: Float, tail: Tail) -> Float:
    """P(X < k) + P(X = k)/2 for `lower`, P(X > k) + P(X = k)/2 for `upper`, twice the smaller for `both`; at most 1."""
    if tail == "lower":
        return np.clip(_mid_cdf(k, mean, dispersion), 0.0, 1.0)
    if tail == "upper":
        return np.clip(_mid_survival(k, mean, dispersion), 0.0, 1.0)
    smaller = _mid_cdf(k, mean, dispersion)
    # The two add up to 1, so of each cell only the smaller one is worked out to the last digit.
    many = smaller > 0.5
    smaller[many] = _mid_survival(k[many], mean[many], dispersion[many])
    return np.clip(2.0 * smaller, 0.0, 1.0)


def _mid_cdf(k: Float, mean: Float, dispersion: Float) -> Float:
    return (_cdf(k - 1.0, mean, dispersion) + _cdf(k, mean, dispersion)) / 2.0


def _mid_survival(k: Float, mean: Float, dispersion: Float) -> Float:
    return (_survival(k, mean, dispersion) + _survival(k - 1.0, mean, dispersion)) / 2.0


def _size(mean: Float, dispersion: Float) -> tuple[Float, Float, Float]:
    wide = dispersion > 1.0 + 1e-9
    excess = np.where(wide, dispersion - 1.0, 1.0)
    return np.where(wide, 1.0, 0.0), mean / excess, excess


def _cdf(k: Float, mean: Float, dispersion: Float) -> Float:
    wide, size, excess = _size(mean, dispersion)
    count = np.maximum(k, 0.0)
    mixed = special.betainc(size, count + 1.0, 1.0 / (1.0 + excess))
    found = np.where(wide > 0, mixed, special.gammaincc(count + 1.0, mean))
    return np.where(k < 0, 0.0, np.nan_to_num(found, nan=1.0))


def _survival(k: Float, mean: Float, dispersion: Float) -> Float:
    wide, size, excess = _size(mean, dispersion)
    count = np.maximum(k, 0.0)
    mixed = special.betaincc(size, count + 1.0, 1.0 / (1.0 + excess))
    found = np.where(wide > 0, mixed, special.gammainc(count + 1.0, mean))
    return np.where(k < 0, 1.0, np.nan_to_num(found, nan=1.0))
