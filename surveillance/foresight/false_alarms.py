"""False alarms: incidents that the monitors of a manifest would raise in 30 days of a field in which all is well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from detectors.run_length import RunLength, cusum_run_length, ewma_run_length
from surveillance.foresight.adverse_events import SafetyTest
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.field_scopes import scopes_of
from surveillance.foresight.label_charts import LabelChart
from surveillance.foresight.looks_together import are_judged_together, are_simulated_together
from surveillance.foresight.monitor_cells import cells_of, one_by_one, series_of
from surveillance.foresight.periodic_rules import is_periodic, periodic_of
from surveillance.foresight.persistence_chain import LONGEST_MEMORY
from surveillance.foresight.quiet_events import field_of
from surveillance.foresight.quiet_time import FIRST_LOOKS, JUDGED_LOOKS, MOST_LOOKS, Cell, QuietLines, QuietTime
from surveillance.foresight.simulated_rate import Rate, in_quadrature
from surveillance.foresight.span_text import span_text
from surveillance.foresight.stand_ins import stand_in
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.metrics_operation import Quantile
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.metrics_safety import MaxSprtPoisson
from surveillance.manifest.model_limits import LevelLimit
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import DAY_MS

NOTHING_EXPECTED = frozenset(
    {
        "identity_mismatch",
        "mismatch_count",
        "heartbeat_gap",
        "clock_offset_s",
        "min_value",
        "event_count",
    }
)
"""Types that count what a field in which all is well does not have: each one found is no false alarm."""


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """`per_30_days` of one monitor at one level over all its scopes, None where nothing can be said; `how` it was found, and the
    Monte Carlo standard `error`, 0 where nothing was drawn."""

    monitor_id: str
    level: str
    per_30_days: float | None
    how: str
    error: float = 0.0


def false_alarms_of(manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor) -> list[FalseAlarms]:
    """False alarms of a monitor by level, mildest first; none of one that opens no incident."""
    levels = manifest_levels(monitor)
    if monitor.dry_run or not levels:
        return []
    metric = monitor.metric
    if metric.type in NOTHING_EXPECTED:
        return [FalseAlarms(monitor.id, level, 0.0, "none expected: it counts what should not happen at all") for level in levels]
    if isinstance(metric, BernoulliCusum):
        return _of_label_chart(manifest, field, monitor, metric)
    if isinstance(metric, NormalChart):
        return _of_normal_chart(manifest, field, monitor, metric)
    if is_periodic(monitor):
        return [_of_periods(manifest, field, monitor, level) for level in levels]
    if not cells_of(manifest, field, monitor):
        return [_without_cells(manifest, seed, field, monitor, level, limit) for level, limit in levels.items()]
    _, time = simulated(manifest, seed, field, monitor)
    return [_of_time(monitor, level, time) for level in levels]


def _without_cells(
    manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor, level: str, limit: LevelLimit
) -> FalseAlarms:
    """By a simpler monitor that alarms when this one does, else by what its test allows."""
    simpler = stand_in(manifest, field, monitor, level)
    if simpler is None:
        return FalseAlarms(monitor.id, level, *_nominal(manifest, field, monitor, limit))
    _, time = _precisely(simpler.manifest, seed, simpler.field, simpler.cells)
    return _of_time(monitor, level, time)


def _of_time(monitor: Monitor, level: str, time: QuietTime) -> FalseAlarms:
    rate = time.rates[level]
    return FalseAlarms(monitor.id, level, rate.per_30_days, time.how(level), rate.error)


def simulated(manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor) -> tuple[QuietLines, QuietTime]:
    """Simulated windows of a monitor that judges sums, and what it raises on them."""
    return _precisely(manifest, seed, field_of(manifest, field, monitor), cells_of(manifest, field, monitor))


def _precisely(manifest: Manifest, seed: str, field: FieldAssumptions, cells: Sequence[Cell]) -> tuple[QuietLines, QuietTime]:
    """Over more time where the first leaves too large an error, as far as the time for a forecast allows."""
    monitor, budget = cells[0].series.monitor, manifest.surveillance.false_alarm_budget.per_30_days
    if are_simulated_together(manifest, monitor):
        cells = one_by_one(list(cells))
    lines = QuietLines(manifest, seed, field, cells)
    time = lines.judged(manifest, [cell.series for cell in cells])
    most = min(MOST_LOOKS, round(JUDGED_LOOKS / time.distinct))
    if most <= FIRST_LOOKS or are_judged_together(manifest, monitor) or time.is_precise(budget):
        return lines, time
    lines = QuietLines(manifest, seed, field, cells, most)
    return lines, lines.judged(manifest, [cell.series for cell in cells])


def manifest_levels(monitor: Monitor) -> Mapping[str, LevelLimit]:
    """Levels that can be reached by numbers alone; what a person confirms is no alarm."""
    return {level: limit for level, limit in monitor.limits.by_level.items() if limit.confirmed_causal is None}


def _of_label_chart(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: BernoulliCusum) -> list[FalseAlarms]:
    found = []
    for level, limit in manifest_levels(monitor).items():
        if limit.h is None:
            continue
        rate, how = 0.0, ""
        for axes in monitor.axes or ((),):
            for scope in scopes_of(manifest, field, axes):
                chart = LabelChart(manifest, metric, field, scope.share)
                rate, how = rate + scope.alike * 30 / chart_days(chart, limit.h), chart.how
        found.append(FalseAlarms(monitor.id, level, rate, how))
    return found


def chart_days(chart: LabelChart, h: float) -> float:
    """Days between false alarms; infinite where there is no such chart, which lint names."""
    try:
        return chart.days_between_false_alarms(h)
    except ValueError:
        return math.inf


def _of_normal_chart(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: NormalChart) -> list[FalseAlarms]:
    window = manifest.surveillance.window(monitor.window) if monitor.window is not None else None
    if window is None:
        return [
            FalseAlarms(monitor.id, level, None, "not estimated: a chart without a window") for level in manifest_levels(monitor)
        ]
    scopes = sum(scope.alike for axes in monitor.axes or ((),) for scope in scopes_of(manifest, field, axes))
    scopes *= max(1, len({one.feature for one in series_of(manifest, monitor)}))
    looks = 30 * DAY_MS / window.slide_ms
    return [
        FalseAlarms(monitor.id, level, scopes * looks / normal_run_length(metric, limit.h).mean, "run length of the chart")
        for level, limit in manifest_levels(monitor).items()
        if limit.h is not None
    ]


def _of_periods(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str) -> FalseAlarms:
    scopes = list(periodic_of(manifest, field, monitor, level))
    if not scopes:
        why = f"what its points are compared with is not stated, or persistence looks further back than {LONGEST_MEMORY} periods"
        return FalseAlarms(monitor.id, level, None, f"not estimated: {why}")
    rate = math.fsum(one.scope.alike * one.false_alarms_a_look * 30 / one.period_days for one in scopes)
    return FalseAlarms(monitor.id, level, rate, "exact, period by period")


def normal_run_length(metric: NormalChart, h: float, shift: float = 0.0) -> RunLength:
    """Windows until a normal chart signals; a `shift`, in units of z, is taken on the side that the chart looks at."""
    tail = metric.tail if shift == 0.0 else "upper"
    if metric.type == "cusum":
        return cusum_run_length(metric.k, h, shift=shift, tail=tail)
    return ewma_run_length(metric.smoothing, h, shift=shift, tail=tail)


def _nominal(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, limit: LevelLimit) -> tuple[float | None, str]:
    """What the test's own error allows, for types that are not simulated."""
    metric = monitor.metric
    if isinstance(metric, MaxSprtPoisson):
        if limit.llr is None:
            return 0.0, "none expected: that T is used up is no false alarm"
        return _of_safety_tests(manifest, field, monitor, metric, limit.llr)
    scopes = [scope for axes in monitor.axes or ((),) for scope in scopes_of(manifest, field, axes)]
    if limit.p is not None:
        return _of_p(manifest, monitor, limit, math.fsum(scope.alike for scope in scopes))
    if isinstance(metric, Quantile):
        return None, f"not estimated: baselines.operational.{metric.field} states no p50 below a p95"
    if limit.coverage_mature_below is not None:
        return _of_coverage(manifest, limit.coverage_mature_below)
    return None, "not estimated"


