"""The Arrow streams of a fetch: those that are sound become rows together, the others events to be read one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from surveillance.arrays import Int
from surveillance.events.arrow_leaves import sound
from surveillance.events.arrow_rows import ArrowRows
from surveillance.events.arrow_stream import read_stream, standing_twice
from surveillance.events.column_rows import row_texts
from surveillance.events.forbidden import Forbidden
from surveillance.events.formats import Element
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import NOT_JSON, SENT_FORBIDDEN, Fault, field_invalid


@dataclass(frozen=True, slots=True)
class ArrowIntake:
    """`sound` are the numbers of the records whose events stand in `rows`; `doubtful` has what the other records hold."""

    rows: Sequence[ArrowRows]
    sound: frozenset[int]
    doubtful: Mapping[int, Sequence[Element] | Fault]

    @property
    def unknown_fields(self) -> int:
        """Fields of sound rows that nobody declares."""
        return sum(rows.sound.unknown_fields for rows in self.rows)

    @classmethod
    def of(cls, streams: Mapping[int, bytes], limits: DecodeLimits, forbidden: Forbidden) -> ArrowIntake:
        """Read streams, by number of their record."""
        rows: list[ArrowRows] = []
        doubtful: dict[int, Sequence[Element] | Fault] = {}
        batches: dict[int, pa.RecordBatch] = {}
        for number, stream in streams.items():
            read = read_stream(stream, limits)
            if isinstance(read, Fault):
                doubtful[number] = _named(read, forbidden)
            else:
                batches[number] = read
        for schema, numbers in _alike(batches).items():
            twice = standing_twice(schema)
            if twice is None:
                rows += _sound_rows(numbers, batches, forbidden)
            else:
                doubtful |= dict.fromkeys(numbers, _named(field_invalid(twice, "the column stands twice"), forbidden))
        fast = frozenset(number for part in rows for number in np.unique(part.places[:, 0]).tolist())
        doubtful |= {number: _elements(batch) for number, batch in batches.items() if number not in fast | doubtful.keys()}
        return cls(rows, fast, doubtful)


def _named(fault: Fault, forbidden: Forbidden) -> Fault:
    """A fault that names a column must not name one that may not be sent."""
    return SENT_FORBIDDEN if forbidden.among([fault.reason.partition(":")[2]]) else fault


def _alike(batches: Mapping[int, pa.RecordBatch]) -> Mapping[pa.Schema, list[int]]:
    """Numbers of batches that have the same columns, by these."""
    alike: dict[pa.Schema, list[int]] = {}
    for number, batch in batches.items():
        if batch.num_rows:
            alike.setdefault(batch.schema, []).append(number)
    return alike


def _sound_rows(numbers: Sequence[int], batches: Mapping[int, pa.RecordBatch], forbidden: Forbidden) -> Iterator[ArrowRows]:
    """All at once; where that is not sound, each for itself, so that a bad one slows only itself."""
    together = _joined([batches[number] for number in numbers])
    found = None if together is None else sound(together, forbidden)
    if together is not None and found is not None:
        yield ArrowRows(together, found, np.concatenate([_places(number, batches[number]) for number in numbers]))
    elif len(numbers) > 1:
        for number in numbers:
            yield from _sound_rows([number], batches, forbidden)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
    except pa.ArrowException:  # dictionaries that do not go into one
        return None


def _places(number: int, batch: pa.RecordBatch) -> Int:
    return np.column_stack((np.full(batch.num_rows, number, dtype=np.int64), np.arange(batch.num_rows, dtype=np.int64)))


def _elements(batch: pa.RecordBatch) -> Sequence[Element] | Fault:
    try:
        return [Element(text, None) for text in row_texts(batch)]
    except (pa.ArrowException, ValueError, OverflowError) as error:
        return Fault(NOT_JSON, f"values that no event can hold: {type(error).__name__}")
