"""What is wrong with values that have the right type: times, digests, sequence numbers, depth and names inside maps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from msgspec import UNSET

from surveillance.events.batch import Kind
from surveillance.events.declared import MAP_PATHS, TIME_PATHS
from surveillance.events.documents import depth, keys
from surveillance.events.forbidden import Forbidden
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import SENT_FORBIDDEN, TIME_INVALID, TOO_DEEP, Fault, field_invalid
from surveillance.events.struct_columns import StructColumns

DIGEST: Final = re.compile(r"sha256:[0-9a-fA-F]{64}")
_ENVELOPE_TIMES: Final = ("event_time", "sent_time", "clock.synced_at", "ingest_time")
_LARGEST_SEQ: Final = 2**64 - 1
_FREE: Final = frozenset({"ext", "payload"})
"""Maps whose values are not interpreted, so they may nest."""


def envelope_faults(columns: StructColumns, limits: DecodeLimits, forbidden: Forbidden) -> dict[int, Fault]:
    """Faults in the envelope, by place in `columns`. The first of several is named, in a fixed order."""
    found = _first(_map_faults(("ext",), columns, limits, forbidden))
    for place, fault in (*_time_faults(_ENVELOPE_TIMES, columns), *_digest_faults(columns), *_sequence_faults(columns)):
        found.setdefault(place, fault)
    return found


def kind_faults(kind: Kind, columns: StructColumns, limits: DecodeLimits, forbidden: Forbidden) -> dict[int, Fault]:
    """Faults in the fields of one kind, by place in `columns`."""
    maps = tuple(path for path in MAP_PATHS[kind] if path != "ext")
    times = tuple(path for path in TIME_PATHS[kind] if path not in _ENVELOPE_TIMES)
    return _first((*_map_faults(maps, columns, limits, forbidden), *_time_faults(times, columns)))


def _first(every: Iterable[tuple[int, Fault]]) -> dict[int, Fault]:
    found: dict[int, Fault] = {}
    for place, fault in every:
        found.setdefault(place, fault)
    return found


def _time_faults(paths: Iterable[str], columns: StructColumns) -> Iterator[tuple[int, Fault]]:
    for path in paths:
        for place in np.flatnonzero(columns.times(path).invalid).tolist():
            yield place, _time_fault(path)


def _time_fault(path: str) -> Fault:
    what = "no RFC 3339 time with Z or an offset, years 0001 to 9999"
    return Fault(TIME_INVALID, what) if path == "event_time" else field_invalid(path, what)


def _map_faults(
    paths: Iterable[str], columns: StructColumns, limits: DecodeLimits, forbidden: Forbidden
) -> Iterator[tuple[int, Fault]]:
    for path in paths:
        if (path in _FREE or forbidden) and columns.sent(path) and _suspect(path, columns, forbidden):
            for place, value in enumerate(columns.values(path)):
                if type(value) is dict:
                    yield from ((place, fault) for fault in _in_map(value, limits, forbidden))


def _suspect(path: str, columns: StructColumns, forbidden: Forbidden) -> bool:
    """Whether the maps of all rows together give a reason to look into each: most are flat and have few names."""
    if path in _FREE:
        return True
    values = columns.values(path)
    maps = values if set(map(type, values)) == {dict} else [value for value in values if type(value) is dict]
    return forbidden.among(set[str]().union(*maps))


def _in_map(value: dict[str, Any], limits: DecodeLimits, forbidden: Forbidden) -> Iterator[Fault]:
    if forbidden and forbidden.among(keys(value)):
        yield SENT_FORBIDDEN
    if 1 + depth(value) > limits.max_depth:
        yield Fault(TOO_DEEP, f"nested deeper than {limits.max_depth}")


def _digest_faults(columns: StructColumns) -> Iterator[tuple[int, Fault]]:
    if not columns.sent("manifest_digest"):
        return
    digests = columns.text("manifest_digest")
    bad = [code for code, digest in enumerate(digests.values) if not DIGEST.fullmatch(digest)]
    for place in np.flatnonzero(np.isin(digests.codes, bad)).tolist() if bad else ():
        yield place, field_invalid("manifest_digest", "expected sha256: and 64 hexadecimal digits")


def _sequence_faults(columns: StructColumns) -> Iterator[tuple[int, Fault]]:
    if columns.sent("seq"):
        for place, value in enumerate(columns.values("seq")):
            if value is not UNSET and value is not None and value > _LARGEST_SEQ:
                yield place, field_invalid("seq", "expected an integer below 2^64")
