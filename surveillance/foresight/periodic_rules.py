"""Trend tests and run rules before release: exact waiting times of a rule that is looked at once a period.

A harm sets in at the start of a period; for a trend test, of an observation period.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from detectors.poisson_trend_chain import PoissonTrendChain
from detectors.run_rule_chain import ALTERNATING, RISING, AlternatingChain, RisingChain, ZoneChain
from detectors.run_rules import needs_centre
from detectors.series_cells import NormalPoint, PointShape, PoissonPoint, normal_cells, poisson_cells
from surveillance.evaluation.chart_standard import standard_of
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.detection import FALSE_ALARM, smallest_seen
from surveillance.foresight.field_scopes import FieldScope, scopes_of
from surveillance.foresight.harms import DRIFT_EFFECT, Harm, dispersion_of
from surveillance.foresight.persistence_chain import LONGEST_MEMORY, LookedAt, opened_by, openings
from surveillance.foresight.quiet_use import per_inference
from surveillance.manifest.manifest import Manifest, Persistence
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.metrics_safety import RunRule, TrendTest
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import DAY_MS

MONTH_DAYS = 365.25 / 12
MOST_PERIODS = 240
"""Periods within which a harm is looked for: twenty years of months."""
_SETTLED = 120
"""Periods over which a quiet series' chance of a hit is averaged."""
_MOST_RISE = 120.0
"""Standard deviations, or half as many times its quiet frequency, up to which a series rises."""
_MANY = 1000.0
"""Events in a period of more than which a rising series does nothing else."""
_NONE = 1e-12
_NARROW, _MIXED = 7, 8
_MORE_EVENTS = Harm(2.0, "events come {:.3g} times as often", 50.0)
_RISING_EVENTS = Harm(0.25, "events rise by {:.0%} of their quiet frequency each period", 10.0)
_MOST_LOOKS = 240
"""Periods of a trend that is worked out: twenty years of months take some seconds."""


@dataclass(frozen=True, slots=True)
class Periodic(ABC):
    """A monitor of periods in one scope, with the persistence `k` of `of`; `harm` is what it is there to see."""

    scope: FieldScope
    period_days: float
    persistence: Persistence
    harm: Harm

    @abstractmethod
    def after(self, effect: float) -> LookedAt:
        """The looks after a harm of this size; 0 = none."""

    @property
    def quiet_looks(self) -> int:
        """Looks over which false alarms are averaged."""
        return _SETTLED

    @property
    def false_alarms_a_look(self) -> float:
        """Incidents a period of a quiet field."""
        return openings(self.after(0.0), self.persistence, self.quiet_looks) / self.quiet_looks

    def days(self, power: float) -> float | None:
        """Days until the harm has opened an incident with this probability; None = not in `MOST_PERIODS`."""
        looks = islice(self._course(self.harm.effect), MOST_PERIODS)
        return next((number * self.period_days for number, opened in enumerate(looks, 1) if opened >= power), None)

    def smallest(self, days: float, power: float) -> float | None:
        """The smallest harm, to a few per cent, that opens an incident within so many days; None where none does."""
        looks = self._looks(days)
        while looks > 1 and self._opened(0.0, looks) > FALSE_ALARM:
            looks //= 2  # a false alarm that comes anyway sees nothing

        def seen(size: float) -> bool:
            return self._opened(size, looks) >= power

        return smallest_seen(seen, self.harm.most) if seen(self.harm.most) else None

    def opens_quietly(self, days: float) -> bool:
        """Whether a false alarm within so many days is so frequent that an incident says nothing of a harm."""
        return self._opened(0.0, self._looks(days)) > FALSE_ALARM

    def _looks(self, days: float) -> int:
        return min(math.floor(days / self.period_days), MOST_PERIODS)

    def _opened(self, effect: float, looks: int) -> float:
        return next(islice(self._course(effect), looks - 1, None)) if looks else 0.0

    def _course(self, effect: float) -> Iterator[float]:
        return opened_by(self.after(effect), self.persistence.k, self.persistence.of)


@dataclass(frozen=True, slots=True)
class PeriodicTrend(Periodic):
    """A trend test in a scope in which `expected` events come in a period; all of an observation period at upper tails below
    `p`."""

    metric: TrendTest
    expected: float
    p: float

    def after(self, effect: float) -> LookedAt:
        return PoissonTrendChain(self.expected, self.metric.looks, self.p / self.metric.looks, effect or 1.0)

    @property
    def quiet_looks(self) -> int:
        return self.metric.looks


@dataclass(frozen=True, slots=True)
class PeriodicMeans(Periodic):
    """A run rule on means or shares; `scale` = standard deviations of points in one unit of the harm."""

    rule: int
    scale: float

    def after(self, effect: float) -> LookedAt:
        size = effect * self.scale
        if self.rule == RISING:
            return RisingChain(normal_cells(lambda number: min(size * (number + 1), _MOST_RISE), MOST_PERIODS))
        if self.rule == ALTERNATING:
            return AlternatingChain(normal_cells(lambda number: min(size, _MOST_RISE) * (number % 2), MOST_PERIODS))
        if self.rule == _NARROW:
            return ZoneChain(self.rule, NormalPoint(), NormalPoint(sd=max(1 - effect, 1e-3)))
        if self.rule == _MIXED:
            return ZoneChain(self.rule, NormalPoint(), NormalPoint(sd=1 + effect))
        return ZoneChain(self.rule, NormalPoint(), NormalPoint(size))


