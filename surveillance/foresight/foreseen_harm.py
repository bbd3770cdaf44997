"""What each monitor would see of a stated harm, and how soon, at each scope of the field."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from detectors.run_length import RunLength
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.adverse_events import SafetyTest
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.detection import FALSE_ALARM, Detector, smallest_seen
from surveillance.foresight.false_alarms import chart_days, normal_run_length
from surveillance.foresight.field_scopes import FieldScope, scopes_of
from surveillance.foresight.harms import DRIFT_EFFECT, SHARE_EFFECT, Harm, dispersion_of, harm_of
from surveillance.foresight.label_charts import LabelChart
from surveillance.foresight.monitor_cells import cells_of, peers_of
from surveillance.foresight.onset import Onset, Shortfall
from surveillance.foresight.periodic_rules import is_periodic, periodic_of
from surveillance.foresight.quiet_events import field_of
from surveillance.foresight.stand_ins import SLOWER, StandIn, coverage_seen, stand_in
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.metrics_operation import CERTIFICATE_DAYS, LowestValue
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.metrics_safety import MaxSprtPoisson
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import base_pane_ms
from surveillance.times import DAY_MS

DEFAULT_POWER = 0.8
WITHIN_DAYS = 90.0
_QUIET_PART = -math.log(1 - FALSE_ALARM)
"""Part of a mean run length in which a false alarm is rare."""
_MOST_SHIFT = 5.0
_RISK, _MOST_RISK = 2.0, 50.0
_MOST_WINDOWS = 1 << 18
NONE_SEEN, NOT_TOLD = "none", "not told: breached when all is well"
_EVENTS = {"miss": "misses", "false_alert": "false alerts", "override": "overrides"}
AT_ONCE = frozenset({"identity_mismatch", "mismatch_count", "event_count", "heartbeat_gap", "min_value"})
"""Types that no chance stands between a harm and its incident: one event, or one look, is enough."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The harm that must be seen: `effect` on shares, with probability `power`, `within_days` of its onset."""

    effect: float
    power: float
    within_days: float
    source: str


@dataclass(frozen=True, slots=True)
class ForeseenHarm:
    """One monitor at one scope (`alike` of which there are) and its mildest level.

    `harm` in words; `days` until it opens an incident with the stated power, None = never; `smallest` = the smallest harm,
    in the unit of `harm`, that does so within the stated time, None = none does; `smallest_text` says it in words; `shortfall`
    = the minimum sample that is not reached, so that nothing is seen. Where false alarms are frequent, no smallest harm can
    be told from none.
    """

    monitor_id: str
    scope: Scope
    alike: float
    level: str
    harm: str
    days: float | None
    smallest: float | None
    smallest_text: str
    shortfall: Shortfall | None = None


def stated_harm(manifest: Manifest, effect: float | None = None, power: float | None = None) -> Stated:
    """The harm of `coverage_rules.every_subgroup_metric_detectable`, else a default; arguments replace its parts."""
    rule = manifest.surveillance.coverage_rules.every_subgroup_metric_detectable
    path = "surveillance.coverage_rules.every_subgroup_metric_detectable"
    return Stated(
        effect=effect or (rule.effect if rule is not None else SHARE_EFFECT),
        power=power or (rule.power if rule is not None else DEFAULT_POWER),
        within_days=rule.within_ms / DAY_MS if rule is not None else WITHIN_DAYS,
        source="as asked" if effect or power else path if rule is not None else f"default: {path} is absent",
    )


def foreseen_harms(
    manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor, stated: Stated
) -> Iterator[ForeseenHarm]:
    """What the monitor would see, scope by scope; nothing where that cannot be said of its type."""
    level = next((level for level in LEVELS if level in monitor.limits.by_level), None)
    if level is None or monitor.dry_run:
        return
    if isinstance(monitor.metric, BernoulliCusum):
        yield from _by_label_chart(manifest, field, monitor, monitor.metric, level, stated)
    elif isinstance(monitor.metric, NormalChart):
        yield from _by_normal_chart(manifest, field, monitor, monitor.metric, level, stated)
    elif isinstance(monitor.metric, MaxSprtPoisson):
        yield from _by_safety_tests(manifest, field, monitor, monitor.metric, level, stated)
    elif is_periodic(monitor):
        yield from _by_periods(manifest, field, monitor, level, stated)
    elif monitor.metric.type in AT_ONCE:
        yield from _at_once(manifest, monitor, level)
    else:
        yield from _by_windows(manifest, seed, field, monitor, level, stated)


def _in_words(text: str, smallest: float | None, *, noisy: bool) -> str:
    """`noisy`: the quiet field opens incidents of itself, so that one tells nothing of a harm."""
    if smallest is not None:
        return text.format(smallest)
    return NOT_TOLD if noisy else NONE_SEEN


