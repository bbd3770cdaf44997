"""Which stratum a change of distribution comes from: what is left of the change without it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.poisson_error import poisson_error

METHOD = "left_out_share"


@silent
def explained_share(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """For each of S strata the share of the change from `before` to `after` (counts, shape (S, B)) that goes without it.

    The change is the chi-square distance sum d^2 / r of the bin shares (r pooled), less what sampling alone gives,
    (B - 1)(1/n + 1/m) (Pearson 1900, Phil. Mag. 50:157), so that a stratum too small to matter explains nothing. A stratum
    is left out on both sides. 1 = without it nothing changed; shares of strata need not add up to 1. Bounds are Wald's, the
    counts taken as Poisson; n = rows of the stratum after.

    A stratum that is all there is after and was not there before explains everything: the change came with it.

    Every stratum is `no_exposure` where a side is empty, or where without it nothing is left to compare;
    `degenerate_outcomes` where a count is negative or no number, or where the change is no larger than sampling gives.

    >>> found = explained_share([[500, 500], [500, 500]], [[500, 500], [100, 900]])
    >>> [round(one.value, 2) for one in found]
    [-3.59, 1.0]
    """
    old, new = np.atleast_2d(as_float(before)), np.atleast_2d(as_float(after))
    strata = len(old)
    usable = old.shape == new.shape and bool(np.isfinite(old).all() and np.isfinite(new).all())
    if not usable or (old < 0).any() or (new < 0).any():
        return [Insufficient(Reason.DEGENERATE_OUTCOMES)] * strata
    sizes = [int(min(size, 2.0**62)) for size in new.sum(axis=1).tolist()]
    if not old.sum() or not new.sum():
        return [Insufficient(Reason.NO_EXPOSURE, n) for n in sizes]
    counts = np.concatenate([old.ravel(), new.ravel()])
    reach = normal_quantile(level)
    return [_of_stratum(counts, (2, *old.shape), at, n, reach) for at, n in enumerate(sizes)]


def _of_stratum(counts: Float, shape: tuple[int, ...], at: int, n: int, reach: float) -> Outcome:
    kept = np.arange(shape[1]) != at

    def share(flat: Float) -> Float:
        sides = flat.reshape(*flat.shape[:-1], *shape)
        whole = _distance(sides.sum(axis=-2))
        rest = _distance(sides[..., kept, :].sum(axis=-2))
        found: Float = np.where(whole > 0, 1.0 - np.maximum(rest, 0.0) / np.where(whole > 0, whole, 1.0), np.nan)
        return found

    sides = counts.reshape(shape)
    if not sides[1, kept].sum() and not sides[0, at].sum():
        return Estimate(1.0, 1.0, 1.0, n, METHOD)
    if not sides[0, kept].sum() or not sides[1, kept].sum():
        return Insufficient(Reason.NO_EXPOSURE, n)
    value = float(share(counts))
    error = reach * poisson_error(share, counts)
    if not np.isfinite(value) or not np.isfinite(error):
        return Insufficient(Reason.DEGENERATE_OUTCOMES, n)
    return Estimate(value, value - error, value + error, n, METHOD)


def _distance(sides: Float) -> Float:
    """Chi-square distance of the two sides beyond sampling; `sides` has shape (..., 2, B)."""
    n, m = sides[..., 0, :].sum(axis=-1), sides[..., 1, :].sum(axis=-1)
    pooled = sides.sum(axis=-2)
    r = pooled / pooled.sum(axis=-1, keepdims=True)
    change = sides[..., 1, :] / m[..., None] - sides[..., 0, :] / n[..., None]
    seen = (pooled > 0).sum(axis=-1)
    raw = np.where(pooled > 0, change**2 / np.where(pooled > 0, r, 1.0), 0.0).sum(axis=-1)
    found: Float = raw - (seen - 1) * (1 / n + 1 / m)
    return found
