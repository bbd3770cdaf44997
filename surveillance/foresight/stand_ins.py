"""Monitors of waits and of label arrivals, foretold by a simpler monitor that alarms when they do.

A quantile of waits lies above a limit when more than 1 - q of them are longer: a rate of long waits. Labels arrive, once the
curve has filled, at the rate of inferences times their coverage: a volume.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, NamedTuple

from surveillance.foresight.assumptions import HOURS_A_WEEK, FieldAssumptions
from surveillance.foresight.field_scopes import FieldScope, scopes_of
from surveillance.foresight.harms import Harm, harmed
from surveillance.foresight.quiet_field import World
from surveillance.foresight.quiet_time import Cell
from surveillance.foresight.quiet_use import QuietUse, QuietVolume
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_operation import LabelArrivals, Quantile, RateOf, Volume
from surveillance.manifest.model_limits import LEVELS, LevelLimit, Limits
from surveillance.manifest.model_monitors import IntervalChoice, Monitor
from surveillance.manifest.model_operational import ExpectedVolume, Figure
from surveillance.manifest.model_strata import Axis
from surveillance.panes.plan import Series
from surveillance.panes.statistics import USE
from surveillance.times import DAY_MS

SLOWER = 3.0
"""How many times as long waits get when something is wrong with them."""
_SITE = Axis(id="site", source="site_id")
_Z95 = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class StandIn:
    """A simpler monitor of one level in a manifest and a field of its own; `waits` and `limit` where it is about waits.

    `scopes` = those of the monitor that it stands in for, one for each of its own `cells`.
    """

    manifest: Manifest
    field: FieldAssumptions
    cells: tuple[Cell, ...]
    scopes: tuple[FieldScope, ...]
    waits: Figure | None = None
    limit: float = 0.0

    def after(self, world: World, monitor: Monitor, harm: Harm) -> World:
        """The world in which waits take `effect` times as long, or fewer labels arrive."""
        if self.waits is None or not isinstance(world, QuietUse):
            return harmed(world, monitor, harm)
        return replace(world, rate=share_longer(self.waits, self.limit / max(harm.effect, 1.0)))


def stand_in(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str) -> StandIn | None:
    """The stand-in of a monitor for one level; None where there is none, or the manifest states no waits or labels."""
    limit = monitor.limits.by_level[level]
    if isinstance(monitor.metric, Quantile) and limit.above is not None:
        return _of_waits(manifest, field, monitor, monitor.metric, level, limit.above)
    if isinstance(monitor.metric, LabelArrivals) and limit.p is not None:
        return _of_arrivals(manifest, field, monitor, level, limit.p)
    return None


class CoverageSeen(NamedTuple):
    """Labels that fall by more than `effect` leave the coverage of mature windows below its limit, after so many days."""

    effect: float
    days: float


def coverage_seen(manifest: Manifest, monitor: Monitor) -> CoverageSeen | None:
    """What the coverage of mature windows sees, at the mildest level that looks at it; None where none does."""
    latency = manifest.baselines.label_latency
    window = manifest.surveillance.window(monitor.window or "")
    age_ms = latency.maturity.or_age_ms if latency is not None else None
    if latency is None or not latency.expected_coverage or window is None or age_ms is None:
        return None
    for level, limit in monitor.limits.by_level.items():
        if limit.coverage_mature_below is not None and limit.coverage_mature_below < latency.expected_coverage:
            looks_ms = manifest.persistence_of(monitor, level).k * window.slide_ms
            return CoverageSeen(1 - limit.coverage_mature_below / latency.expected_coverage, (age_ms + looks_ms) / DAY_MS)
    return None


def share_longer(waits: Figure, limit: float) -> float:
    """Share of waits beyond a limit, log-normal through the stated median and 95th percentile."""
    assert waits.p50 is not None
    assert waits.p95 is not None
    spread = max(math.log(waits.p95 / waits.p50) / _Z95, 1e-6)
    return 1.0 - NormalDist(math.log(waits.p50), spread).cdf(math.log(max(limit, 1e-9)))


def _of_waits(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: Quantile, level: str, limit: float
) -> StandIn | None:
    waits = manifest.baselines.operational.figure(metric.field)
    if waits is None or waits.p50 is None or waits.p95 is None or not 0 < waits.p50 < waits.p95:
        return None
    of_alerts = metric.field == "ack_latency_s"
    rate = RateOf(type="rate", numerator="overrides", denominator="alerts" if of_alerts else "inferences")
    simpler = _with(monitor, rate, level, LevelLimit(ci_lower_above=1.0 - metric.q))
    exposed = field.alert_rate if of_alerts else 1.0
    world = QuietUse(rate.numerator, rate.denominator, share_longer(waits, limit), exposed)
    cells = tuple(_cells(manifest, field, simpler, world))
    return StandIn(manifest, field, cells, tuple(cell.scope for cell in cells), waits, limit)


def _of_arrivals(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str, p: float) -> StandIn | None:
    latency = manifest.baselines.label_latency
    if latency is None or latency.expected_coverage is None:
        return None
    # Labels of many hours arrive in one: what is left of the hours of the week is their mean.
    mean = field.per_day / 24 * latency.expected_coverage
    labels = replace(field, hours=(mean,) * HOURS_A_WEEK, volume_dispersion=latency.dispersion or 1.0)
    simpler = _with(monitor, Volume(type="volume_vs_expected", tail="both"), level, LevelLimit(p=p))
    cells = tuple(_cells(manifest, labels, simpler, QuietVolume()))
    # A volume is only expected of sites, labels of every scope: each scope stands as a site of its own.
    series = Series(simpler, (_SITE.id,), None, USE)
    by_scope = {_named(cell.scope): (mean * cell.scope.share,) * HOURS_A_WEEK for cell in cells}
    as_sites = tuple(Cell(series, cell.scope._replace(scope=((_SITE.id, _named(cell.scope)),)), cell.world) for cell in cells)
    expected = ExpectedVolume(per="site", hour_of_week=by_scope, dispersion=latency.dispersion or 1.0)
    operational = manifest.baselines.operational.model_copy(update={"expected_volume": expected})
    baselines = manifest.baselines.model_copy(update={"operational": operational})
    strata = manifest.strata.model_copy(update={"axes": (_SITE,)})
    own = manifest.model_copy(update={"baselines": baselines, "strata": strata})
    return StandIn(own, labels, as_sites, tuple(cell.scope for cell in cells))


def _named(scope: FieldScope) -> str:
    return ", ".join(f"{axis}={level}" for axis, level in scope.scope)


def _with(monitor: Monitor, metric: RateOf | Volume, level: str, limit: LevelLimit) -> Monitor:
    """The monitor with another metric and one limit; what it says of persistence and minimum sample stays."""
    own = limit.model_copy(update={"persistence": monitor.limits.by_level[level].persistence})
    by_level: dict[str, Any] = {each: own if each == level else None for each in LEVELS}
    limits = Limits.model_construct(mode="null_scaled_chi2", **by_level)
    interval = IntervalChoice(method="wilson", level=monitor.interval.level)
    return monitor.model_copy(update={"metric": metric, "limits": limits, "interval": interval})


def _cells(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, world: QuietUse | QuietVolume) -> Iterator[Cell]:
    for axes in monitor.axes or ((),):
        series = Series(monitor, tuple(sorted(axes)), None, USE)
        for scope in scopes_of(manifest, field, tuple(sorted(axes))):
            yield Cell(series, scope, world)
