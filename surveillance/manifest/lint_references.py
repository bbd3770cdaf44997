"""Rules on names that point somewhere: window, axis, playbook, hazard, owner, monitor, claim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zoneinfo import available_timezones

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView, dangling
from surveillance.manifest.metrics_operation import ClockOffset, DuplicateRate, HeartbeatGap, LowestValue
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import CUMULATIVE, IMPLICIT_AXES, PER_LABEL, Monitor

_BY_DEVICE = (HeartbeatGap, ClockOffset, DuplicateRate, LowestValue)


def monitors_point_somewhere(view: LintView) -> Iterator[Problem]:
    """Window, playbook and hazard of each monitor exist."""
    manifest = view.manifest
    windows = [window.id for window in manifest.surveillance.windows]
    hazards = [hazard.id for hazard in manifest.hazards]
    for path, monitor in view.monitors:
        if monitor.window is not None and monitor.window not in (*windows, PER_LABEL, CUMULATIVE):
            yield dangling(f"{path}.window", "window", monitor.window, windows)
        if monitor.playbook is None:
            yield Problem(f"{path}.playbook", "names no playbook: nobody is told what to do", "warning")
        elif monitor.playbook not in manifest.playbooks:
            yield dangling(f"{path}.playbook", "playbook", monitor.playbook, manifest.playbooks)
        if monitor.hazard_id is None:
            yield Problem(f"{path}.hazard_id", "names no hazard: which one it watches cannot be checked", "warning")
        elif hazards and monitor.hazard_id not in hazards:
            yield dangling(f"{path}.hazard_id", "hazard", monitor.hazard_id, hazards)


def axes_are_declared(view: LintView) -> Iterator[Problem]:
    """Axes of monitors, of `strata.two_way`, of gates, of stop conditions and of references are declared."""
    manifest = view.manifest
    axes = [axis.id for axis in manifest.strata.axes]
    for path, monitor in view.monitors:
        yield from _monitor_axes(view, path, monitor, axes)
    places = [(f"strata.two_way[{i}]", pair) for i, pair in enumerate(manifest.strata.two_way)]
    places += [(f"gates.must_not_regress[{i}].strata", gate.strata) for i, gate in enumerate(manifest.gates.must_not_regress)]
    stops = manifest.rollout.canary.stop_conditions if manifest.rollout.canary else ()
    places += [(f"rollout.canary.stop_conditions[{i}].strata", stop.strata) for i, stop in enumerate(stops)]
    for path, names in places:
        yield from (dangling(f"{path}[{i}]", "axis", name, axes) for i, name in enumerate(names) if name not in axes)
    for path, references in _reference_strata(view):
        for name, levels in references.items():
            yield from _reference_axis(view, f"{path}.{name}", name, levels, axes)


def owners_exist(view: LintView) -> Iterator[Problem]:
    """Roles that levels, escalation and rollback name have an owner."""
    manifest, owners = view.manifest, view.manifest.owners
    named: list[tuple[str, str]] = []
    for level in LEVELS:
        policy, path = manifest.surveillance.levels.of(level), f"surveillance.levels.{level}"
        if "owner" in policy.model_fields_set:
            named.append((f"{path}.owner", policy.owner))
        elif policy.owner not in owners and any(level in monitor.limits.by_level for _, monitor in view.monitors):
            yield Problem(f"{path}.owner", f'not set, and the default owner "{policy.owner}" is not among the owners', "warning")
        named += [(f"{path}.notify[{i}]", role) for i, role in enumerate(policy.notify)]
        named += [(f"{path}.confirm_by", policy.confirm_by)] if policy.confirm_by is not None else []
    named += [
        (f"escalation[{i}].to", step.to) for i, step in enumerate(manifest.escalation) if step.to not in ("owner", "deputy")
    ]
    rollback = manifest.rollback
    named += [(f"rollback.initiators[{i}]", role) for i, role in enumerate(rollback.initiators)]
    named += [(f"rollback.approvers[{i}]", role) for i, role in enumerate(rollback.approvers)]
    named += [(f"rollback.notifications[{i}].who", note.who) for i, note in enumerate(rollback.notifications)]
    yield from (dangling(path, "owner", role, owners) for path, role in named if role not in owners)
    for role, owner in owners.items():
        if not owner.is_reachable:
            yield Problem(
                f"owners.{role}", "has neither people, nor a schedule, nor contacts per site: nobody is called", "warning"
            )


def levels_exist(view: LintView) -> Iterator[Problem]:
    """Level names in escalation, budget and design are levels."""
    named = [
        (f"escalation[{i}].levels[{j}]", level)
        for i, step in enumerate(view.manifest.escalation)
        for j, level in enumerate(step.levels)
    ]
    named += [
        (f"surveillance.false_alarm_budget.per_30_days.{level}", level)
        for level in view.manifest.surveillance.false_alarm_budget.per_30_days
    ]
    for path, monitor in view.monitors:
        named += [(f"{path}.design.arl0_days.{level}", level) for level in (monitor.design.arl0_days if monitor.design else ())]
    yield from (dangling(path, "level", level, LEVELS) for path, level in named if level not in LEVELS)


def monitors_named_exist(view: LintView) -> Iterator[Problem]:
    """Monitors that rollback, claims, regulation and waivers name exist."""
    manifest, rollback = view.manifest, view.manifest.rollback
    named: list[tuple[str, str]] = []
    if rollback.auto_confirm is not None:
        named += [(f"rollback.auto_confirm.monitors[{i}]", name) for i, name in enumerate(rollback.auto_confirm.monitors)]
    if not isinstance(rollback.effectiveness.monitors, str):
        named += [(f"rollback.effectiveness.monitors[{i}]", name) for i, name in enumerate(rollback.effectiveness.monitors)]
    for claim, monitors in manifest.intended_use.claim_coverage.items():
        named += [(f"intended_use.claim_coverage.{claim}[{i}]", name) for i, name in enumerate(monitors)]
    if manifest.regulatory.trend_method is not None:
        named.append(("regulatory.trend_method.monitor", manifest.regulatory.trend_method.monitor))
    named += [
        (f"waivers[{i}].monitor", waiver.monitor) for i, waiver in enumerate(manifest.waivers) if waiver.monitor is not None
    ]
    yield from (dangling(path, "monitor", name, view.monitor_ids) for path, name in named if name not in view.monitor_ids)


def rollback_triggers_exist(view: LintView) -> Iterator[Problem]:
    """Each trigger is a monitor at a level it can reach, or a stop condition of the rollout."""
    canary = view.manifest.rollout.canary
    stops = [stop.id for stop in canary.stop_conditions] if canary else []
    by_id = {monitor.id: monitor for _, monitor in view.monitors}
    for index, (name, level) in enumerate(view.manifest.rollback.parsed_triggers):
        path = f"rollback.triggers[{index}]"
        if level is None:
            if name not in stops:
                yield dangling(path, "stop condition (a monitor is named with its level, monitor:level)", name, stops)
        elif name not in view.monitor_ids:
            yield dangling(path, "monitor", name, view.monitor_ids)
        elif level not in LEVELS:
            yield dangling(path, "level", level, LEVELS)
        elif name in by_id and level not in by_id[name].limits.by_level:
            yield Problem(path, f'monitor "{name}" has no limit at {level}: this trigger can never fire', "warning")


def time_zone_is_known(view: LintView) -> Iterator[Problem]:
    """`regulatory.time_zone` is in the zone database."""
    zone = view.manifest.regulatory.time_zone
    if zone not in available_timezones():
        yield dangling("regulatory.time_zone", "time zone", zone, available_timezones())


def _monitor_axes(view: LintView, path: str, monitor: Monitor, axes: list[str]) -> Iterator[Problem]:
    known = [*axes, *IMPLICIT_AXES] if isinstance(monitor.metric, _BY_DEVICE) else axes
    pairs = {frozenset(pair) for pair in view.manifest.strata.two_way}
    seen: set[frozenset[str]] = set()
    for index, names in enumerate(monitor.axes):
        place = f"{path}.by[{index}]"
        yield from (dangling(place, "axis", name, known) for name in names if name not in known)
        if frozenset(names) in seen:
            yield Problem(place, f'axis "{monitor.by[index]}" stands twice')
        seen.add(frozenset(names))
        if len(names) > 2 or len(set(names)) < len(names):
            yield Problem(place, f'expected one axis or two different ones joined by *, got "{monitor.by[index]}"')
        elif len(names) == 2 and set(names) <= set(known) and frozenset(names) not in pairs:
            yield Problem(place, f'two-way axis "{monitor.by[index]}" is not listed in strata.two_way', "warning")


def _reference_strata(view: LintView) -> Iterator[tuple[str, dict[str, Iterable[str]]]]:
    baselines = view.manifest.baselines
    for index, feature in enumerate(baselines.features):
        yield f"baselines.features[{index}].strata", dict(feature.strata)
    for index, metric in enumerate(baselines.metrics):
        yield f"baselines.metrics[{index}].strata", dict(metric.strata)
    if baselines.score is not None:
        yield "baselines.score.strata", dict(baselines.score.strata)
    yield "baselines.operational.strata", dict(baselines.operational.strata)


def _reference_axis(view: LintView, path: str, name: str, levels: Iterable[str], axes: list[str]) -> Iterator[Problem]:
    axis = view.manifest.axis(name)
    if axis is None:
        yield dangling(path, "axis", name, axes)
    elif axis.levels is not None:
        for level in levels:
            if level not in (*axis.levels, "other", "unknown"):
                yield Problem(f"{path}.{level}", f'axis "{name}" has no level "{level}": this reference is never used', "warning")


RULES = (
    monitors_point_somewhere,
    axes_are_declared,
    owners_exist,
    levels_exist,
    monitors_named_exist,
    rollback_triggers_exist,
    time_zone_is_known,
)
