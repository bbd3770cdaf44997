"""What events that a filter names add, by event time and under their own envelope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from surveillance.arrays import Bool, Codes, Int
from surveillance.events.batch import Columns, Kind
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.panes import statistics
from surveillance.panes.plan import Plan
from surveillance.panes.safety import counted_by
from surveillance.panes.statistics import Safety

NOT_SERIOUS = ("none", "near_miss")
_EXPECTED = ("expected",)


def filtered_contributions(
    plan: Plan, kind: Kind, row: Int, pick: Int, cells: Codes, event_ms: Int, columns: Columns
) -> Iterator[Contribution]:
    """Counted events of one kind in field use; `pick` = their rows of `columns`."""
    for statistic in plan.of_family(statistics.SAFETY):
        counted = counted_by(statistic.subject)
        if Kind[counted.kind.upper()] is not kind:
            continue
        matched = np.ones(len(pick), np.bool_)
        for field, accepted in counted.where.items():
            matched &= _holds(columns, pick, field, accepted)
        nonserious = _holds(columns, pick, "seriousness", NOT_SERIOUS) | _holds(columns, pick, "expectedness", _EXPECTED)
        yield Contribution(
            statistic,
            row,
            cells,
            event_ms,
            [
                Increments(Safety.MATCHED, where=matched),
                Increments(Safety.SERIOUS, where=matched & ~nonserious),
                Increments(Safety.NONSERIOUS, where=matched & nonserious),
            ],
        )


def _holds(columns: Columns, pick: Int, field: str, accepted: Sequence[str | bool | float]) -> Bool:
    """Whether the field was sent with one of the accepted values; a boolean is a number of 0 or 1 in columns."""
    text, number = columns.text(field), columns.number(field)[pick]
    words = {value for value in accepted if isinstance(value, str)}
    known = np.array([value in words for value in text.values] + [False], np.bool_)
    numbers = [float(value) for value in accepted if not isinstance(value, str)]
    found: Bool = known[text.codes[pick]] | np.isin(number, numbers)  # code -1 (not sent) reads the last entry
    return found
