"""Looks in order of time, each by the number of its kind: of kinds there are few, however many the looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.evaluation.verdict import Verdict
from surveillance.foresight.looks import Look


@dataclass(frozen=True, slots=True)
class Course:
    """`codes` (T,) number the `kinds`."""

    kinds: tuple[Look, ...]
    codes: Int

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Course:
        """The course of so many looks; those of equal verdicts are of one kind."""
        kinds: dict[tuple[Verdict, ...], int] = {}
        shown: list[Look] = []
        known: dict[int, int] = {}
        codes = np.empty(len(looks), np.int64)
        for at, look in enumerate(looks):
            code = known.get(id(look))
            if code is None:
                code = known[id(look)] = kinds.setdefault((look.verdict, *look.levels.values()), len(kinds))
                if code == len(shown):
                    shown.append(look)
            codes[at] = code
        return cls(tuple(shown), codes)

    def at(self, looks: slice | Int) -> Course:
        """The looks at some places."""
        return Course(self.kinds, self.codes[looks])

    def are(self, verdict: Verdict, level: str | None = None) -> Bool:
        """Which looks (T,) have the verdict: at a level, or as a whole."""
        each = (look.verdict if level is None else look.levels[level] for look in self.kinds)
        return np.array([one is verdict for one in each], np.bool_)[self.codes]
