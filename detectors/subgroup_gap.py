"""Gap of a proportion in a subgroup: to all cases, of which the subgroup is a part, or to the subgroup's own baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.binomial_test import binomial_p
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds
from detectors.outcomes import Refusal, impossible_share, outcomes
from detectors.proportion import Method, share_bounds
from detectors.share_difference import DIFFERENCE_METHODS, difference_bounds, score_p, share_of


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
    difference = share_of(part, whole) - share_of(rest, rest_n)
    lower, upper = difference_bounds((part, whole), (rest, rest_n), method, level)
    refusals = [
        (impossible_share(part, whole) | impossible_share(rest, rest_n), Reason.DEGENERATE_OUTCOMES),
        (whole == 0, Reason.NO_EXPOSURE),
        (rest_n == 0, Reason.UNKNOWN_REFERENCE),
    ]
    p = score_p((part, whole), (rest, rest_n))
    return outcomes(
        factor * difference, factor * lower, factor * upper, whole, DIFFERENCE_METHODS[method], refusals=refusals, p=p
    )


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
    other = _baseline_counts(base, base_n)
    lower, upper = bounds_to_baseline(part, whole, base, base_n, method, level)
    unknown = np.isnan(base) | (base_n == 0)
    refusals: list[Refusal] = [
        (unknown, Reason.UNKNOWN_REFERENCE),
        (impossible_share(part, whole) | impossible_share(*other), Reason.DEGENERATE_OUTCOMES),
        (whole == 0, Reason.NO_EXPOSURE),
    ]
    p = p_of_baseline(part, whole, base, base_n)
    return outcomes(share_of(part, whole) - base, lower, upper, whole, DIFFERENCE_METHODS[method], refusals=refusals, p=p)


def bounds_to_baseline(k: Float, n: Float, share: Float, share_n: Float, method: Method, level: float) -> Bounds:
    """Bounds of `gap_to_baseline`; counts may be fractional."""
    exact = np.isnan(share_n)
    lower, upper = difference_bounds((k, n), _baseline_counts(share, share_n), method, level)
    alone = share_bounds(k, n, method, level)
    return np.where(exact, alone[0] - share, lower), np.where(exact, alone[1] - share, upper)


def p_of_baseline(k: Float, n: Float, share: Float, share_n: Float) -> Float:
    """The `p` of `gap_to_baseline`; counts may be fractional."""
    measured = score_p((k, n), _baseline_counts(share, share_n))
    return np.where(np.isnan(share_n), binomial_p(k, n, share), measured)


def _baseline_counts(share: Float, share_n: Float) -> tuple[Float, Float]:
    """Cases behind a baseline, one where it is taken as exact."""
    cases = np.where(np.isnan(share_n), 1.0, share_n)
    return share * cases, cases
