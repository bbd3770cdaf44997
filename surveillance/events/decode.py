"""`decode`: the records of a fetch to an `EventBatch`.

Nothing raises for what a sender can put into a record: whatever cannot be counted becomes a `Reject` with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Literal, TypeAlias

import numpy as np

from surveillance.arrays import Int
from surveillance.events.arrow_intake import ArrowIntake
from surveillance.events.batch import EventBatch
from surveillance.events.forbidden import Forbidden
from surveillance.events.formats import Element, Format, frame, is_arrow, is_plain
from surveillance.events.headers import (
    CONTENT_ENCODING,
    INGEST_TIME,
    ORIGIN,
    Origin,
    Record,
    header_texts,
    ingest_times,
    trusted_origin,
)
from surveillance.events.joined_rows import in_order
from surveillance.events.json_rows import JsonRows
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import Fault
from surveillance.events.refusals import Refusals
from surveillance.events.scanning import elements_of
from surveillance.events.struct_rows import StructRows

TimeSource: TypeAlias = Literal["append", "header"]


def decode(
    records: Sequence[Record],
    *,
    partition: int,
    limits: DecodeLimits,
    forbidden: frozenset[str],
    time_source: TimeSource,
    header_key: bytes | None,
) -> EventBatch:
    """Decode consecutive records of one partition, ascending by offset.

    `forbidden` are names that no object key or column may have. `time_source` says whose time is the broker time:
    the record's own (`append`) or the header `pms-ingest-time` (`header`). `header_key` authenticates the origin of
    records that the service produced again; without it those headers mean nothing.
    """
    return _Fetch(records, limits, _compiled(forbidden), time_source, header_key).batch(partition)


@lru_cache(maxsize=16)
def _compiled(forbidden: frozenset[str]) -> Forbidden:
    return Forbidden(forbidden)


class _Fetch:
    """The records of one call, numbered from 0, on their way to columns."""

    def __init__(
        self,
        records: Sequence[Record],
        limits: DecodeLimits,
        forbidden: Forbidden,
        time_source: TimeSource,
        header_key: bytes | None,
    ) -> None:
        self._records, self._limits, self._forbidden = records, limits, forbidden
        self._headers = header_texts(records)
        self._framed = self._numbers_where(lambda headers: not is_plain(headers))
        self._origins = self._find_origins(header_key)
        self._offsets = np.array(list(map(attrgetter("offset"), records)), dtype=np.int64)
        self._appended_ms = self._times(time_source)
        self._broker_ms = self._original_times()
        self._refusals = Refusals(self._offsets, self._broker_ms, forbidden)
        self._json = JsonRows(limits, forbidden, self._refusals.add)
        self._arrow = self._read_arrow()
        self._held: list[int] = []
        self._texts: list[bytes | None] = []

    def batch(self, partition: int) -> EventBatch:
        """Read all records and put them together."""
        self._read()
        rows = in_order([self._checked(), *self._arrow.rows])
        offsets, indexes = self._offsets[rows.places[:, 0]], rows.places[:, 1]
        return EventBatch(
            partition=partition,
            offset=offsets,
            index=indexes,
            broker_ms=self._broker_ms[rows.places[:, 0]],
            appended_ms=self._appended_ms[rows.places[:, 0]],
            kind=rows.kind,
            event_ms=rows.envelope.time_ms("event_time"),
            envelope=rows.envelope,
            kinds=rows.kinds,
            rejects=self._refusals.ordered(),
            unknown_fields=self._json.unknown_fields + self._arrow.unknown_fields,
            record_offsets=self._offsets,
            record_broker_ms=self._broker_ms,
            ticks=self._offsets[self._json.ticks],
            origins=self._row_origins(rows.places),
            payloads=rows.payloads,
        )

    def _numbers_where(self, wanted: Callable[[Mapping[str, str]], bool]) -> list[int]:
        """Numbers of the records whose headers are as wanted. Equal headers are one object, which is asked once."""
        every = list(self._headers.values())
        distinct = dict(zip(map(id, every), every, strict=True))
        chosen = {identity for identity, headers in distinct.items() if wanted(headers)}
        return list(compress(self._headers, map(chosen.__contains__, map(id, every))))

    def _find_origins(self, key: bytes | None) -> dict[int, Origin]:
        if key is None:
            return {}
        claimed = self._numbers_where(lambda headers: ORIGIN in headers)
        found = ((number, trusted_origin(self._headers[number], self._records[number].value, key)) for number in claimed)
        return {number: origin for number, origin in found if origin is not None}

    def _times(self, source: TimeSource) -> Int:
        times = np.array(list(map(attrgetter("timestamp"), self._records)), dtype=np.int64)
        if source == "header" and self._headers:
            sent = ingest_times([headers.get(INGEST_TIME) for headers in self._headers.values()])
            for number, ms in zip(self._headers, sent, strict=True):
                times[number] = times[number] if ms is None else ms
        return times

    def _original_times(self) -> Int:
        times = self._appended_ms.copy()
        for number, origin in self._origins.items():
            times[number] = origin.broker_ms
        return times

    def _read_arrow(self) -> ArrowIntake:
        """All Arrow streams of the fetch together, because many rows cost little more than few."""
        streams = {}
        for number in self._framed:
            if is_arrow(self._headers[number]):
                body = frame(self._headers[number], self._records[number].value, self._limits, self._forbidden).body
                if isinstance(body, bytes):
                    streams[number] = body
        return ArrowIntake.of(streams, self._limits, self._forbidden)

    def _read(self) -> None:
        """Records of one JSON event are held and read many at a time; any other kind first lets those go, to keep the order."""
        start = 0
        for number in self._framed:
            self._hold(start, number)
            self._read_framed(number, self._headers[number])
            start = number + 1
        self._hold(start, len(self._records))
        self._release()

    def _hold(self, start: int, end: int) -> None:
        self._held.extend(range(start, end))
        self._texts.extend(map(attrgetter("value"), self._records[start:end]))

    def _release(self) -> None:
        places = np.zeros((len(self._held), 2), dtype=np.int64)
        places[:, 0] = self._held
        self._json.add_singles(places, self._texts)
        self._held, self._texts = [], []

    def _read_framed(self, number: int, headers: Mapping[str, str]) -> None:
        if number in self._arrow.sound:
            return
        framed = frame(headers, self._records[number].value, self._limits, self._forbidden)
        if framed.format is Format.EVENT and isinstance(framed.body, bytes):
            self._held.append(number)
            self._texts.append(framed.body)
            return
        self._release()
        body = self._arrow.doubtful.get(number, framed.body)
        if isinstance(body, Fault):
            is_text = framed.format is not Format.ARROW and CONTENT_ENCODING not in headers
            self._refusals.add(number, 0, self._records[number].value, body, is_text=is_text)
        elif isinstance(body, bytes):
            self._json.add_batch(number, body)
        else:
            self._read_elements(number, body)

    def _read_elements(self, number: int, elements: Sequence[Element]) -> None:
        for index, element in enumerate(elements):
            if element.fault is not None:
                self._refusals.add(number, index, element.text, element.fault)
        readable = [index for index, element in enumerate(elements) if element.fault is None]
        places = np.column_stack((np.full(len(readable), number, dtype=np.int64), np.array(readable, dtype=np.int64)))
        self._json.add_singles(places, [elements[index].text for index in readable], ticks_allowed=False)

    def _checked(self) -> StructRows:
        """The rows whose values are right too; the others are refused with the text they came in."""
        rows = StructRows.of(self._json)
        faults = rows.faults(self._limits, self._forbidden)
        texts: dict[int, Sequence[bytes | None]] = {}
        for row, fault in faults.items():
            record, index = rows.places[row].tolist()
            if record not in texts:
                texts[record] = self._texts_in(record)
            self._refusals.add(record, index, texts[record][index], fault)
        return rows.without(faults) if faults else rows

    def _texts_in(self, record: int) -> Sequence[bytes | None]:
        """The texts of the events of a record, found again: only asked for records with events that are refused late."""
        value = self._records[record].value
        if record not in self._headers or is_plain(self._headers[record]):
            return [value]
        framed = frame(self._headers[record], value, self._limits, self._forbidden)
        body = self._arrow.doubtful.get(record, framed.body)
        if isinstance(body, bytes):
            return elements_of(body, self._limits.max_batch_events) or [] if framed.format is Format.BATCH else [body]
        return [] if isinstance(body, Fault) else [element.text for element in body]

    def _row_origins(self, places: Int) -> dict[int, tuple[str, int, int, int]]:
        found = {}
        for number, origin in self._origins.items():
            for row in np.flatnonzero(places[:, 0] == number).tolist():
                found[row] = (origin.topic, origin.partition, origin.offset, origin.event + int(places[row, 1]))
        return found
