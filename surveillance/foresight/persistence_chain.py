"""When k of the last `of` conclusive looks have breached: exactly for independent looks and for looks at a chain of states, on
simulated paths for others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Protocol, TypeVar

import numpy as np

from surveillance.arrays import Bool, Float, Int
from surveillance.manifest.manifest import Persistence

LONGEST_MEMORY = 8
"""Largest `of` whose chain is worked out state by state."""
_MOST_STEPS = 200_000
_SETTLED = 1e-9
Key = TypeVar("Key")


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


class LookedAt(Protocol):
    """States that a look finds, and how likely each is; an array of probabilities that add up to 1 is what is known of them."""

    def start(self) -> Float:
        """Before the first look."""

    def look(self, state: Float, number: int) -> tuple[Float, Float]:
        """After a look, before which there were `number` others: the states in which it does not breach, and those in which it
        does."""


def opened_by(chain: LookedAt, k: int, of: int) -> Iterator[float]:
    """Probability that the rule has held by the first look, the second, and so on without an end."""
    of = of if k > 1 else 1
    states = {(False,) * (of - 1): chain.start()}
    opened, number = 0.0, 0
    while True:
        after: dict[tuple[bool, ...], Float] = {}
        for memory, state in states.items():
            quiet, breached = chain.look(state, number)
            _put(after, (*memory, False)[1:], quiet)
            if sum(memory) + 1 < k:
                _put(after, (*memory, True)[1:], breached)
            else:
                opened += float(breached.sum())
        states, number = after, number + 1
        yield min(opened, 1.0)


def openings(chain: LookedAt, rule: Persistence, looks: int) -> float:
    """Mean number of incidents opened in so many looks; one that is open stays so until `clear_after` looks in a row are met.

    Cooldown is left out: it is shorter than the time between the looks of a chain.
    """
    of, closed = rule.of if rule.k > 1 else 1, -1
    states = {((False,) * (of - 1), closed): chain.start()}
    opened = 0.0
    for number in range(looks):
        after: dict[tuple[tuple[bool, ...], int], Float] = {}
        for (memory, met), state in states.items():
            quiet, breached = chain.look(state, number)
            still = closed if met in (closed, rule.clear_after - 1) else met + 1
            _put(after, ((*memory, False)[1:], still), quiet)
            holds = sum(memory) + 1 >= rule.k
            opened += float(breached.sum()) if holds and met == closed else 0.0
            _put(after, ((*memory, True)[1:], 0 if holds or met != closed else closed), breached)
        states = after
    return opened


def _put(states: dict[Key, Float], memory: Key, state: Float) -> None:
    known = states.get(memory)
    states[memory] = state if known is None else known + state


def first_hits(breached: Bool, met: Bool, k: int, of: int, apart: int = 1) -> Int:
    """First look (R,) of each path at which the rule holds, by columns of (R, T); T where it never does.

    Looks less than `apart` from each other share events: from a look back, the next that counts is the newest conclusive one
    which does not overlap it, as `History.newest_first` has it.
    """
    paths, looks = breached.shape
    place = np.broadcast_to(np.arange(looks), (paths, looks))
    newest = np.maximum.accumulate(np.where(breached | met, place, -1), axis=1)
    at, count = place, breached.astype(np.int64)
    for _ in range(of - 1):
        at = np.take_along_axis(newest, np.maximum(at - apart, 0), axis=1) * (at >= apart) - (at < apart)
        if at.max() < 0:
            break
        count += (at >= 0) & np.take_along_axis(breached, np.maximum(at, 0), axis=1)
    holds = breached & (count >= k)
    first: Int = np.where(holds.any(axis=1), holds.argmax(axis=1), looks)
    return first
