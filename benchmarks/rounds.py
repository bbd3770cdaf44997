"""Rounds: every contender once, then every contender again, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import process_time


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Values of each contender, one per round; the order turns by one each round."""
    names = list(contenders)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            gc.collect()
            values[name].append(contenders[name]())
    return values


def cpu_seconds(call: Callable[[], object]) -> float:
    """Processor time of one call, all threads together: others who use the machine do not count."""
    started_s = process_time()
    call()
    return process_time() - started_s


def rate(count: int, call: Callable[[], object]) -> Callable[[], float]:
    """A contender: `count` per second of processor time of one call."""
    return lambda: count / cpu_seconds(call)
