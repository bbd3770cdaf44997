"""Records of a log, as far as the engine looks at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class LogRecord:
    """Obeys `streams.sink.Record`."""

    offset: int
    topic: str = "pms.telemetry"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes], ...] = ()


def records(offsets: Iterable[int]) -> list[LogRecord]:
    return [LogRecord(offset) for offset in offsets]