@dataclass(frozen=True, slots=True)
class PeriodicCounts(Periodic):
    """A run rule on events per use: `expected` events in a period of `uses`."""

    metric: RunRule
    expected: float
    uses: float

    def after(self, effect: float) -> LookedAt:
        if self.metric.rule != RISING:
            return ZoneChain(self.metric.rule, self._point(1.0), self._point(effect or 1.0))
        quiet, most = min(self.expected, _MANY), max(_MOST_RISE / 2, 8 * effect)
        return RisingChain(poisson_cells(quiet, lambda number: quiet * (1 + min(effect * (number + 1), most)), MOST_PERIODS))

    def _point(self, risk: float) -> PointShape:
        assert self.metric.mean is not None
        assert self.metric.sd is not None
        spread = self.metric.sd * self.uses
        if spread > math.sqrt(self.expected):
            # The author knows of more than chance: points vary as stated.
            return NormalPoint((risk - 1) * self.expected / spread)
        return PoissonPoint(risk * self.expected, self.uses, self.metric.mean, self.metric.sd)


def is_periodic(monitor: Monitor) -> bool:
    """Whether it is looked at once a period."""
    return isinstance(monitor.metric, TrendTest | RunRule)


def periodic_of(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str) -> Iterator[Periodic]:
    """The monitor in each of its scopes; nothing where the manifest does not say what its points are compared with, or where
    persistence looks back, or a trend spans, further than can be worked out."""
    rule = manifest.persistence_of(monitor, level)
    if rule.k > 1 and rule.of > LONGEST_MEMORY:
        return
    for axes in monitor.axes or ((),):
        for scope in scopes_of(manifest, field, axes):
            found = _of_scope(manifest, field, monitor, level, scope, rule)
            if found is not None:
                yield found


def _of_scope(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str, scope: FieldScope, rule: Persistence
) -> Periodic | None:
    metric, p = monitor.metric, monitor.limits.by_level[level].p
    if isinstance(metric, TrendTest):
        if metric.looks > _MOST_LOOKS:
            return None
        uses = field.per_day * scope.share * per_inference(field, metric.uses) * MONTH_DAYS
        # Where nothing is expected the test has no number; so little is as good as nothing.
        expected = max(metric.baseline_frequency_per_1000 / 1000 * uses, _NONE)
        return None if p is None else PeriodicTrend(scope, MONTH_DAYS, rule, _MORE_EVENTS, metric, expected, p)
    if not isinstance(metric, RunRule):
        return None
    days = MONTH_DAYS if metric.period == "month" else metric.period / DAY_MS
    cases = field.per_day * scope.share * days
    if metric.chart is not None:
        return _means(manifest, metric, metric.chart, scope, days, rule, cases)
    return _counts(manifest, monitor, metric, scope, days, rule, cases * per_inference(field, metric.uses))


def _means(
    manifest: Manifest, metric: RunRule, chart: NormalChart, scope: FieldScope, days: float, rule: Persistence, cases: float
) -> Periodic | None:
    """In standard deviations of cases where the manifest knows those, else of the points."""
    standard = standard_of(manifest, chart, scope.scope, DAY_MS)
    if standard is None and needs_centre(metric.rule):
        return None
    if standard is None or standard.of_windows or chart.of == "rate":
        return PeriodicMeans(scope, days, rule, _harm_of_means(metric.rule, "points"), metric.rule, 1.0)
    scale = math.sqrt(max(cases, 1.0)) / dispersion_of(manifest, chart)
    return PeriodicMeans(scope, days, rule, _harm_of_means(metric.rule, "cases"), metric.rule, scale)


def _counts(
    manifest: Manifest, monitor: Monitor, metric: RunRule, scope: FieldScope, days: float, rule: Persistence, uses: float
) -> Periodic | None:
    frequency = _frequency(manifest, monitor, metric)
    if metric.rule == RISING and frequency is None:
        return PeriodicMeans(scope, days, rule, _harm_of_means(RISING, "points"), RISING, 1.0)
    is_centred = metric.mean is not None and metric.sd is not None
    if frequency is None or not (is_centred or metric.rule == RISING) or metric.rule in (ALTERNATING, _NARROW, _MIXED):
        return None
    harm = _RISING_EVENTS if metric.rule == RISING else _MORE_EVENTS
    return PeriodicCounts(scope, days, rule, harm, metric, max(frequency * uses, _NONE), max(uses, _NONE))


def _frequency(manifest: Manifest, monitor: Monitor, metric: RunRule) -> float | None:
    """Events per use: the stated mean, else what is assumed of the hazard."""
    if metric.mean is not None:
        return metric.mean if metric.mean > 0 else None
    hazard = next((one for one in manifest.hazards if one.id == monitor.hazard_id), None)
    return hazard.assumed_rate_per_10k / 10_000 if hazard is not None and hazard.assumed_rate_per_10k else None


def _harm_of_means(rule: int, unit: str) -> Harm:
    one = DRIFT_EFFECT if unit == "cases" else 1.0
    if rule == RISING:
        each = DRIFT_EFFECT / 5 if unit == "cases" else 1.0
        return Harm(each, f"mean rises by {{:.3g}} standard deviations of {unit} each period", 5.0)
    if rule == ALTERNATING:
        return Harm(2 * one, f"every other mean lies {{:.3g}} standard deviations of {unit} higher", 10.0)
    if rule == _NARROW:
        return Harm(0.5, "standard deviation of points falls by {:.0%}", 0.99, falls=True)
    if rule == _MIXED:
        return Harm(1.0, "standard deviation of points rises by {:.0%}", 20.0)
    return Harm(one, f"mean moves by {{:.3g}} standard deviations of {unit}", 5.0)
