"""Which stratum a change of distribution comes from: the part of the change that happened inside each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.poisson_error import poisson_error

METHOD = "kitagawa_stratum_share"


@silent
def explained_share(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """For each of S strata the share of the change from `before` to `after`, counts of shape (S, B), that happened inside it.

    That is the stratum's term mean(w) dq of Kitagawa's decomposition (1955, JASA 50:1168; mix_decomposition.py), projected on
    the whole change as there. A stratum that was not there before is compared with the whole of before, with the weight it has
    after. 1 = the change is all in this stratum. A stratum in which everything changed as elsewhere has its share of the rows,
    so what counts is a share above that. Bounds are Wald's, the counts taken as Poisson; n = rows of the stratum after.

    `no_exposure` where a side or the stratum is empty; `degenerate_outcomes` where a count is negative or no number, or where
    the change is no larger than the chi-square distance sampling alone gives, (B - 1)(1/n + 1/m) (Pearson 1900, Phil. Mag.
    50:157).

    >>> found = explained_share([[500, 500], [500, 500]], [[500, 500], [100, 900]])
    >>> [round(one.value, 2) for one in found]
    [0.0, 1.0]
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
    def share(flat: Float) -> Float:
        sides = flat.reshape(*flat.shape[:-1], *shape)
        old, new = sides[..., 0, :, :], sides[..., 1, :, :]
        before, after = old.sum(axis=-2), new.sum(axis=-2)
        change, weight, is_real = _change(before, after)
        known = old[..., at, :].sum(axis=-1, keepdims=True) > 0
        w_new = new[..., at, :].sum(axis=-1, keepdims=True) / after.sum(axis=-1, keepdims=True)
        w_old = np.where(known, old[..., at, :].sum(axis=-1, keepdims=True) / before.sum(axis=-1, keepdims=True), w_new)
        q_old = _normalised(np.where(known, old[..., at, :], before))
        inside = (w_old + w_new) / 2 * (_normalised(new[..., at, :]) - q_old)
        found: Float = np.where(is_real, (inside * change * weight).sum(axis=-1) / (change**2 * weight).sum(axis=-1), np.nan)
        return found

    if not n:
        return Insufficient(Reason.NO_EXPOSURE)
    value = float(share(counts))
    error = reach * poisson_error(share, counts)
    if not np.isfinite(value) or not np.isfinite(error):
        return Insufficient(Reason.DEGENERATE_OUTCOMES, n)
    return Estimate(value, value - error, value + error, n, METHOD)


def _change(before: Float, after: Float) -> tuple[Float, Float, Bool]:
    """Change of each bin's share, weight of each bin, both (..., B), and whether the change is beyond sampling, (...)."""
    n, m = before.sum(axis=-1), after.sum(axis=-1)
    pooled = before + after
    weight = np.where(pooled > 0, pooled.sum(axis=-1, keepdims=True) / np.where(pooled > 0, pooled, 1.0), 0.0)
    change = after / m[..., None] - before / n[..., None]
    sampling = ((pooled > 0).sum(axis=-1) - 1) * (1 / n + 1 / m)
    return change, weight, (change**2 * weight).sum(axis=-1) > sampling


def _normalised(counts: Float) -> Float:
    shares: Float = counts / counts.sum(axis=-1, keepdims=True)
    return shares
