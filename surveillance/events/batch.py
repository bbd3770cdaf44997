"""`EventBatch`: the columns of a fetch, in position order. The one noun between decoding and folding.

Columns are read by the dotted path of contract/events.md (`context.age_years`, `device_context.vendor`), and are
made only when asked for, so a manifest that names few fields pays for few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from surveillance.arrays import Codes, Float, Hashes, Int, Small


class Kind(IntEnum):
    """Event kinds of contract/events.md; the number is stored, so it never changes."""

    INFERENCE = 0
    OUTCOME = 1
    ALERT_ACTION = 2
    HEARTBEAT = 3
    ADVERSE_EVENT = 4
    FEEDBACK = 5
    DEPLOYMENT = 6
    CONFIG_CHANGE = 7
    CORRECTION = 8
    WITHDRAWAL = 9


class FeatureState(IntEnum):
    """What an event said about a feature."""

    NUMBER = 0
    TEXT = 1
    NULL = 2
    ABSENT = 3


@dataclass(frozen=True, slots=True)
class Coded:
    """Dictionary-coded text: `codes[i]` indexes `values`, -1 = not sent."""

    codes: Codes
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """Identifiers: their 64-bit hash (0 = not sent) and their text ("" = not sent)."""

    hash: Hashes
    text: Sequence[str]


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One feature over the rows of a `Columns`: `state` (FeatureState), `number` (0.0 unless NUMBER), `text` (-1 unless TEXT)."""

    state: Small
    number: Float
    text: Coded


class Columns(Protocol):
    """Rows of one kind (or the envelope of all), as columns. A path that no row sent gives an all-missing column."""

    @property
    def rows(self) -> Int:
        """Indices of these rows in the batch, ascending, shape (m,)."""

    def text(self, path: str) -> Coded: ...

    def number(self, path: str) -> Float:
        """Numbers; booleans as 0.0 and 1.0; NaN = not sent."""

    def time_ms(self, path: str) -> Int:
        """Milliseconds since the Unix epoch, UTC; `NOT_SENT_MS` = not sent."""

    def ids(self, path: str) -> Ids:
        """Hashes are seeded with tenant and device, so equal ids of two devices differ."""

    def feature(self, name: str) -> FeatureColumn: ...

    def nested(self, path: str) -> Sequence[object]:
        """The decoded value of a nested field (lists, maps) for each row; None = not sent."""


@dataclass(frozen=True, slots=True)
class Reject:
    """An event that cannot be counted. `payload` is None where it must not be kept; `sha256` is of the original bytes."""

    offset: int
    index: int
    broker_ms: int
    reason: str
    detail: str
    sha256: str
    payload: bytes | None
    tenant: str = "default"
    device_id: str = ""
    event_ms: int | None = None
    """Time the device said, where it could be read."""
    said_ms: int | None = None
    """When it said to have sent it, else when it happened: what its clock showed."""
    envelope: Mapping[str, str] | None = None
    """Fields of the envelope by name, where all that are required could be read."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The decoded events of consecutive records of one partition, ascending by (offset, index); n rows.

    `origin` is set for records the service itself produced again: (topic, partition, offset, index) where they first stood.
    """

    partition: int
    offset: Int
    index: Int
    broker_ms: Int
    appended_ms: Int
    """When the record was appended: `broker_ms`, but for records that the service produced again. Registrations are looked
    up at this time."""
    kind: Small
    event_ms: Int
    envelope: Columns
    kinds: Mapping[Kind, Columns]
    """Every Kind is a key; a kind that is not in the batch has zero rows."""
    rejects: Sequence[Reject]
    unknown_fields: int
    record_offsets: Int
    """Every record of the fetch, also those that held no event (ticks, rejects), ascending."""
    record_broker_ms: Int
    ticks: Int
    """Offsets of `pms.tick` control records: outside the ledger, but they move partition time and the watermark."""
    origins: dict[int, tuple[str, int, int, int]]
    """Row -> original coordinates, for rows in records produced again by the service."""
    payloads: Sequence[bytes]
    """The allow-listed fields of each row as canonical JSON: what may be stored."""

    def __len__(self) -> int:
        return len(self.offset)
