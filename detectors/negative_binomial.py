"""A count against what was expected of it, where counts vary more than Poisson: arrivals of labels, volume of use."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import poisson_exact
from detectors.outcomes import outcomes

METHOD = "negative_binomial_midp"
Tail = Literal["both", "upper", "lower"]


@silent
def count_ratio(
    observed: ArrayLike, expected: ArrayLike, *, dispersion: ArrayLike = 1.0, tail: Tail = "both", level: float = 0.95
) -> list[Outcome]:
    """Observed over expected counts, both (C,), with `p` from the negative binomial whose variance is dispersion x mean.

    `p` is the mid-p (Lancaster 1961, JASA 56:223) of the tail of too many (`upper`) or too few (`lower`); `both` doubles the
    smaller one. A dispersion of 1 or less is Poisson. The interval is the exact Poisson interval of observed / dispersion,
    scaled back: the same variance by quasi-likelihood (McCullagh & Nelder 1989, sec. 9.2). `n` is the number observed.

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
    lower, upper = poisson_exact(k / d, level)
    refusals = [(mean == 0, Reason.NO_EXPOSURE), (~usable, Reason.DEGENERATE_OUTCOMES)]
    return outcomes(k / mu, lower * d / mu, upper * d / mu, count, METHOD, refusals=refusals, p=_mid_p(k, mu, d, tail))


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
