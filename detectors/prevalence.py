"""Share of positives among labelled cases, against a reference share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Estimate, Outcome
from detectors.intervals import normal_quantile
from detectors.proportion import Method, proportion
from detectors.subgroup_gap import gap_to_baseline


@silent
def prevalence(
    k: ArrayLike,
    n: ArrayLike,
    *,
    reference: ArrayLike = np.nan,
    reference_n: ArrayLike = np.nan,
    method: Method = "wilson",
    level: float = 0.95,
) -> list[Outcome]:
    """The share of k positives in n labelled cases, both (C,), with the interval that `proportion` gives.

    `p` is two-sided, of a share like the `reference` (C,), which was measured on `reference_n` cases: of the score test of two
    shares (pooled, as their chi2: Pearson 1900, Phil. Mag. 50:157), or the binomial mid-p (Lancaster 1961, JASA 56:223) where
    `reference_n` is NaN and the reference taken as exact. None where the reference is NaN.

    `no_exposure` where n is 0, `degenerate_outcomes` where k is not between 0 and n.

    >>> found = prevalence([90], [1000], reference=[0.061], reference_n=[55_000])[0]
    >>> round(found.value, 3), round(found.lower, 4), round(found.upper, 4), round(found.p, 6)
    (0.09, 0.0738, 0.1093, 0.000155)
    """
    rows = np.atleast_1d(as_float(n))
    share, share_n = (np.broadcast_to(as_float(given), rows.shape) for given in (reference, reference_n))
    found = proportion(np.atleast_1d(as_float(k)), rows, method=method, level=level)
    gaps = gap_to_baseline(np.atleast_1d(as_float(k)), rows, share, share_n)
    return [_with_p(one, gap) if isinstance(one, Estimate) else one for one, gap in zip(found, gaps, strict=True)]


def _with_p(share: Estimate, gap: Outcome) -> Estimate:
    p = gap.p if isinstance(gap, Estimate) else None
    return Estimate(share.value, share.lower, share.upper, share.n, share.method, p=p)


@silent
def n_of_interval(share: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Float:
    """How many cases a share with a 95 % interval rests on, by the normal interval's width; NaN where it has no width.

    >>> n_of_interval([0.061], [0.059], [0.063]).round().tolist()
    [55009.0]
    """
    value, width = as_float(share), as_float(upper) - as_float(lower)
    n = value * (1.0 - value) * (2.0 * normal_quantile(0.95) / np.where(width > 0, width, np.nan)) ** 2
    return np.where(n > 0, n, np.nan)
