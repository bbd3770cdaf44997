"""Season of a baseline: the factor of the month, so that winter is no incident (contract/semantics.md, Season)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from surveillance.manifest.model_baselines import MetricBaseline

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def month_of(end_ms: int) -> int:
    """UTC month, 0 to 11, that holds the last instant of a window [start, end).

    >>> month_of(1_767_225_600_000)  # ends with 2025
    11
    """
    return (_EPOCH + timedelta(milliseconds=end_ms - 1)).month - 1


def seasonal(value: float, month_factor: Sequence[float] | None, end_ms: int) -> float:
    """A baseline's value in the month of a window's end."""
    return value if month_factor is None else value * month_factor[month_of(end_ms)]


def seasonal_metric(baseline: MetricBaseline, own: tuple[str, str] | None, end_ms: int) -> float | None:
    """A validated metric in the month of a window's end: what (axis, level) has of its own, else the overall number.

    None where the manifest gives none.
    """
    measured = (baseline.of(*own) if own is not None else None) or baseline.overall
    return None if measured is None else seasonal(measured.value, baseline.month_factor, end_ms)
