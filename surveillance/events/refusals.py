"""What cannot be counted, with its coordinates, and with its bytes where those may be kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final, NamedTuple

from surveillance.arrays import NOT_SENT_MS, Int
from surveillance.events.batch import Reject
from surveillance.events.documents import read_document
from surveillance.events.forbidden import Forbidden, searchable
from surveillance.events.reasons import DECOMPRESSION_LIMIT, FORBIDDEN_FIELD, SENT_FORBIDDEN, TOO_LARGE, Fault
from surveillance.events.times import parse_times
from surveillance.events.utf8 import strings

_NOT_SEARCHED: Final = frozenset({TOO_LARGE, DECOMPRESSION_LIMIT})
"""Refused before anybody could look for forbidden names, so not kept; the log still has them at their offset."""
_LONGEST_NAME: Final = 128


class _Sender(NamedTuple):
    tenant: str = "default"
    device_id: str = ""
    event_time: str | None = None


@dataclass(slots=True)
class Refusals:
    """Rejects of one fetch. `offsets` and `broker_ms` are those of its records."""

    offsets: Int
    broker_ms: Int
    forbidden: Forbidden
    rejects: list[Reject] = field(default_factory=list)
    _times: list[str | None] = field(default_factory=list)

    def add(self, record: int, index: int, text: bytes | None, fault: Fault, *, is_text: bool = True) -> None:
        """Refuse the event at `index` of record number `record`. A forbidden name goes before every other reason.

        What is no text, such as a compressed body, cannot be searched for one, so it is not kept.
        """
        body = text or b""
        searched = is_text and fault.reason not in _NOT_SEARCHED and searchable(body)
        if searched and self.forbidden.in_text(body):
            fault = SENT_FORBIDDEN
        kept = searched and fault.reason != FORBIDDEN_FIELD
        sender = _sender(body) if searched else _Sender()
        self._times.append(sender.event_time)
        self.rejects.append(
            Reject(
                offset=int(self.offsets[record]),
                index=index,
                broker_ms=int(self.broker_ms[record]),
                reason=fault.reason,
                detail=fault.detail,
                sha256=sha256(body).hexdigest(),
                payload=text if kept else None,
                tenant=sender.tenant,
                device_id=sender.device_id,
            )
        )

    def ordered(self) -> list[Reject]:
        """By position, with the times that the devices said."""
        times = parse_times(strings(self._times)).ms.tolist()
        timed = (
            reject if ms == NOT_SENT_MS else replace(reject, event_ms=ms) for reject, ms in zip(self.rejects, times, strict=True)
        )
        return sorted(timed, key=attrgetter("offset", "index"))


def _sender(text: bytes) -> _Sender:
    """Who sent it and when, as far as it can be read."""
    try:
        document = read_document(text)
    except (ValueError, RecursionError):
        return _Sender()
    if not isinstance(document, dict):
        return _Sender()
    time = document.get("event_time")
    return _Sender(_name(document.get("tenant")) or "default", _name(document.get("device_id")), _name(time) or None)


def _name(value: Any) -> str:
    """A text that can be stored; one with half a surrogate pair cannot."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return ""
    return value.encode("utf-8", "replace").decode()