def _by_windows(
    manifest: Manifest, seed: str, field: FieldAssumptions, monitor: Monitor, level: str, stated: Stated
) -> Iterator[ForeseenHarm]:
    simpler = stand_in(manifest, field, monitor, level)
    if simpler is not None:
        yield from _by_stand_in(seed, simpler, monitor, level, stated)
        return
    harm = harm_of(monitor, stated.effect)
    if harm is None:
        return
    delay_days = field.label_delay_h / 24 if isinstance(monitor.metric, Labelled) else 0.0
    cells, field = cells_of(manifest, field, monitor), field_of(manifest, field, monitor)
    for cell in cells:
        onset = Onset(manifest, seed, field, cell, level, peers_of(cell, cells))
        detector = Detector(manifest, onset, cell, level, delay_days)
        days = detector.days(harm, stated.power)
        smallest = detector.smallest(harm, stated.within_days, stated.power)
        if smallest is not None and (days is None or days > stated.within_days):
            # Days are worked out from more windows: what they say comes too late is not among what is seen in time.
            smallest = max(smallest, min(1.01 * harm.effect, harm.most))
        noisy = smallest is None and detector.opens_quietly(harm, stated.within_days)
        yield _of_scope(monitor, cell.scope, level, harm, days, smallest, onset.shortfall, noisy=noisy)


def _by_stand_in(seed: str, simpler: StandIn, monitor: Monitor, level: str, stated: Stated) -> Iterator[ForeseenHarm]:
    harm = (
        Harm(SLOWER, "waits get {:.3g} times as long", 50.0)
        if simpler.waits is not None
        else Harm(0.5, "labels fall by {:.0%}", 0.99, falls=True)
    )
    for cell, scope in zip(simpler.cells, simpler.scopes, strict=True):
        onset = Onset(simpler.manifest, seed, simpler.field, cell, level)
        detector = Detector(simpler.manifest, onset, cell, level, 0.0, simpler.after)
        days, smallest = detector.days(harm, stated.power), detector.smallest(harm, stated.within_days, stated.power)
        covered = coverage_seen(simpler.manifest, monitor)
        if covered is not None:
            days = covered.days if harm.effect > covered.effect and (days is None or covered.days < days) else days
            seen_in_time = covered.days <= stated.within_days
            smallest = covered.effect if seen_in_time and (smallest is None or covered.effect < smallest) else smallest
        short = onset.shortfall if days is None else None
        noisy = smallest is None and detector.opens_quietly(harm, stated.within_days)
        yield _of_scope(monitor, scope, level, harm, days, smallest, short, noisy=noisy)


def _of_scope(
    monitor: Monitor,
    scope: FieldScope,
    level: str,
    harm: Harm,
    days: float | None,
    smallest: float | None,
    shortfall: Shortfall | None,
    *,
    noisy: bool,
) -> ForeseenHarm:
    words = _in_words(harm.text, smallest, noisy=noisy)
    return ForeseenHarm(monitor.id, scope.scope, scope.alike, level, harm.told(harm.effect), days, smallest, words, shortfall)


def _at_once(manifest: Manifest, monitor: Monitor, level: str) -> Iterator[ForeseenHarm]:
    """What opens an incident at the next look, or at the k-th, whatever the volume of the field."""
    limit, telemetry = monitor.limits.by_level[level], manifest.surveillance.telemetry
    if limit.missed is not None:
        wait_ms, amount = limit.missed * telemetry.heartbeat_interval_ms, float(limit.missed)
        text = "{:.3g} heartbeats in a row are missed"
    elif limit.ge is not None:
        window = manifest.surveillance.window(monitor.window or "")
        wait_ms, amount = window.slide_ms if window is not None else base_pane_ms(manifest), limit.ge
        text = f"{{:.3g}} {'event' if amount == 1 else 'events'} of the kind it counts"
    elif limit.below is not None and isinstance(monitor.metric, LowestValue):
        # A certificate runs down by itself; any other number must be heard first.
        heard_ms = 0 if monitor.metric.field == CERTIFICATE_DAYS else telemetry.heartbeat_interval_ms
        wait_ms = manifest.persistence_of(monitor, level).k * base_pane_ms(manifest) + heard_ms
        amount, text = limit.below, f"{monitor.metric.field} falls below {{:.4g}}"
    else:
        return
    words = text.format(amount)
    yield ForeseenHarm(monitor.id, (), 1, level, words, wait_ms / DAY_MS, amount, words)


def _by_periods(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, level: str, stated: Stated
) -> Iterator[ForeseenHarm]:
    for one in periodic_of(manifest, field, monitor, level):
        harm, scope = one.harm, one.scope
        days, smallest = one.days(stated.power), one.smallest(stated.within_days, stated.power)
        words = _in_words(harm.text, smallest, noisy=smallest is None and one.opens_quietly(stated.within_days))
        yield ForeseenHarm(monitor.id, scope.scope, scope.alike, level, harm.told(harm.effect), days, smallest, words)


