"""Which world a series draws from when all is well: the one list of what is simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from surveillance.arrays import Float, Int
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.foresight.quiet_bins import quiet_bins
from surveillance.foresight.quiet_events import quiet_events
from surveillance.foresight.quiet_labels import quiet_labels
from surveillance.foresight.quiet_rates import quiet_rates
from surveillance.foresight.quiet_shape import quiet_shape
from surveillance.foresight.quiet_use import quiet_use
from surveillance.manifest.manifest import Manifest
from surveillance.panes import statistics
from surveillance.panes.plan import Series


class World(Protocol):
    """Draws the counts of windows: `cases` (W,) inferences each, or events where those are counted, `common` (W,) standard
    normal, shared by all groups."""

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int: ...


WORLDS: Mapping[str, Callable[[Manifest, FieldAssumptions, Series, Scope], World]] = {
    statistics.FEATURE: quiet_bins,
    statistics.SCORE: quiet_bins,
    statistics.OUTPUT: quiet_bins,
    statistics.MIX: quiet_bins,
    statistics.SHAPE: quiet_shape,
    statistics.OOD: quiet_rates,
    statistics.QUALITY: quiet_rates,
    statistics.LABELS: quiet_labels,
    statistics.LABEL_SCORES: quiet_labels,
    statistics.EVENTS: quiet_events,
    statistics.CLOCKS: quiet_events,
    statistics.USE: lambda manifest, field, series, scope: quiet_use(manifest, field, series.monitor, scope),
}


def quiet_world(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> World | None:
    """The world of a series in a scope; None where its statistic is not simulated."""
    build = WORLDS.get(series.statistic.partition(":")[0])
    return build(manifest, field, series, scope) if build is not None else None
