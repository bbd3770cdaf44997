"""Spans of time in words."""

from __future__ import annotations


def span_text(days: float) -> str:
    """In days, hours or minutes, whichever is the largest of which there is one.

    >>> span_text(28.0), span_text(1 / 24), span_text(0.002)
    ('28 days', '1 hour', '3 minutes')
    """
    for unit, length in (("day", 1.0), ("hour", 1 / 24)):
        if days >= length * (1 - 1e-9):
            return _counted(round(days / length, 1), unit)
    return _counted(max(round(days * 1440), 1), "minute")


def _counted(amount: float, unit: str) -> str:
    return f"{amount:,g} {unit}" + ("" if amount == 1 else "s")
