"""The plain-text form of a story: what a fleet sends, how time passes, and what must be seen.

    load 1m site=north events 12x10 alerts 6x10   # 12 inferences a minute for 10 minutes, the first 6 of each minute alerts
    advance 15m                                   # what was loaded happens; without events, time passes all the same
    expect burden{site=north} breached; incident burden open at pause since 10m; trigger pause_rollout once

`load` begins at the present moment and moves nothing; loads beside each other happen together. Durations are 90s, 15m, 26h, 2d.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SERIES = re.compile(r"(\d+)x(\d+)")


@dataclass(frozen=True)
class Load:
    """`counts`: name of a series -> (how many each step, for how many steps)."""

    step_ms: int
    traits: Mapping[str, str]
    counts: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Advance:
    by_ms: int


@dataclass(frozen=True)
class Expect:
    clauses: tuple[str, ...]


Statement = Load | Advance | Expect


def statements(text: str) -> Iterator[tuple[int, Statement]]:
    """(line number, statement) of a story. Raises ValueError: a line that says nothing known."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if words:
            yield number, _statement(number, words)


def _statement(number: int, words: list[str]) -> Statement:
    match words:
        case ["load", step, *rest]:
            return _load(duration_ms(step), rest)
        case ["advance", by]:
            return Advance(duration_ms(by))
        case ["expect", *rest]:
            return Expect(tuple(clause.strip() for clause in " ".join(rest).split(";")))
    raise ValueError(f"line {number}: {' '.join(words)}")


def _load(step_ms: int, words: list[str]) -> Load:
    traits = dict(word.split("=", 1) for word in words if "=" in word)
    rest = [word for word in words if "=" not in word]
    counts = {}
    for name, series in zip(rest[::2], rest[1::2], strict=True):
        found = _SERIES.fullmatch(series)
        if found is None:
            raise ValueError(f"{name} {series}: expected for example 12x10")
        counts[name] = (int(found[1]), int(found[2]))
    return Load(step_ms, traits, counts)


def duration_ms(text: str) -> int:
    """Milliseconds of 90s, 15m, 26h or 2d."""
    return int(text[:-1]) * _UNITS_MS[text[-1]]