def _of_coverage(manifest: Manifest, limit: float) -> tuple[float | None, str]:
    latency = manifest.baselines.label_latency
    if latency is None or latency.expected_coverage is None:
        return None, "not estimated: baselines.label_latency.expected_coverage is absent"
    if latency.expected_coverage <= limit:
        return None, "not estimated: baselines.label_latency.expected_coverage is not above the limit"
    return 0.0, "none expected: the limit lies below the coverage that the manifest assumes"


def _of_safety_tests(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: MaxSprtPoisson, llr: float
) -> tuple[float, str]:
    scopes = [scope for axes in monitor.axes or ((),) for scope in scopes_of(manifest, field, axes)]
    tests = [(scope.alike, SafetyTest(metric, field, scope.share)) for scope in scopes]
    rate = math.fsum(alike * test.false_alarms_per_30_days(llr) for alike, test in tests)
    used_up = span_text(min(test.horizon_days for _, test in tests))
    return rate, f"exact, mean of a year; T is used up in {used_up}{' at the earliest' if len(tests) > 1 else ''}"


def _of_p(manifest: Manifest, monitor: Monitor, limit: LevelLimit, scopes: float) -> tuple[float | None, str]:
    """At most: each look breaches with probability p, over all scopes together where p-values are adjusted over them."""
    window = manifest.surveillance.window(monitor.window) if monitor.window is not None else None
    if window is None or limit.p is None or not limit.conditions:
        return None, "not estimated"
    level = next(level for level, one in monitor.limits.by_level.items() if one is limit)
    rule = manifest.persistence_of(monitor, level)
    adjusted = manifest.strata.multiplicity.method != "none"
    breach = limit.p / scopes if adjusted else limit.p
    looks = 30 * DAY_MS / window.slide_ms
    if window.is_sliding:
        # Looks at the same events breach together: each stretch of a window's length counts as one.
        return scopes * breach * looks * window.slide_ms / window.size_ms * 2, "at most what the error of its test allows"
    ways = math.comb(rule.of - 1, rule.k - 1)
    return scopes * looks * ways * breach**rule.k, "at most what the error of its test allows"


def total_by_level(alarms: Iterable[FalseAlarms]) -> dict[str, Rate]:
    """Sum over monitors by level; what is not estimated is left out."""
    found: dict[str, Rate] = {}
    for one in alarms:
        if one.per_30_days is not None:
            sofar = found.get(one.level, Rate(0.0))
            found[one.level] = Rate(sofar.per_30_days + one.per_30_days, in_quadrature((sofar.error, one.error)))
    return found
