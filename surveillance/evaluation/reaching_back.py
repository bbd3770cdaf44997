"""Windows that reach back over earlier spans until they hold enough, 28 days at most."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.evaluation.rollups import Measure
from surveillance.evaluation.window_sums import WindowSums
from surveillance.times import DAY_MS

LONGEST_EXTENSION_MS = 28 * DAY_MS
_NEVER = np.iinfo(np.int64).max


def reach_back(
    sums: WindowSums, measure: Measure, needed: int, codes: Int, size: Int, starts: Int, begins: Iterable[int]
) -> Bool:
    """Move `starts` back along `begins` until each group measures at least `needed`; returns which never do, (groups,).

    `codes` of the groups in their table, -1 where it knows none; `starts` of their windows, all alike; `size` = what they
    measure from there on. `begins` go back from the starts, descending.
    """
    small = size < needed
    earliest, later = np.where(codes < 0, _NEVER, np.array(sums.table.first_pane, np.int64)[codes]), int(starts[0])
    searching = np.flatnonzero(small & (earliest < later))
    found = size[searching]
    for begin in begins:
        if not len(searching):
            break
        found = found + sums.measured(measure, begin, later)[codes[searching]]
        reached = found >= needed
        starts[searching[reached]], small[searching[reached]] = begin, False
        goes_on = ~reached & (earliest[searching] < begin)
        searching, found, later = searching[goes_on], found[goes_on], begin
    return small


def gather_back(sums: WindowSums, counts: Int, codes: Int, start_ms: int, starts: Int) -> None:
    """Add to `counts` (groups, length), which begin at `start_ms`, what each group holds from its own of the `starts` on."""
    later, pending = start_ms, np.flatnonzero(starts < start_ms)
    wider = counts[pending]
    for begin in np.unique(starts[pending])[::-1].tolist():
        sums.add_to(wider, codes[pending], begin, later)
        reached = starts[pending] == begin
        counts[pending[reached]] = wider[reached]
        pending, wider, later = pending[~reached], wider[~reached], begin
