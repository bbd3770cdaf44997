"""What the field does to good telemetry: retransmissions, late uploads, a clock that jumped, lines nobody can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from streams.simulated_fleet.events import Document, Sent
from streams.simulated_fleet.roster import ROSTER
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, from_text, to_text

RETRANSMITTED = 0.01
HELD_UP = 0.0008
HELD_UP_MS = 30 * HOUR_MS
"""Longer than the manifest allows: these are late."""
BAD_CLOCK_DEVICE = ROSTER[3].device_id
BAD_CLOCK_DAY = 3
_BAD_CLOCK_FROM_MS, _BAD_CLOCK_TO_MS = 9 * HOUR_MS, 10 * HOUR_MS + 15 * MINUTE_MS
_BAD_CLOCK_AHEAD_MS = 9 * MINUTE_MS
_UNREADABLE_A_DAY = 6


class Arrival(NamedTuple):
    """A line as it arrives. The gateway knows whose connection it came over, even where nobody can read it."""

    at_ms: int
    device_id: str
    line: bytes


def line_of(event: Document) -> bytes:
    """An event as its device writes it."""
    return json.dumps(event, separators=(",", ":")).encode()


def disordered(sent: Iterable[Sent], day: int, day_start_ms: int, rng: np.random.Generator) -> Iterator[Arrival]:
    """The same events as they arrive, and what arrives besides."""
    events = list(sent)
    again, held_up = rng.random(len(events)), rng.random(len(events))
    wait = rng.integers(5 * SECOND_MS, 60 * SECOND_MS, len(events))
    for number, (at_ms, device, event) in enumerate(events):
        if day == BAD_CLOCK_DAY and device.device_id == BAD_CLOCK_DEVICE:
            _set_ahead(event, day_start_ms)
        if event["schema"] == "pms.inference" and held_up[number] < HELD_UP:
            at_ms += HELD_UP_MS
            event["sent_time"] = to_text(at_ms)
        yield Arrival(at_ms, device.device_id, line_of(event))
        if again[number] < RETRANSMITTED:
            repeated_ms = at_ms + int(wait[number])
            yield Arrival(repeated_ms, device.device_id, line_of(event | {"sent_time": to_text(repeated_ms), "attempt": 2}))
    inferences = [one for one in events if one.event["schema"] == "pms.inference"]
    for number in range(_UNREADABLE_A_DAY):
        yield _unreadable(inferences[int(rng.integers(len(inferences)))], number, day_start_ms + DAY_MS)


def _set_ahead(event: Document, day_start_ms: int) -> None:
    """The device's clock jumps ahead for an hour; the gateway's, which stamps `sent_time`, does not."""
    at_ms = from_text(event["event_time"])
    if _BAD_CLOCK_FROM_MS <= at_ms - day_start_ms < _BAD_CLOCK_TO_MS:
        event["event_time"] = to_text(at_ms + _BAD_CLOCK_AHEAD_MS)


def _unreadable(model: Sent, number: int, day_end_ms: int) -> Arrival:
    """A line made from a good one; six ways to be wrong, one after another."""
    at_ms = min(model.at_ms + SECOND_MS, day_end_ms - 1)
    event = model.event | {"event_id": f"{model.event['event_id']}-x{number}", "sent_time": to_text(at_ms)}
    line = line_of(event)
    match number:
        case 0:
            line = line[: len(line) // 2]
        case 1:
            line = line_of({key: value for key, value in event.items() if key != "inference_id"})
        case 2:
            line = line_of(event | {"score": 1.7})
        case 3:
            line = line_of(event | {"score": float("nan")})
        case 4:
            line = line_of(event | {"schema": "pms.inferense"})
        case 5:
            line = line_of(event | {"patient_name": "withheld"})
    return Arrival(at_ms, model.device.device_id, line)
