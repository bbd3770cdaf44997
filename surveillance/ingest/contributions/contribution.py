"""`Contribution`: what rows of a batch add to one statistic: in which cells and panes, at which vector indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surveillance.arrays import Codes, Int
from surveillance.ingest.accumulate import Increments
from surveillance.panes.statistics import Statistic

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Contribution:
    """Increments of one statistic. `row` (of the batch, ascending), `cells` and `times_ms` have shape (n,).

    With `by_record` the rows are those of records instead, because events that were refused have no row.
    """

    statistic: Statistic
    row: Int
    cells: Codes
    times_ms: Int
    increments: Sequence[Increments]
    by_record: bool = False
