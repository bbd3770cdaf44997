"""Uses that events are counted per: the counting words of `USE`, in the statistic of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surveillance.ingest.accumulate import Increments
from surveillance.panes.safety import counted_by
from surveillance.panes.statistics import Safety, Statistic, Use


def uses_of(statistic: Statistic, counted: Sequence[Increments], rows: int) -> list[Increments]:
    """Of increments of `USE` over so many rows, those of the statistic's counting word, in its own column."""
    signs = _columns(counted_by(statistic.subject).uses)
    found = []
    for one in counted:
        sign = signs.get(one.column) if isinstance(one.column, int) else None
        if sign is not None:
            weight = None if sign > 0 else np.full(rows, sign, np.int64)
            found.append(Increments(Safety.USES, weight, one.where))
    return found


def _columns(word: str) -> Mapping[int, int]:
    """Columns of `USE` that make up a word, with their signs; none for no word, and for retransmissions, which are no use."""
    if word == "undelivered":
        return {Use.ALERTS: 1, Use.DELIVERED: -1}
    column = Use.__members__.get(word.upper())
    return {} if column is None else {column: 1}
