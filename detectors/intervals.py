"""Intervals for one proportion and one Poisson mean: arrays of counts in, two arrays of bounds out.

Every function takes counts of one shape and gives `(lower, upper)` of that shape, finite and ordered whatever the counts.
Counts outside their range are moved to its nearest end; `n == 0` gives (0, 1): no data excludes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent

Bounds = tuple[Float, Float]

_LEAST, _MOST = 1e-9, 1e100
"""Counts may be fractional (a rate times its n); below and above these they are 0 and without end."""

_NEWTON_STEPS = 40
_NEWTON_TOLERANCE = 1e-13


def normal_quantile(level: float) -> float:
    """The two-sided standard normal quantile of a level.

    Raises:
        ValueError: the level is not strictly between 0 and 1.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    return float(-special.ndtri(_alpha(level) / 2))


def student_quantile(level: float, freedom: Float) -> Float:
    """The two-sided quantile of Student's t with these degrees of freedom, which need not be whole; any shape.

    Raises:
        ValueError: the level is not strictly between 0 and 1.

    >>> [round(float(one), 4) for one in student_quantile(0.95, np.array([9.0, 1e9]))]
    [2.2622, 1.96]
    """
    return as_float(-special.stdtrit(freedom, _alpha(level) / 2))


def _alpha(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError(f"interval level must lie between 0 and 1: {level}")
    return 1.0 - level


def _counts(k: ArrayLike, n: ArrayLike) -> tuple[Float, Float]:
    whole = _clean(as_float(n))
    return np.minimum(_clean(as_float(k)), whole), whole


def _clean(counts: Float) -> Float:
    return np.where(counts >= _LEAST, np.minimum(counts, _MOST), 0.0)


@silent
def wilson(k: ArrayLike, n: ArrayLike, level: float) -> Bounds:
    """Score interval of a proportion (Wilson 1927, JASA 22:209).

    >>> lower, upper = wilson([2, 0], [10, 0], 0.95)
    >>> [round(float(x), 4) for x in (*lower, *upper)]
    [0.0567, 0.0, 0.5098, 1.0]
    """
    z2 = normal_quantile(level) ** 2
    part, whole = _counts(k, n)
    share = part / np.maximum(whole, 1.0)
    half = np.sqrt(z2 * (share * (whole - part) + z2 / 4.0))
    lower = np.where(part == 0, 0.0, (part + z2 / 2.0 - half) / (whole + z2))
    upper = np.where(part == whole, 1.0, (part + z2 / 2.0 + half) / (whole + z2))
    return np.clip(lower, 0.0, share), np.clip(upper, share, 1.0)


@silent
def clopper_pearson(k: ArrayLike, n: ArrayLike, level: float) -> Bounds:
    """Exact interval of a proportion from beta quantiles (Clopper & Pearson 1934, Biometrika 26:404).

    Fractional counts are allowed: the quantiles are continuous in them.

    >>> lower, upper = clopper_pearson([2], [10], 0.95)
    >>> round(float(lower[0]), 4), round(float(upper[0]), 4)
    (0.0252, 0.5561)
    """
    tail = _alpha(level) / 2.0
    part, whole = _counts(k, n)
    rest = whole - part
    share = part / np.maximum(whole, 1e-300)
    lower = special.betaincinv(np.where(part > 0, part, 1.0), rest + 1.0, tail)
    upper = special.betainccinv(part + 1.0, np.where(rest > 0, rest, 1.0), tail)
    lower = np.where(part > 0, np.nan_to_num(lower, nan=0.0), 0.0)
    upper = np.where(rest > 0, np.nan_to_num(upper, nan=1.0), 1.0)
    return np.clip(lower, 0.0, share), np.clip(upper, share, 1.0)


@silent
def poisson_exact(k: ArrayLike, level: float) -> Bounds:
    """Exact interval of a Poisson mean from gamma quantiles (Garwood 1936, Biometrika 28:437).

    Beyond 1e12 events, where the quantiles lose their digits, the normal interval is the same to every digit shown.

    >>> lower, upper = poisson_exact([0, 10], 0.95)
    >>> [round(float(x), 3) for x in (*lower, *upper)]
    [0.0, 4.795, 3.689, 18.39]
    """
    tail = _alpha(level) / 2.0
    count = _clean(as_float(k))
    near = np.minimum(count, 1e12)
    lower = np.where(near > 0, special.gammaincinv(np.maximum(near, 1e-300), tail), 0.0)
    upper = special.gammainccinv(near + 1.0, tail)
    reach = normal_quantile(level) * np.sqrt(count)
    far = count > 1e12
    lower = np.where(far, count - reach, np.nan_to_num(lower))
    upper = np.where(far, count + reach, np.nan_to_num(upper))
    return np.clip(lower, 0.0, count), np.maximum(upper, count)


@silent
def beta_binomial_confidence_sequence(k: ArrayLike, n: ArrayLike, level: float) -> Bounds:
    """All p that the beta(1/2, 1/2)-binomial mixture martingale has not rejected at alpha = 1 - level.

    The set {p : B(k+1/2, n-k+1/2) / (B(1/2, 1/2) p^k (1-p)^(n-k)) < 1/alpha}; by Ville's inequality it holds the truth at
    all n at once with probability `level` (Robbins 1970, Ann. Math. Stat. 41:1397; Howard et al. 2021, Ann. Stat. 49:1055).
    In terms of the deviance it is k ln(s/p) + (n-k) ln((1-s)/(1-p)) <= ln(1/alpha) + regret with s = k/n, which is convex in
    ln p, so Newton's method from outside the root never leaves the right side.

    >>> lower, upper = beta_binomial_confidence_sequence([2], [10], 0.95)
    >>> round(float(lower[0]), 4), round(float(upper[0]), 4)
    (0.0094, 0.6575)
    """
    part, whole = _counts(k, n)
    reach = -np.log(_alpha(level)) + _mixture_regret(part, whole)
    share = part / np.maximum(whole, 1.0)
    rough_lower, rough_upper = _score_bounds(part, whole, 2.0 * reach)
    lower = _deviance_root(part, whole - part, reach, rough_lower)
    upper = 1.0 - _deviance_root(whole - part, part, reach, 1.0 - rough_upper)
    return np.clip(lower, 0.0, share), np.where(whole > 0, np.clip(upper, share, 1.0), 1.0)


def _mixture_regret(part: Float, whole: Float) -> Float:
    """Log of the best likelihood over the mixture's; by Stirling's series, so that nothing cancels for large counts."""
    size = np.maximum(whole, 1.0)
    remainder = _half_stirling(part) + _half_stirling(whole - part) - _stirling(size)
    regret = 0.5 * np.log(np.pi * size / 2.0) - remainder
    return np.where(whole > 0, np.maximum(regret, 0.0), 0.0)


def _half_stirling(x: Float) -> Float:
    """lnGamma(x + 1/2) - x ln x + x - ln(2 pi)/2."""
    small = np.minimum(x, 50.0)
    exact = special.gammaln(small + 0.5) - special.xlogy(small, small) + small - 0.5 * np.log(2.0 * np.pi)
    large = np.maximum(x, 50.0)
    return np.where(x <= 50.0, exact, -1.0 / (24.0 * large) + 7.0 / (2880.0 * large**3))


def _stirling(x: Float) -> Float:
    """lnGamma(x + 1) - x ln x + x - ln(2 pi x)/2 for x >= 1."""
    small = np.minimum(x, 50.0)
    exact = special.gammaln(small + 1.0) - special.xlogy(small, small) + small - 0.5 * np.log(2.0 * np.pi * small)
    large = np.maximum(x, 50.0)
    return np.where(x <= 50.0, exact, 1.0 / (12.0 * large) - 1.0 / (360.0 * large**3))


def _score_bounds(part: Float, whole: Float, z2: Float) -> Bounds:
    half = np.sqrt(z2 * (part * ((whole - part) / np.maximum(whole, 1.0)) + z2 / 4.0))
    size = np.maximum(whole + z2, 1e-300)
    return (part + z2 / 2.0 - half) / size, (part + z2 / 2.0 + half) / size


def _deviance_root(part: Float, rest: Float, reach: Float, start: Float) -> Float:
    """The p below part/(part+rest) whose deviance is `reach`; 0 where part is 0."""
    whole = np.maximum(part + rest, 1.0)
    k = np.where(part > 0, part, 1.0)
    share = k / np.maximum(whole, k)
    ceiling = np.log(share)
    log_rest = np.log(np.where(rest > 0, rest, 1.0) / whole)
    u = np.minimum(np.log(np.clip(start, 1e-300, 1.0)), ceiling - 1e-9)
    running = np.ones(u.shape, dtype=np.bool_)
    for _ in range(_NEWTON_STEPS):
        q = -np.expm1(u)
        excess = k * (ceiling - u) + rest * (log_rest - np.log(q)) - reach
        slope = -k + rest * np.exp(u) / q
        following = np.minimum(u - excess / np.where(slope < 0, slope, -k), ceiling - 1e-15)
        moved = np.abs(following - u) > _NEWTON_TOLERANCE * (1.0 + np.abs(u))
        u = np.where(running, following, u)
        running &= moved
        if not running.any():
            break
    return np.where(part > 0, np.exp(np.nan_to_num(u, nan=-np.inf, neginf=-np.inf)), 0.0)
