"""Bounds that hold before anything is decoded: a hostile record costs what its bytes cost, never more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What one record may cost. Sizes in bytes; `max_depth` counts nested objects and arrays of one event."""

    max_record_bytes: int = 8 * 1024 * 1024
    max_batch_events: int = 10_000
    max_depth: int = 64
    max_inflated_bytes: int = 16 * 1024 * 1024
    """Of one record after gzip, and of one Arrow stream after its own buffer compression."""
