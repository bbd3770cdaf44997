"""What becomes of each event: quarantined, duplicate, late, counted; exactly one of them, in this precedence.

`classify` looks and changes nothing, so it may be repeated when a look-up fails; `take` then remembers what was judged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Bool, Codes, Hashes, Int, Small
from surveillance.events.batch import EventBatch
from surveillance.events.reasons import CLOCK_SKEW, MANIFEST_UNKNOWN, RELEASE_UNKNOWN
from surveillance.ingest.distinct import distinct
from surveillance.ingest.run_index import Records, RunIndex
from surveillance.registry import Registration, Registry
from surveillance.store.protocol import RawRows

_SEEN = np.dtype([("key", "<u8"), ("at_ms", "<i8")])
ORIGIN_COLUMN = 3
"""Column of `packed` in the raw rows; the others are explained in raw.py."""

FindEvents = Callable[[Hashes, int], RawRows]
"""Raw rows with these event hashes and an offset below the given one. May raise StoreUnavailable."""


class Disposition(IntEnum):
    """The number is stored with the raw event, so it never changes."""

    COUNTED = 0
    DUPLICATE = 1
    LATE = 2
    QUARANTINED = 3
    ELSEWHERE = 4
    """Stands in a partition that is not its device's: produced again to its own, and counted there."""
    ECHO = 5
    """Produced again by the service a second time, after a crash: the first copy counts, this one is outside the ledger."""


STORED = (Disposition.COUNTED, Disposition.DUPLICATE, Disposition.LATE)
"""Dispositions of events that have a raw row: those that stand as the first of their id."""


class Classified(NamedTuple):
    """For each row: index of its registration (-1 none), disposition, and where quarantined the reason (else "")."""

    registrations: Sequence[Registration]
    registration: Codes
    disposition: Small
    reason: Sequence[str]
    release_differs: Bool
    origins: Hashes
    """Hash of the coordinates where the event first stood, 0 unless the service produced it again."""


def resolve(batch: EventBatch, registry: Registry) -> tuple[Sequence[Registration], Codes, Bool, Bool]:
    """Registration of each row: (registrations, index or -1, carries a digest, digest belongs to another release)."""
    release, digest = batch.envelope.text("release_id"), batch.envelope.text("manifest_digest")
    boundaries = registry.boundaries()
    epoch = np.searchsorted(boundaries, batch.appended_ms, side="right").astype(np.int64)
    digests = len(digest.values) + 1
    combined = (release.codes.astype(np.int64) * digests + digest.codes + 1) * (len(boundaries) + 1) + epoch
    first, inverse = distinct(combined)
    found: list[Registration] = []
    codes, differs = np.full(len(first), -1, np.int32), np.zeros(len(first), np.bool_)
    for number, at in enumerate(first.tolist()):
        carried = digest.values[digest.codes[at]] if digest.codes[at] >= 0 else None
        release_id = release.values[release.codes[at]]
        registration = registry.resolve(release_id, carried, int(batch.appended_ms[at]))
        if registration is None:
            continue
        if registration not in found:
            found.append(registration)
        codes[number] = found.index(registration)
        differs[number] = carried is not None and registration.release_id != release_id
    return found, codes[inverse], digest.codes >= 0, differs[inverse]


