"""What every store promises. One contract suite runs on each implementation.

Every write is acknowledged when the call returns, or raises StoreUnavailable and may be repeated: rows are replaced by
key and version, so repeating is harmless. Every read sees every write acknowledged before it.
`log_id` names (cluster, topic, epoch): offsets mean something only within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from surveillance.arrays import Hashes, Int, Small
from surveillance.coded_texts import CodedTexts
from surveillance.panes.rows import PaneKey, PaneRow


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition is folded, all rows up to `offset` included being stored.

    `partition_ms` is the partition time: the largest broker time seen, ticks included. `stopped` names why the partition
    no longer moves ("" = it moves).
    """

    partition: int
    offset: int
    watermark_ms: int
    partition_ms: int
    stopped: str = ""


@dataclass(frozen=True, slots=True)
class RawRows:
    """Raw events as columns, ascending by (offset, index) within one partition; shape (n,) each.

    `disposition`: 0 counted, 1 duplicate, 2 late. `subject` = hash of the inference id the row is or refers to (0 = none);
    `token` = hash of the encounter token; `cell` = canonical text of the manifest and axis levels of an inference;
    `packed` = the integers the join needs again after a restart (layout owned by surveillance/ingest), shape (n, k).
    """

    partition: int
    offset: Int
    index: Int
    broker_ms: Int
    event_ms: Int
    kind: Small
    disposition: Small
    tenant: CodedTexts
    device_id: CodedTexts
    release_id: CodedTexts
    manifest_digest: CodedTexts
    event_id: Sequence[str]
    subject_id: Sequence[str]
    event: Hashes
    subject: Hashes
    token: Hashes
    cell: CodedTexts
    packed: Int
    payload: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.offset)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused event as kept for people: coordinates, reason and, unless forbidden, the original bytes."""

    tenant: str
    topic: str
    partition: int
    offset: int
    index: int
    broker_ms: int
    reason: str
    detail: str
    sha256: str
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Document:
    """An append-only or keyed JSON document. `body` is canonical JSON; times are milliseconds."""

    tenant: str
    manifest_digest: str
    key: str
    revision: int
    at_ms: int
    body: str


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A line of the last state: `key` orders the lines, `revision` grows with what was read, `body` is the line as JSON."""

    key: str
    revision: int
    body: str


class Store(Protocol):
    """See the module's docstring. Implementations are safe to use from several threads."""

    def close(self) -> None: ...

    # raw events and quarantine ------------------------------------------------------------------------------
    def write_raw(self, log_id: str, *rows: RawRows) -> None:
        """Upsert by (partition, offset, index), all chunks in one insert."""

    def read_raw(
        self, log_id: str, partition: int, *, last_offset: int, since_ms: int, kinds: Sequence[int], ids: bool = True
    ) -> Iterable[RawRows]:
        """Rows with offset <= last_offset and broker_ms >= since_ms, ascending, deduplicated, in chunks that never split an
        offset; `payload` is empty, and without `ids` so are event_id and subject_id. Rows of two layouts of `packed` in one
        chunk are filled with zeros on the right."""

    def find_raw(
        self,
        log_id: str,
        partition: int,
        *,
        event: Hashes | None = None,
        subject: Hashes | None = None,
        before: int,
        since_ms: int | None = None,
    ) -> RawRows:
        """Rows whose event hash, or subject hash, is among those given, offset < before, broker_ms >= since_ms where given,
        ascending, deduplicated, with payload."""

    def write_quarantine(self, log_id: str, rows: Sequence[Quarantined]) -> None:
        """Upsert by (topic, partition, offset, index)."""

    def read_quarantine(self, log_id: str, *, limit: int = 1000) -> Sequence[Quarantined]:
        """The newest `limit` rows, ascending by (broker_ms, topic, partition, offset, index)."""

    # panes and progress -------------------------------------------------------------------------------------
    def write_panes(self, log_id: str, rows: Sequence[PaneRow]) -> None:
        """Upsert by key, the largest version wins; equal versions carry equal bytes."""

    def read_panes(
        self,
        log_id: str,
        *,
        partition: int | None = None,
        keys: Sequence[PaneKey] | None = None,
        above: Mapping[int, int] | None = None,
        since_ms: int | None = None,
    ) -> Sequence[PaneRow]:
        """Newest row of each key: of one partition, of given keys, with version above the given one of its partition
        (partitions not named count as -1), or with pane_ms >= since_ms (conditions combine). Sorted by key. `counts` belong
        to the caller, who may change them."""

    def max_pane_version(self, log_id: str, partition: int) -> int:
        """Largest version among the partition's rows, -1 where there is none: beyond progress after a crash."""

    def write_progress(self, log_id: str, *progress: Progress) -> None:
        """Of each partition the largest offset wins; among equal offsets the largest partition_ms (ticks leave the offset
        unmoved by events); among equals of both the one written last, so that `stopped` can be set and cleared in place."""

    def read_progress(self, log_id: str) -> Mapping[int, Progress]: ...

    # status ---------------------------------------------------------------------------------------------------
    def write_status(self, log_id: str, rows: Sequence[StatusRow]) -> None:
        """Upsert by key; the largest revision wins, among equals the one written last."""

    def read_status(self, log_id: str) -> Sequence[StatusRow]:
        """Every row, in order of key."""

    # documents ----------------------------------------------------------------------------------------------
    def append(self, table: str, documents: Sequence[Document]) -> None:
        """`table`: evidence | incident_events | triggers | manifests | gate_decisions | audit | meta | devices.
        Same (tenant, key, revision) with equal body: nothing happens. With another body: EvidenceConflict, and the document
        stored first stays; a call with a conflict stores nothing."""

    def newest(self, table: str, *, tenant: str | None = None, keys: Sequence[str] | None = None) -> Sequence[Document]:
        """The highest revision of each key, sorted by (tenant, key)."""

    def history(
        self, table: str, *, tenant: str | None = None, key: str | None = None, since_ms: int = 0, limit: int = 100_000
    ) -> Sequence[Document]:
        """All revisions, sorted by (at_ms, tenant, key, revision); the first `limit` of them."""

    def describe(self) -> Mapping[str, Any]:
        """Kind of store, version and schema version, for `pms doctor` and `/readyz`."""
