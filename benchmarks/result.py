"""What a benchmark gives: contenders measured in interleaved rounds, claims on their medians, and the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """`scale` multiplies the number of rows or events of every benchmark; 1 is what `results/` holds."""

    scale: float = 1.0
    rounds: int = 5

    def scaled(self, count: int, least: int) -> int:
        """So many rows at this scale."""
        return max(least, round(count * self.scale))


@dataclass(frozen=True, slots=True)
class Contender:
    """One value per round, in order. `note` says what was run, or why nothing was."""

    unit: str
    values: Sequence[float]
    note: str = ""

    @property
    def median(self) -> float | None:
        """None where the contender is missing."""
        return median(self.values) if self.values else None


@dataclass(frozen=True, slots=True)
class Claim:
    """A value against its target: `at_least` or at most. `value` is None where a contender is missing."""

    text: str
    value: float | None
    target: float
    at_least: bool = True

    @property
    def reached(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that a run says about one id. `remark` says what stands between the figure and its target."""

    id: str
    what: str
    scale: float
    contenders: Mapping[str, Contender]
    claims: Sequence[Claim]
    remark: str = ""
    machine: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it stands in `results/`."""
        return {
            "id": self.id,
            "what": self.what,
            "scale": self.scale,
            "contenders": {
                name: {
                    "unit": one.unit,
                    "median": _rounded(one.median),
                    "rounds": [_rounded(value) for value in one.values],
                    "note": one.note,
                }
                for name, one in self.contenders.items()
            },
            "claims": [
                {
                    "text": one.text,
                    "value": _rounded(one.value),
                    "at_least" if one.at_least else "at_most": one.target,
                    "reached": one.reached,
                }
                for one in self.claims
            ],
            "remark": self.remark,
            "machine": dict(self.machine),
        }


def ratio(of: Contender, to: Contender) -> float | None:
    """Median of the first over that of the second."""
    return of.median / to.median if of.median is not None and to.median else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
