"""The reference of a scope: what the manifest gives it of its own, else the overall one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.evidence import Scope
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_distribution import Distribution, Reference


class Moments(NamedTuple):
    """Mean and sd of a reference, None where the manifest states none, and its rows m, 0 where it does not say."""

    mean: float | None
    sd: float | None
    n: int


def moments_of(manifest: Manifest, reference: Reference | None, scope: Scope) -> Moments:
    """Mean and sd of a scope, each its own where it has one; its rows are its own, never those of the whole."""
    if reference is None:
        return Moments(None, None, 0)
    level = own_level(scope)
    own = reference.of(*level) if level is not None else None
    mean, sd = reference.mean, reference.sd
    if own is not None:
        mean = own.mean if own.mean is not None else mean
        sd = own.sd if own.sd is not None else sd
    return Moments(mean, sd, (own or reference).n or manifest.baseline_n or 0)


def shares_of(
    manifest: Manifest, reference: Reference, counted: Distribution, bins: int, scopes: Sequence[Scope]
) -> tuple[Float, Int]:
    """Shares of each scope over the bins that are counted, (scopes, bins), and the rows m behind them, (scopes,).

    Bins are those of the overall reference, `counted`; m is 0 where the manifest does not say.
    """
    shares = np.tile(_over_bins(counted, counted, bins), (len(scopes), 1))
    m = np.full(len(scopes), counted.n or manifest.baseline_n or 0, np.int64)
    for at, scope in enumerate(scopes):
        level = own_level(scope)
        own = reference.distribution_of(*level) if level is not None else None
        if own is not None:
            shares[at], m[at] = _over_bins(own, counted, bins), own.n or manifest.baseline_n or 0
    return shares, m


def _over_bins(chosen: Distribution, counted: Distribution, bins: int) -> Float:
    probs = np.zeros(bins)
    if chosen.levels is None or counted.levels is None:
        probs[: len(chosen.probs)] = chosen.probs
    else:
        position = {name: at for at, name in enumerate(counted.levels)}
        for name, share in zip(chosen.levels, chosen.probs, strict=True):
            probs[position.get(name, position.get("other", bins - 1))] += share
    found: Float = probs / probs.sum()
    return found
