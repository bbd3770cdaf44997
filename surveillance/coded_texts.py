"""Text that repeats: small codes and the texts they stand for. Kept as codes from the wire to the store and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from surveillance.arrays import Bool, Codes, Int


@dataclass(frozen=True, slots=True, eq=False)
class CodedTexts(Sequence[str]):
    """Row i holds `values[codes[i]]`; every code has a text, no text has two. Reads as the sequence of its texts."""

    codes: Codes
    values: tuple[str, ...]

    @staticmethod
    def of(texts: Iterable[str]) -> CodedTexts:
        """The coded form of texts."""
        places: dict[str, int] = {}
        codes = [places.setdefault(text, len(places)) for text in texts]
        return CodedTexts(np.array(codes, np.int32), tuple(places))

    @staticmethod
    def joined(parts: Sequence[CodedTexts]) -> CodedTexts:
        """All rows of the parts, in order; equal texts get one code."""
        places: dict[str, int] = {}
        codes = [np.zeros(0, np.int32)]
        for part in parts:
            code_of = np.array([places.setdefault(text, len(places)) for text in part.values], np.int32)
            codes.append(code_of[part.codes] if len(part.codes) else part.codes)
        return CodedTexts(np.concatenate(codes), tuple(places))

    def rows(self, at: Int | Codes | Bool) -> CodedTexts:
        """The rows at these places, as a copy; a negative place counts from the end."""
        return CodedTexts(self.codes[at], self.values)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> CodedTexts: ...
    def __getitem__(self, at: int | slice) -> str | CodedTexts:
        return CodedTexts(self.codes[at], self.values) if isinstance(at, slice) else self.values[self.codes[at]]
