"""Gap of a proportion in a subgroup: to all cases, of which the subgroup is a part, or to the subgroup's own baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.binomial_test import binomial_p
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds, beta_binomial_confidence_sequence, clopper_pearson, wilson
from detectors.outcomes import Refusal, impossible_share, outcomes
from detectors.proportion import Method

_NAMES: dict[Method, str] = {
    "wilson": "newcombe",
    "clopper_pearson": "newcombe_clopper_pearson",
    "confidence_sequence": "confidence_sequence_difference",
}


@silent
def gap_to_overall(
    k: ArrayLike, n: ArrayLike, k_all: ArrayLike, n_all: ArrayLike, *, method: Method = "wilson", level: float = 0.95
) -> list[Outcome]:
    """Share k/n of a subgroup less the share k_all/n_all of all cases, the subgroup's included; all (C,), in [-1, 1].

    The two are not independent, but the gap is (1 - n/n_all) times the difference of the subgroup to the rest, and those are.
    Interval of the difference: hybrid of the intervals of both shares (Newcombe 1998, Stat. Med. 17:873, method 10); with
    `confidence_sequence`, which must hold at all times, the difference of both sequences, each at half the error. `p` is
    two-sided, of the score test of equal shares; `n` counts the subgroup.

    `no_exposure` where the subgroup is empty, `unknown_reference` where there is no case beside it, `degenerate_outcomes`
    where the counts are no shares or the subgroup is no part of all.

    >>> found = gap_to_overall([70], [100], [870], [1000])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), round(found.p, 9)
    (-0.17, -0.258, -0.094, 9.9e-08)
    """
    part, whole, every, total = as_float(k), as_float(n), as_float(k_all), as_float(n_all)
    rest, rest_n = every - part, total - whole
    factor = np.clip(rest_n / np.where(total > 0, total, 1.0), 0.0, 1.0)
    difference = _share(part, whole) - _share(rest, rest_n)
    lower, upper = _difference_bounds((part, whole), (rest, rest_n), method, level)
    refusals = [
        (impossible_share(part, whole) | impossible_share(rest, rest_n), Reason.DEGENERATE_OUTCOMES),
        (whole == 0, Reason.NO_EXPOSURE),
        (rest_n == 0, Reason.UNKNOWN_REFERENCE),
    ]
    p = _score_p((part, whole), (rest, rest_n))
    return outcomes(factor * difference, factor * lower, factor * upper, whole, _NAMES[method], refusals=refusals, p=p)


@silent
def gap_to_baseline(
    k: ArrayLike, n: ArrayLike, share: ArrayLike, share_n: ArrayLike, *, method: Method = "wilson", level: float = 0.95
) -> list[Outcome]:
    """Share k/n of a subgroup less its baseline `share`, measured on `share_n` cases; all (C,), in [-1, 1].

    Where `share_n` is NaN the baseline is taken as exact: the interval is that of k/n moved by it, and `p` is the two-sided
    mid-p of the binomial. Else interval and `p` are those of two independent shares, as in `gap_to_overall`.

    `no_exposure` where the subgroup is empty, `unknown_reference` where the share is NaN or rests on no case,
    `degenerate_outcomes` where counts or baseline are no shares.

    >>> found = gap_to_baseline([70, 70], [100, 100], [0.85, 0.85], [640, np.nan])
    >>> [(round(one.value, 3), round(one.lower, 3), round(one.upper, 3)) for one in found]
    [(-0.15, -0.249, -0.064), (-0.15, -0.246, -0.069)]
    """
    part, whole, base, base_n = as_float(k), as_float(n), as_float(share), as_float(share_n)
    exact = np.isnan(base_n)
    other = (base * np.where(exact, 1.0, base_n), np.where(exact, 1.0, base_n))
    lower, upper = _difference_bounds((part, whole), other, method, level)
    alone = _bounds_of(part, whole, method, level)
    lower, upper = np.where(exact, alone[0] - base, lower), np.where(exact, alone[1] - base, upper)
    unknown = np.isnan(base) | (base_n == 0)
    refusals: list[Refusal] = [
        (unknown, Reason.UNKNOWN_REFERENCE),
        (impossible_share(part, whole) | impossible_share(*other), Reason.DEGENERATE_OUTCOMES),
        (whole == 0, Reason.NO_EXPOSURE),
    ]
    p = np.where(exact, binomial_p(part, whole, base), _score_p((part, whole), other))
    return outcomes(_share(part, whole) - base, lower, upper, whole, _NAMES[method], refusals=refusals, p=p)


def _share(k: Float, n: Float) -> Float:
    found: Float = k / np.where(n > 0, n, 1.0)
    return found


def _bounds_of(k: Float, n: Float, method: Method, level: float) -> Bounds:
    interval = {
        "wilson": wilson,
        "clopper_pearson": clopper_pearson,
        "confidence_sequence": beta_binomial_confidence_sequence,
    }[method]
    return interval(k, n, level)


def _difference_bounds(one: tuple[Float, Float], other: tuple[Float, Float], method: Method, level: float) -> Bounds:
    """Bounds of the difference of two independent shares, counts as (k, n)."""
    if method == "confidence_sequence":
        half_error = (1.0 + level) / 2.0
        low, high = _bounds_of(*one, method, half_error)
        other_low, other_high = _bounds_of(*other, method, half_error)
        return low - other_high, high - other_low
    low, high = _bounds_of(*one, method, level)
    other_low, other_high = _bounds_of(*other, method, level)
    first, second = _share(*one), _share(*other)
    difference = first - second
    down, up = np.hypot(first - low, other_high - second), np.hypot(high - first, second - other_low)
    return np.maximum(difference - down, -1.0), np.minimum(difference + up, 1.0)


def _score_p(one: tuple[Float, Float], other: tuple[Float, Float]) -> Float:
    """Two-sided p of equal shares from the pooled share; 1 where all cases agree, NaN where a side has no case."""
    (k, n), (k0, n0) = one, other
    pooled = (k + k0) / (n + n0)
    variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / n0)
    z = np.where(variance > 0, (_share(k, n) - _share(k0, n0)) / np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0)
    p = np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)
    return np.where((n > 0) & (n0 > 0) & ~np.isnan(variance), p, np.nan)