class Classifier:
    """Knows which event ids a partition has seen; judges the events of a fetch in position order.

    The index holds what it is certain to hold from a broker time on; whatever could lie before is looked up in the raw
    table. So is every hit: a collision of hashes must not drop an event.
    """

    def __init__(self, find_events: FindEvents) -> None:
        self._seen = RunIndex(_SEEN, newest=True)
        self._origins = RunIndex(_SEEN, newest=True)
        self._find_events = find_events

    def __len__(self) -> int:
        return len(self._seen)

    def remember(self, rows: RawRows) -> None:
        """Take up raw rows."""
        self._seen.insert(_seen_records(rows.event, rows.broker_ms))
        origins = origin_hashes(rows)
        again = np.flatnonzero(origins)
        self._origins.insert(_seen_records(origins[again], rows.broker_ms[again]))

    def take(self, batch: EventBatch, classified: Classified) -> None:
        """Remember the rows of a fetch that was classified."""
        kept = np.flatnonzero(np.isin(classified.disposition, STORED))
        self._seen.insert(_seen_records(batch.envelope.ids("event_id").hash[kept], batch.broker_ms[kept]))
        again = np.flatnonzero(classified.origins)
        self._origins.insert(_seen_records(classified.origins[again], batch.broker_ms[again]))

    def expire(self, before_ms: int) -> None:
        """Forget events of earlier broker time; also said of what was never remembered."""
        self._seen.expire(before_ms)
        self._origins.expire(before_ms)

    def classify(self, batch: EventBatch, registry: Registry, elsewhere: Bool) -> Classified:
        """Judge the rows. `elsewhere` marks those that are not of this partition. Raises StoreUnavailable."""
        registrations, registration, carries_digest, differs = resolve(batch, registry)
        reason = [""] * len(batch)
        disposition = np.full(len(batch), Disposition.COUNTED, np.uint8)
        limits = np.array([_limits(one) for one in registrations], np.int64).reshape(-1, 3)
        known = registration >= 0
        skew_ms, lateness_ms, retransmit_ms = (
            np.where(known, limits[registration, column], 0) if len(limits) else np.zeros(len(batch), np.int64)
            for column in range(3)
        )
        ahead = known & (batch.event_ms - batch.broker_ms > skew_ms)
        for at in np.flatnonzero(~known):
            reason[at] = MANIFEST_UNKNOWN if carries_digest[at] else RELEASE_UNKNOWN
        for at in np.flatnonzero(ahead):
            reason[at] = CLOCK_SKEW
        disposition[~known | ahead] = Disposition.QUARANTINED
        disposition[elsewhere] = Disposition.ELSEWHERE
        origins = self._echoes(batch, disposition)
        stands = disposition == Disposition.COUNTED
        disposition[stands & (batch.event_ms < batch.broker_ms - lateness_ms)] = Disposition.LATE
        rows = np.flatnonzero(stands)
        disposition[rows[self._duplicates(batch, rows, retransmit_ms[rows])]] = Disposition.DUPLICATE
        return Classified(registrations, registration, disposition, reason, differs, origins)

    def _echoes(self, batch: EventBatch, disposition: Small) -> Hashes:
        """Mark events that the service produced again more than once; the hash of where all such events first stood."""
        origins = np.zeros(len(batch), np.uint64)
        if not batch.origins:
            return origins
        rows = np.array(sorted(batch.origins), np.int64)
        key = np.fromiter((_origin_hash(batch.origins[row]) for row in rows.tolist()), np.uint64, len(rows))
        origins[rows] = key
        repeated = self._origins.find(key)[0]
        unsure = np.flatnonzero(~repeated & (batch.broker_ms[rows] < self._origins.from_ms))
        if len(unsure):
            stored = self._find_events(np.unique(batch.envelope.ids("event_id").hash[rows[unsure]]), _start(batch))
            repeated[unsure] = np.isin(key[unsure], origin_hashes(stored))
        repeated[np.setdiff1d(np.arange(len(key)), np.unique(key, return_index=True)[1])] = True
        disposition[rows[repeated]] = Disposition.ECHO
        return origins

    def _duplicates(self, batch: EventBatch, rows: Int, window_ms: Int) -> Bool:
        """Which rows repeat an event of a smaller position within the window of broker time."""
        ids = batch.envelope.ids("event_id")
        key, broker_ms = ids.hash[rows], batch.broker_ms[rows]
        found, before = self._seen.find(key)
        near: Bool = found & (np.abs(broker_ms - before["at_ms"]) <= window_ms)
        unsure: Bool = near | (broker_ms - window_ms < self._seen.from_ms)
        repeats = np.zeros(len(rows), np.bool_)
        at = np.flatnonzero(unsure)
        if len(at):
            times = self._times_of(np.unique(key[at]), _start(batch))
            for one in at.tolist():
                stood_ms = times.get((int(key[one]), ids.text[rows[one]]), ())
                repeats[one] = any(abs(int(broker_ms[one]) - ms) <= window_ms[one] for ms in stood_ms)
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order][1:] == key[order][:-1])
        for place in same.tolist():  # rare: the same id twice in one fetch
            earlier, later = order[place], order[place + 1]
            if (
                ids.text[rows[earlier]] == ids.text[rows[later]]
                and abs(broker_ms[later] - broker_ms[earlier]) <= window_ms[later]
            ):
                repeats[later] = True
        return repeats

    def _times_of(self, key: Hashes, before: int) -> dict[tuple[int, str], list[int]]:
        """Broker times at which these very ids stand in the raw table."""
        rows = self._find_events(key, before)
        times: dict[tuple[int, str], list[int]] = {}
        for code, event_id, ms in zip(rows.event.tolist(), rows.event_id, rows.broker_ms.tolist(), strict=True):
            times.setdefault((code, event_id), []).append(ms)
        return times


def _start(batch: EventBatch) -> int:
    return int(batch.record_offsets[0])


def _limits(registration: Registration) -> tuple[int, int, int]:
    telemetry = registration.plan.manifest.surveillance.telemetry
    return telemetry.max_clock_skew_ms, telemetry.allowed_lateness_ms, telemetry.retransmit_window_ms


def _origin_hash(origin: tuple[str, int, int, int]) -> int:
    text = "\n".join(str(part) for part in origin)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") or 1


def origin_hashes(rows: RawRows) -> Hashes:
    """Hash of the original coordinates of each row; 0 where the row stands where it was first sent."""
    if not len(rows):
        return np.zeros(0, np.uint64)
    return np.ascontiguousarray(rows.packed[:, ORIGIN_COLUMN]).view(np.uint64)


def _seen_records(key: Hashes, broker_ms: Int) -> Records:
    records = np.zeros(len(key), _SEEN)
    records["key"], records["at_ms"] = key, broker_ms
    return records
