"""Events of Arrow batches that are sound, as rows; their payloads and structs are made only when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
import pyarrow as pa

from surveillance.arrays import Hashes, Int, Small
from surveillance.events.arrow_columns import ArrowColumns
from surveillance.events.arrow_leaves import Sound
from surveillance.events.batch import Columns, Kind
from surveillance.events.column_rows import row_objects
from surveillance.events.hashing import device_seeds
from surveillance.events.kinds import AnyEvent, Event
from surveillance.events.payloads import Lines
from surveillance.events.single import ENCODER
from surveillance.events.struct_columns import StructColumns


@dataclass(frozen=True)
class ArrowRows:
    """Rows of one kind; `places` as in `StructRows`."""

    batch: pa.RecordBatch
    sound: Sound
    places: Int

    @cached_property
    def kind(self) -> Small:
        return np.full(len(self.places), self.sound.kind, dtype=np.uint8)

    @cached_property
    def envelope(self) -> Columns:
        return ArrowColumns(self.sound, lambda: self._seeds, lambda: self._structs)

    @cached_property
    def kinds(self) -> Mapping[Kind, Columns]:
        nothing = StructColumns([], np.zeros(0, dtype=np.int64), lambda: np.zeros(0, dtype=np.uint64))
        return {kind: self.envelope if kind is self.sound.kind else nothing for kind in Kind}

    @cached_property
    def payloads(self) -> Sequence[bytes]:
        return Lines(lambda: [ENCODER.encode_lines(self._events)], len(self.places))

    @cached_property
    def _events(self) -> list[Event]:
        # Sound columns hold plain values that fit, so the objects need not become text and be read again.
        events: list[Event] = msgspec.convert(row_objects(self.batch), list[AnyEvent])
        return events

    @cached_property
    def _structs(self) -> StructColumns:
        return StructColumns(self._events, np.arange(len(self.places)), lambda: self._seeds)

    @cached_property
    def _seeds(self) -> Hashes:
        return device_seeds(self.envelope.text("tenant"), self.envelope.text("device_id"))