def _by_safety_tests(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: MaxSprtPoisson, level: str, stated: Stated
) -> Iterator[ForeseenHarm]:
    llr = monitor.limits.by_level[level].llr
    if llr is None:
        return
    text = "events come {:.3g} times as often"
    for axes in monitor.axes or ((),):
        for scope in scopes_of(manifest, field, axes):
            test = SafetyTest(metric, field, scope.share)
            smallest = test.smallest(llr, stated.within_days, stated.power, _MOST_RISK)
            words = _in_words(text, smallest, noisy=False)
            days = test.days(llr, _RISK, stated.power)
            yield ForeseenHarm(monitor.id, scope.scope, scope.alike, level, text.format(_RISK), days, smallest, words)


def _by_label_chart(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: BernoulliCusum, level: str, stated: Stated
) -> Iterator[ForeseenHarm]:
    h = monitor.limits.by_level[level].h
    if h is None:
        return
    rises = metric.p1 > metric.p0
    text = f"share of {_EVENTS[metric.event]} {'rises' if rises else 'falls'} by {{:.3g}}"
    most = 0.99 - metric.p0 if rises else metric.p0

    def harmful(effect: float) -> float:
        return metric.p0 + effect if rises else max(metric.p0 - effect, 0.0)

    for axes in monitor.axes or ((),):
        for scope in scopes_of(manifest, field, axes):
            chart = LabelChart(manifest, metric, field, scope.share)
            effect = min(stated.effect, most)
            days = chart.days(harmful(effect), h, stated.power)
            quiet_days = _QUIET_PART * chart_days(chart, h)
            left_days = min(stated.within_days, quiet_days) - chart.delay_days

            def seen(size: float, chart: LabelChart = chart, left_days: float = left_days) -> bool:
                return left_days > 0 and chart.signals_within(harmful(size), h, stated.power, left_days)

            smallest = smallest_seen(seen, most) if seen(most) else None
            delayed = None if days is None else days + chart.delay_days
            words = _in_words(text, smallest, noisy=quiet_days < stated.within_days)
            yield ForeseenHarm(monitor.id, scope.scope, scope.alike, level, text.format(effect), delayed, smallest, words)


def _by_normal_chart(
    manifest: Manifest, field: FieldAssumptions, monitor: Monitor, metric: NormalChart, level: str, stated: Stated
) -> Iterator[ForeseenHarm]:
    """By run lengths. A mean moves by standard deviations of single cases; a share by those of its own windows."""
    h, window = monitor.limits.by_level[level].h, manifest.surveillance.window(monitor.window or "")
    if h is None or window is None:
        return
    of_cases = metric.of != "rate" and metric.sd is None
    effect = DRIFT_EFFECT if of_cases else 1.0
    text = f"mean moves by {{:.3g}} standard deviations of {'cases' if of_cases else 'window means'}"
    looks = stated.within_days * DAY_MS / window.slide_ms
    rare_looks = _QUIET_PART * normal_run_length(metric, h).mean
    quiet_looks = max(1, math.floor(min(looks, rare_looks)))
    for axes in monitor.axes or ((),):
        for scope in scopes_of(manifest, field, axes):
            cases = field.per_day * scope.share * window.size_ms / DAY_MS
            if cases < (monitor.min_n or 0):
                short = Shortfall(cases, monitor.min_n or 0, window.size_ms / DAY_MS)
                yield ForeseenHarm(monitor.id, scope.scope, scope.alike, level, text.format(effect), None, None, NONE_SEEN, short)
                continue
            scale = math.sqrt(max(cases, 1.0)) / dispersion_of(manifest, metric) if of_cases else 1.0

            def run(size: float, scale: float = scale) -> RunLength:
                return normal_run_length(metric, h, size * scale)

            count = _windows(run(effect), stated.power)
            days = None if count is None else count * window.slide_ms / DAY_MS

            def seen(size: float, run: Callable[[float], RunLength] = run) -> bool:
                # Run lengths are a fixed part and an exponential one: their quantile lies below that of an exponential alone.
                return run(size).mean * -math.log(1 - stated.power) <= quiet_looks

            smallest = smallest_seen(seen, _MOST_SHIFT) if seen(_MOST_SHIFT) else None
            words = _in_words(text, smallest, noisy=rare_looks < looks)
            yield ForeseenHarm(monitor.id, scope.scope, scope.alike, level, text.format(effect), days, smallest, words)


def _windows(run: RunLength, power: float) -> int | None:
    """Windows until the chart has signalled with this probability; None = not within some hundred thousand."""
    high = 1
    while run.within(high) < power:
        high *= 2
        if high > _MOST_WINDOWS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if run.within(middle) >= power else (middle, high)
    return high
