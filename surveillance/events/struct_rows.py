"""Decoded events of JSON records as rows: the envelope of all, each kind for itself, coordinates and payloads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter

import numpy as np

from surveillance.arrays import Hashes, Int, Small
from surveillance.events.batch import Kind
from surveillance.events.checks import envelope_faults, kind_faults
from surveillance.events.forbidden import Forbidden
from surveillance.events.hashing import device_seeds
from surveillance.events.json_rows import JsonRows
from surveillance.events.kinds import KIND_OF, Event
from surveillance.events.limits import DecodeLimits
from surveillance.events.payloads import Lines
from surveillance.events.reasons import Fault
from surveillance.events.single import ENCODER
from surveillance.events.struct_columns import StructColumns


@dataclass(frozen=True)
class StructRows:
    """`places`, shape (n, 2): number of the record in the fetch, index in the record; ascending. `payloads` of each row."""

    events: Sequence[Event]
    places: Int
    payloads: Sequence[bytes]

    @classmethod
    def of(cls, read: JsonRows) -> StructRows:
        """All that was read so far."""
        places = np.concatenate(read.places) if read.places else np.zeros((0, 2), dtype=np.int64)
        return cls(read.events, places, Lines(lambda: read.lines, len(read.events)))

    @cached_property
    def kind(self) -> Small:
        return np.fromiter(map(KIND_OF.__getitem__, map(type, self.events)), dtype=np.uint8, count=len(self.events))

    @cached_property
    def envelope(self) -> StructColumns:
        return StructColumns(self.events, np.arange(len(self.events)), lambda: self._seeds)

    @cached_property
    def kinds(self) -> Mapping[Kind, StructColumns]:
        return {kind: self._of(kind) for kind in Kind}

    def faults(self, limits: DecodeLimits, forbidden: Forbidden) -> dict[int, Fault]:
        """By row; those of the envelope come first."""
        found = envelope_faults(self.envelope, limits, forbidden)
        for kind, columns in self.kinds.items():
            if len(columns.rows):
                for place, fault in kind_faults(kind, columns, limits, forbidden).items():
                    found.setdefault(int(columns.rows[place]), fault)
        return found

    def without(self, rows: Collection[int]) -> StructRows:
        """The same without some rows."""
        kept = np.setdiff1d(np.arange(len(self.events)), list(rows))
        events = _taken(self.events, kept)
        return StructRows(events, self.places[kept], Lines(lambda: [ENCODER.encode_lines(events)], len(events)))

    def _of(self, kind: Kind) -> StructColumns:
        rows = np.flatnonzero(self.kind == kind)
        if len(rows) == len(self.events):
            return self.envelope
        return StructColumns(_taken(self.events, rows), rows, lambda: self._seeds[rows])

    @cached_property
    def _seeds(self) -> Hashes:
        return device_seeds(self.envelope.text("tenant"), self.envelope.text("device_id"))


def _taken(events: Sequence[Event], rows: Int) -> Sequence[Event]:
    if len(rows) < 2:
        return [events[row] for row in rows.tolist()]
    taken: tuple[Event, ...] = itemgetter(*rows.tolist())(events)
    return taken
