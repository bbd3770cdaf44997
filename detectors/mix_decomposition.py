"""How much of the change of a distribution comes from another mix of strata, and how much from a change inside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.poisson_error import poisson_error

METHOD = "kitagawa_mix_share"

_ROUNDING = 1e-20
"""Squared changes of this size are what floating point leaves of shares that are equal."""


@silent
def mix_share(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> Outcome:
    """Share of the change from `before` to `after`, counts of shape (S strata, B bins), that the mix of strata explains.

    With w the shares of the strata and q the bin shares inside them, the change of each bin is exactly
    sum_s dw mean(q) + sum_s mean(w) dq (Kitagawa 1955, JASA 50:1168): the first sum is the mix, the second what changed
    within strata. Both are projected on the whole change, each bin weighted by the inverse of its pooled share as in
    chi-square, so that the two shares add up to 1; either may be negative where they work against each other. A stratum
    that only one side has moves by its mix alone. The bounds are Wald's, the counts taken as Poisson.

    `no_exposure` where a side is empty, `degenerate_outcomes` where a count is negative or no number, or nothing changed.

    >>> found = mix_share([[80, 20], [20, 80]], [[160, 40], [5, 20]])
    >>> round(found.value, 3)
    1.0
    """
    old, new = np.atleast_2d(as_float(before)), np.atleast_2d(as_float(after))
    usable = old.shape == new.shape and bool(np.isfinite(old).all() and np.isfinite(new).all())
    if not usable or (old < 0).any() or (new < 0).any():
        return Insufficient(Reason.DEGENERATE_OUTCOMES)
    n = int(min(old.sum() + new.sum(), 2.0**62))
    if not old.sum() or not new.sum():
        return Insufficient(Reason.NO_EXPOSURE, n)
    shape = (2, *old.shape)

    def share(counts: Float) -> Float:
        sides = counts.reshape(*counts.shape[:-1], *shape)
        mix, whole, weight = _parts(sides[..., 0, :, :], sides[..., 1, :, :])
        size = (whole * whole * weight).sum(axis=-1)
        found: Float = np.where(size > _ROUNDING, (mix * whole * weight).sum(axis=-1) / size, np.nan)
        return found

    counts = np.concatenate([old.ravel(), new.ravel()])
    value = float(share(counts))
    reach = normal_quantile(level) * poisson_error(share, counts)
    if not np.isfinite(value) or not np.isfinite(reach):
        return Insufficient(Reason.DEGENERATE_OUTCOMES, n)
    return Estimate(value, value - reach, value + reach, n, METHOD)


def _parts(old: Float, new: Float) -> tuple[Float, Float, Float]:
    """Change by mix and whole change of each bin, and the weight of each bin; all (..., B)."""
    w_old, q_old = _shares(old)
    w_new, q_new = _shares(new)
    only_new, only_old = (w_old == 0)[..., None], (w_new == 0)[..., None]
    q_old, q_new = np.where(only_new, q_new, q_old), np.where(only_old, q_old, q_new)
    mix = ((w_new - w_old)[..., None] * (q_old + q_new) / 2).sum(axis=-2)
    within = ((w_new + w_old)[..., None] / 2 * (q_new - q_old)).sum(axis=-2)
    pooled = (old + new).sum(axis=-2)
    return mix, mix + within, np.where(pooled > 0, pooled.sum(axis=-1, keepdims=True) / np.where(pooled > 0, pooled, 1.0), 0.0)


def _shares(counts: Float) -> tuple[Float, Float]:
    """Share of each stratum (..., S), and bin shares inside each (..., S, B); zeros in a stratum without counts."""
    size = counts.sum(axis=-1)
    return size / size.sum(axis=-1, keepdims=True), counts / np.where(size > 0, size, 1.0)[..., None]
