"""The reference of a scope: what the manifest gives it of its own, else the overall one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float
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


def shares_of(manifest: Manifest, reference: Reference, counted: Distribution, bins: int, scope: Scope) -> tuple[Float, int]:
    """A scope's shares over the bins that are counted (those of the overall reference, `counted`), and the rows m behind them,
    0 where the manifest does not say."""
    level = own_level(scope)
    own = reference.distribution_of(*level) if level is not None else None
    chosen = own or counted
    probs = np.zeros(bins)
    if chosen.levels is None or counted.levels is None:
        probs[: len(chosen.probs)] = chosen.probs
    else:
        position = {name: at for at, name in enumerate(counted.levels)}
        for name, share in zip(chosen.levels, chosen.probs, strict=True):
            probs[position.get(name, position.get("other", bins - 1))] += share
    return probs / probs.sum(), chosen.n or manifest.baseline_n or 0
