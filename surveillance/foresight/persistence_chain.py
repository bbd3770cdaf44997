"""When k of the last `of` conclusive looks have breached: exactly for independent looks, and on simulated paths for others."""

from __future__ import annotations

from itertools import product

import numpy as np

from surveillance.arrays import Bool, Float, Int

LONGEST_MEMORY = 8
"""Largest `of` whose chain is worked out state by state."""
_MOST_STEPS = 200_000
_SETTLED = 1e-9


def first_look(breach: float, met: float, k: int, of: int, power: float) -> float | None:
    """Looks until the rule holds with probability `power`, each look independently breached or met, else inconclusive.

    None where it never would.

    >>> first_look(1.0, 0.0, 2, 3, 0.8)
    2.0
    """
    chain, done = _chain(breach, met, k, of)
    state = np.zeros(len(chain))
    state[0] = 1.0
    hazard = -1.0
    for look in range(1, _MOST_STEPS):
        alive = state.sum()
        reached = float(state @ done)
        if 1.0 - (alive - reached) >= power:
            return float(look)
        now, state = reached / alive, state @ chain
        if look > of and abs(now - hazard) < _SETTLED * max(now, 1e-12):
            # From here on every look has the same chance.
            return None if now <= 1e-12 else look + float(np.log((1.0 - power) / state.sum()) / np.log1p(-now))
        hazard = now
    return None


def chance_within(breach: float, met: float, k: int, of: int, looks: int) -> float:
    """Probability that the rule holds at some of so many independent looks.

    >>> round(chance_within(0.5, 0.5, 1, 1, 3), 3)
    0.875
    """
    chain, _ = _chain(breach, met, k, of)
    return float(1.0 - np.linalg.matrix_power(chain, looks)[0].sum())


def _chain(breach: float, met: float, k: int, of: int) -> tuple[Float, Float]:
    """Moves between what the last of - 1 conclusive looks were, and the chance to reach k from each."""
    memories = list(product((0, 1), repeat=of - 1))
    place = {memory: at for at, memory in enumerate(memories)}
    chain, done = np.zeros((len(memories), len(memories))), np.zeros(len(memories))
    for memory, at in place.items():
        chain[at, at] += max(0.0, 1.0 - breach - met)
        chain[at, place[(*memory, 0)[1:]]] += met
        if sum(memory) + 1 >= k:
            done[at] += breach
        else:
            chain[at, place[(*memory, 1)[1:]]] += breach
    return chain, done


def first_hits(breached: Bool, met: Bool, k: int, of: int, apart: int = 1, *, enough: float = 1.0) -> Int:
    """First look (R,) of each path at which the rule holds, by columns of (R, T); T where it never does, or where it holds
    after it has held in `enough` of the paths.

    Looks that are not a multiple of `apart` from each other share events, and count once.
    """
    paths, looks = breached.shape
    memory = np.zeros((apart, paths, of), np.int8)
    filled = np.full(paths, looks, np.int64)
    held = 0
    for look in range(looks):
        last = memory[look % apart]
        said = breached[:, look] | met[:, look]
        last[said, :-1] = last[said, 1:]
        last[said, -1] = breached[said, look]
        hit = breached[:, look] & (last.sum(axis=1) >= k) & (filled == looks)
        filled[hit] = look
        held += int(hit.sum())
        if held >= enough * paths:
            break
    return filled
