"""Limits that would keep false alarms inside the budget: told to the author of a manifest; a run never changes one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from surveillance.errors import Problem
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.false_alarms import FalseAlarms, false_alarms_of, simulated, total_by_level
from surveillance.foresight.monitor_cells import cells_of
from surveillance.foresight.plain_limits import fitting_value, plain_limit
from surveillance.foresight.quiet_time import QuietLines
from surveillance.foresight.simulated_rate import CLEARLY, Rate, in_quadrature
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metric_kind import MetricKind
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.metrics_operation import Quantile
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.metrics_safety import MaxSprtPoisson
from surveillance.manifest.model_limits import LEVELS, LevelLimit, Limits
from surveillance.manifest.model_monitors import IntervalChoice, Monitor
from surveillance.panes.plan import Series

WORST = 3
"""Monitors of a level for which a limit is looked for, the worst first."""
INTERVAL_LEVELS = (0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999, 0.999999)
_READ_INTERVAL = frozenset(
    {"abs", "abs_min", "ci_lower_above", "ci_upper_below", "outside", "ratio_to_baseline", "rr_ci_lower_above"}
)
"""Conditions that are judged by a bound of the interval, as `above` is of waits alone."""
_POWERS_OF_TEN = 12
_LARGEST_RISE = 16
_BISECTIONS = 6


@dataclass(frozen=True, slots=True)
class Fit:
    """`key` (`interval.level`, or a limit key of the level) at which the monitor would keep its `share` of the budget.

    `value` None: no value of it would do. `key` None: no number of the level can be moved.
    """

    monitor_id: str
    level: str
    key: str | None
    now: float | None
    value: float | None
    share: float


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """`expected` false alarms per 30 days at a level over all monitors, with the standard `error` of what of it is simulated,
    against the budget; None = no budget is stated. `error_down` = by which it may be too much: less than none is raised by no
    monitor, so one that raised nothing in the simulation can only add."""

    level: str
    expected: float
    budget: float | None
    error: float = 0.0
    error_down: float = 0.0

    @property
    def excess(self) -> float:
        """By how much more is expected than the budget has; 0 where it has room."""
        return 0.0 if self.budget is None else max(0.0, self.expected - self.budget)

    @property
    def fits(self) -> bool:
        """Whether nothing shows that the budget is exceeded: what chance of the simulation explains does not."""
        return self.excess <= CLEARLY * self.error_down


def budget_of(manifest: Manifest, alarms: Sequence[FalseAlarms]) -> list[BudgetLine]:
    """Sum and budget of each level."""
    budget, found = manifest.surveillance.false_alarm_budget.per_30_days, total_by_level(alarms)
    rates = {level: found.get(level, Rate(0.0)) for level in LEVELS}
    down = {level: in_quadrature(_error_down(one) for one in alarms if one.level == level) for level in LEVELS}
    return [BudgetLine(level, rate.per_30_days, budget.get(level), rate.error, down[level]) for level, rate in rates.items()]


def _error_down(one: FalseAlarms) -> float:
    return min(one.error, (one.per_30_days or 0.0) / CLEARLY)


def over_budget(budget: Sequence[BudgetLine]) -> list[Problem]:
    """A warning for each level whose sum is above its budget."""
    path = "surveillance.false_alarm_budget.per_30_days"
    return [
        Problem(
            f"{path}.{line.level}",
            f"{line.expected:.3g} false alarms per 30 days are expected, above the budget of {line.budget:g}",
            "warning",
        )
        for line in budget
        if not line.fits and line.budget is not None
    ]


def fits_of(
    manifest: Manifest, seed: str, field: FieldAssumptions, alarms: Sequence[FalseAlarms], lines: Sequence[BudgetLine]
) -> Iterator[Fit]:
    """For each level whose sum is above its budget, what would bring its worst monitors to an equal share of the budget."""
    for line in lines:
        if line.fits or line.budget is None:
            continue
        of_level = [one for one in alarms if one.level == line.level and one.per_30_days]
        share = line.budget / len(of_level)
        above = sorted((one for one in of_level if (one.per_30_days or 0.0) > share), key=lambda one: -(one.per_30_days or 0.0))
        for one in above[:WORST]:
            monitor = manifest.monitor(one.monitor_id)
            assert monitor is not None
            yield _fit(manifest, seed, field, monitor, line.level, share)


def _fit(manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor, level: str, share: float) -> Fit:
    limit = monitor.limits.by_level[level]

    def fit(key: str | None, now: float | None, found: float | None) -> Fit:
        return Fit(monitor.id, level, key, now, found, share)

    rate = _by_its_type(manifest, seed, field, level)
    if isinstance(monitor.metric, BernoulliCusum | NormalChart) and limit.h is not None:
        return fit("h", limit.h, _smallest(limit.h, lambda h: rate(with_limit(monitor, level, "h", h)).fits(share)))
    if isinstance(monitor.metric, MaxSprtPoisson) and limit.llr is not None:
        return fit("llr", limit.llr, _smallest(limit.llr, lambda llr: rate(with_limit(monitor, level, "llr", llr)).fits(share)))
    lines = simulated(manifest, seed, field, monitor)[0] if cells_of(manifest, field, monitor) else None
    if lines is not None:
        rate = _on_the_same_windows(manifest, lines, level)
    if limit.p is not None:
        smaller = (limit.p / 10**step for step in range(1, _POWERS_OF_TEN))
        return fit("p", limit.p, _first(smaller, monitor, level, "p", rate, share))
    if limit.e is not None:
        # By Markov's inequality an e-value reaches a limit at most so much oftener than one that many times as high.
        fitting = limit.e * max(rate(monitor).per_30_days / share, 1.0) if share > 0 else math.inf
        larger = (_rounded_up(fitting * 10**step) for step in range(_POWERS_OF_TEN) if math.isfinite(fitting))
        return fit("e", limit.e, _first(larger, monitor, level, "e", rate, share))
    if _reads_interval(monitor.metric, limit):
        levels = (one for one in INTERVAL_LEVELS if one > monitor.interval.level)
        found = next((one for one in levels if rate(with_interval(monitor, one)).fits(share)), None)
        return fit("interval.level", monitor.interval.level, found)
    plain = plain_limit(monitor.metric, limit)
    if plain is None or lines is None:
        return fit(None, None, None)
    values, key = lines.values(manifest, [cell.series for cell in lines.cells]), plain.key
    at = fitting_value(plain, values, lambda value: rate(with_limit(monitor, level, key, value)), share)
    return fit(key, plain.value, at)


def _rounded_up(value: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.2g}")


def _smallest(now: float, fits: Callable[[float], bool]) -> float | None:
    """The smallest limit of a chart or a sequential test that fits, rounded up to two decimals."""
    low, high = now, 2 * now
    while not fits(high):
        low, high = high, 2 * high
        if high > _LARGEST_RISE * now:
            return None
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return math.ceil(high * 100) / 100


def _first(
    values: Iterator[float], monitor: Monitor, level: str, key: str, rate: Callable[[Monitor], Rate], share: float
) -> float | None:
    return next((value for value in values if rate(with_limit(monitor, level, key, value)).fits(share)), None)


def _by_its_type(manifest: Manifest, seed: str, field: FieldAssumptions, level: str) -> Callable[[Monitor], Rate]:
    def rate(changed: Monitor) -> Rate:
        found = false_alarms_of(manifest, seed, field, changed)
        rates = (Rate(one.per_30_days, one.error, 1.0) for one in found if one.level == level and one.per_30_days is not None)
        return next(rates, Rate(0.0))

    return rate


def _on_the_same_windows(manifest: Manifest, lines: QuietLines, level: str) -> Callable[[Monitor], Rate]:
    """The rate of a changed monitor on the windows that were simulated for the one as it stands."""

    def rate(changed: Monitor) -> Rate:
        series = [Series(changed, one.series.axes, one.series.feature, one.series.statistic) for one in lines.cells]
        return lines.judged(manifest, series).rates[level]

    return rate


def _reads_interval(metric: MetricKind, limit: LevelLimit) -> bool:
    if metric.interval_family == "none" and "outside" not in metric.limit_keys:
        return False
    return not _READ_INTERVAL.isdisjoint(limit.conditions) or (isinstance(metric, Quantile) and limit.above is not None)


def with_limit(monitor: Monitor, level: str, key: str, value: float) -> Monitor:
    """The monitor with one condition of one level changed."""
    limits = monitor.limits
    levels = {each: getattr(limits, each) for each in LEVELS}
    levels[level] = LevelLimit.model_construct(
        **{name: getattr(levels[level], name) for name in LevelLimit.model_fields} | {key: value}
    )
    return monitor.model_copy(update={"limits": Limits.model_construct(mode=limits.mode, **levels)})


def with_interval(monitor: Monitor, level: float) -> Monitor:
    """The monitor with another level of its interval."""
    return monitor.model_copy(update={"interval": IntervalChoice(method=monitor.interval.method, level=level)})
