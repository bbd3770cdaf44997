"""What cannot be counted, with its coordinates, and with its bytes where those may be kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from operator import attrgetter
from typing import Final

from surveillance.arrays import NOT_SENT_MS, Int
from surveillance.events.batch import Reject
from surveillance.events.forbidden import Forbidden, searchable
from surveillance.events.reasons import DECOMPRESSION_LIMIT, FORBIDDEN_FIELD, SENT_FORBIDDEN, TOO_LARGE, Fault
from surveillance.events.senders import Sender, sender_of
from surveillance.events.times import parse_times
from surveillance.events.utf8 import strings

_NOT_SEARCHED: Final = frozenset({TOO_LARGE, DECOMPRESSION_LIMIT})
"""Refused before anybody could look for forbidden names, so not kept; the log still has them at their offset."""


@dataclass(slots=True)
class Refusals:
    """Rejects of one fetch. `offsets` and `broker_ms` are those of its records."""

    offsets: Int
    broker_ms: Int
    forbidden: Forbidden
    rejects: list[Reject] = field(default_factory=list)
    _senders: list[Sender] = field(default_factory=list)

    def add(self, record: int, index: int, text: bytes | None, fault: Fault, *, is_text: bool = True) -> None:
        """Refuse the event at `index` of record number `record`. A forbidden name goes before every other reason.

        What is no text, such as a compressed body, cannot be searched for one, so it is not kept.
        """
        body = text or b""
        searched = is_text and fault.reason not in _NOT_SEARCHED and searchable(body)
        if searched and self.forbidden.in_text(body):
            fault = SENT_FORBIDDEN
        kept = searched and fault.reason != FORBIDDEN_FIELD
        sender = sender_of(body) if searched else Sender()
        self._senders.append(sender)
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
                envelope=sender.envelope,
            )
        )

    def ordered(self) -> list[Reject]:
        """By position, with the times that the devices said."""
        event = parse_times(strings([one.event_time for one in self._senders])).ms.tolist()
        # A time of sending that cannot be read says nothing of the clock; one that was not sent leaves that to the event's.
        said = parse_times(
            strings([one.event_time if one.sent_time is None else one.sent_time for one in self._senders])
        ).ms.tolist()
        timed = (
            replace(reject, event_ms=_known(ms), said_ms=None if ms == NOT_SENT_MS else _known(said_ms))
            for reject, ms, said_ms in zip(self.rejects, event, said, strict=True)
        )
        return sorted(timed, key=attrgetter("offset", "index"))


def _known(ms: int) -> int | None:
    return None if ms == NOT_SENT_MS else ms
