"""What the headers of a record say: format, content encoding, ingest time, and where a record first stood."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Protocol

from surveillance.events.times import FIRST_MS, LAST_MS, parse_times
from surveillance.events.utf8 import strings

CONTENT_TYPE: Final = "content-type"
CONTENT_ENCODING: Final = "content-encoding"
INGEST_TIME: Final = "pms-ingest-time"
ORIGIN: Final = "pms-origin"
ORIGIN_TIME: Final = "pms-origin-time"
ORIGIN_MAC: Final = "pms-origin-mac"

_WHOLE: Final = re.compile(r"-?[0-9]{1,15}")


class Record(Protocol):
    """A consumed record. aiokafka's ConsumerRecord is one; `timestamp` in ms."""

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class Origin(NamedTuple):
    """Where an event first stood, and its broker time there."""

    topic: str
    partition: int
    offset: int
    event: int
    """Index of the event in its record."""
    broker_ms: int


def header_texts(records: Sequence[Record]) -> dict[int, dict[str, str]]:
    """Headers by lower-case name, of the records that have any; the last of a name stands.

    Senders use the same headers again and again, so equal ones are read once.
    """
    known: dict[tuple[tuple[str, bytes], ...], dict[str, str]] = {}
    found: dict[int, dict[str, str]] = {}
    before: Sequence[tuple[str, bytes]] = ()
    texts: dict[str, str] = {}
    for number, headers in enumerate(map(attrgetter("headers"), records)):
        if headers:
            if headers != before:
                before, key = headers, tuple(headers)
                texts = known.get(key) or known.setdefault(key, _texts(key))
            found[number] = texts
    return found


def _texts(headers: Sequence[tuple[str, bytes]]) -> dict[str, str]:
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in headers}


def content_type(headers: Mapping[str, str]) -> str:
    """Media type without parameters, lower case; JSON when the header is not there."""
    return headers.get(CONTENT_TYPE, "").partition(";")[0].strip().lower() or "application/json"


def ingest_times(texts: Sequence[str | None]) -> list[int | None]:
    """Times of `pms-ingest-time` headers: RFC 3339 text or integer milliseconds; None where absent, neither or too far."""
    written = parse_times(strings([text if text and _WHOLE.fullmatch(text) is None else None for text in texts])).ms.tolist()
    found = [int(text) if text and _WHOLE.fullmatch(text) else ms for text, ms in zip(texts, written, strict=True)]
    return [ms if FIRST_MS <= ms <= LAST_MS else None for ms in found]


def sign_origin(origin: Origin, value: bytes, key: bytes) -> list[tuple[str, bytes]]:
    """Headers for a record that the service produces again, which only holders of `key` can make."""
    place = f"{origin.topic}/{origin.partition}/{origin.offset}/{origin.event}"
    time = str(origin.broker_ms)
    mac = _mac(place, time, value, key)
    return [(ORIGIN, place.encode()), (ORIGIN_TIME, time.encode()), (ORIGIN_MAC, mac.encode())]


def trusted_origin(headers: Mapping[str, str], value: bytes | None, key: bytes | None) -> Origin | None:
    """The origin that the headers name, None where there is none or its code was not made with `key` for this value."""
    place, time, mac = headers.get(ORIGIN), headers.get(ORIGIN_TIME), headers.get(ORIGIN_MAC)
    if key is None or value is None or place is None or time is None or mac is None:
        return None
    if not hmac.compare_digest(_mac(place, time, value, key).encode(), mac.encode()):
        return None
    topic, partition, offset, index = place.rsplit("/", 3)
    return Origin(topic, int(partition), int(offset), int(index), int(time))


def _mac(place: str, time: str, value: bytes, key: bytes) -> str:
    """Code over the parts, each behind its length, so that no two splits give the same bytes."""
    parts = (place.encode(), time.encode(), value)
    return hmac.new(key, b"".join(len(part).to_bytes(8, "big") + part for part in parts), "sha256").hexdigest()
