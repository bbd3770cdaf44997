"""What no monitor of a manifest can see: hazards, claims and subgroups, each with its path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surveillance.errors import Problem
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.field_scopes import UNNAMED, Level, levels_of
from surveillance.foresight.foreseen_harm import ForeseenHarm, Stated
from surveillance.foresight.onset import Shortfall
from surveillance.foresight.span_text import span_text
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_safety import RunRule
from surveillance.manifest.model_monitors import Monitor


def blind_spots(manifest: Manifest, foreseen: Sequence[ForeseenHarm], stated: Stated) -> Iterator[Problem]:
    """Hazards, claims and levels of an axis that no monitor sees, and subgroups in which a monitor sees the stated harm too late
    or never."""
    blind = {
        monitor.id
        for monitor in manifest.surveillance.monitors
        if not _speaks(monitor) or _sees_nothing([one for one in foreseen if one.monitor_id == monitor.id], stated)
    }
    yield from _hazards(manifest, blind, stated)
    yield from _claims(manifest, blind, stated)
    yield from _subgroups(manifest, foreseen, stated)
    for at, monitor in enumerate(manifest.surveillance.monitors):
        if isinstance(monitor.metric, RunRule):
            continue  # it supports what others see
        late = [one for one in foreseen if one.monitor_id == monitor.id and not _in_time(one, stated)]
        for one in late:
            yield Problem(f"surveillance.monitors[{at}]", _too_late(one, stated), "warning")


def _speaks(monitor: Monitor) -> bool:
    return bool(monitor.limits.by_level) and not monitor.dry_run


def _sees_nothing(foreseen: Sequence[ForeseenHarm], stated: Stated) -> bool:
    """Whether its harms are foreseen and it sees none of them in time; a type that cannot be foreseen is not called blind."""
    return bool(foreseen) and not any(_in_time(one, stated) for one in foreseen)


def _in_time(one: ForeseenHarm, stated: Stated) -> bool:
    return one.days is not None and one.days <= stated.within_days


def _hazards(manifest: Manifest, blind: set[str], stated: Stated) -> Iterator[Problem]:
    for at, hazard in enumerate(manifest.hazards):
        watching = [monitor.id for monitor in manifest.surveillance.monitors if monitor.hazard_id == hazard.id]
        if not watching:
            yield Problem(f"hazards[{at}]", f'blind spot: no monitor has hazard_id "{hazard.id}"', "warning")
        elif blind.issuperset(watching):
            yield Problem(f"hazards[{at}]", _none_sees(f'hazard "{hazard.id}"', watching, stated), "warning")


def _claims(manifest: Manifest, blind: set[str], stated: Stated) -> Iterator[Problem]:
    use = manifest.intended_use
    for at, claim in enumerate(use.claims):
        watching = use.claim_coverage.get(claim.id, ())
        path = f"intended_use.claims[{at}]"
        if not watching:
            yield Problem(path, f'blind spot: no monitor stands for claim "{claim.id}" in intended_use.claim_coverage', "warning")
        elif blind.issuperset(watching):
            yield Problem(path, _none_sees(f'claim "{claim.id}"', watching, stated), "warning")


def _subgroups(manifest: Manifest, foreseen: Sequence[ForeseenHarm], stated: Stated) -> Iterator[Problem]:
    """Axes that no monitor looks along, and levels at which none of those that do sees anything in time."""
    field = assumptions_of(manifest)
    for at, axis in enumerate(manifest.strata.axes):
        path = f"strata.axes[{at}]"
        along = [one.id for one in manifest.surveillance.monitors if _speaks(one) and any(axis.id in names for names in one.axes)]
        if not along:
            if _has_levels(levels_of(manifest, field, axis.id)):
                yield Problem(path, _not_along(axis.id), "warning")
            continue
        known = [one for one in foreseen if axis.id in dict(one.scope)]
        if set(along) - {one.monitor_id for one in known}:
            continue  # a type of which nothing is foretold is not called blind
        for level in dict.fromkeys(dict(one.scope)[axis.id] for one in known):
            there = [one for one in known if (axis.id, level) in one.scope]
            if not any(_in_time(one, stated) for one in there):
                watching = list(dict.fromkeys(one.monitor_id for one in there))
                yield Problem(
                    path, _none_sees(f'level "{level}" of axis "{axis.id}"{_like_it(there)}', watching, stated), "warning"
                )


def _like_it(there: Sequence[ForeseenHarm]) -> str:
    """The levels that stand behind the one named: of one axis alone all that are alike are its levels."""
    alike = max((one.alike for one in there if len(one.scope) == 1), default=1)
    return f" (and {alike - 1:.0f} like it)" if alike > 1 else ""


def _has_levels(levels: Sequence[Level]) -> bool:
    """Whether there is more than the whole: one level that has a name is no subgroup."""
    return len(levels) > 1 or levels[0].alike > 1 or levels[0].name == UNNAMED


def _not_along(axis: str) -> str:
    return (
        f'blind spot: no monitor has axis "{axis}" in `by`: a harm to one of its levels alone shows at best in the whole field, '
        "thinned by all others"
    )


def _none_sees(what: str, watching: Sequence[str], stated: Stated) -> str:
    return (
        f"blind spot: {what} has {', '.join(watching)}, and none opens an incident within {span_text(stated.within_days)} "
        f"with power {stated.power:g} (without a limit or with dry_run a monitor never does)"
    )


def _too_late(one: ForeseenHarm, stated: Stated) -> str:
    where = ", ".join(f"{axis} {level}" for axis, level in one.scope) or "the whole field"
    each = f" (and {one.alike - 1:.0f} like it)" if one.alike > 1 else ""
    head = f"blind spot at {where}{each}: {one.harm}, and this monitor"
    if one.shortfall is not None:
        return f"{head} never opens an incident: {_short(one.shortfall)}; lower it, widen the window or pool groups"
    seen = "never opens an incident" if one.days is None else f"opens an incident after {span_text(one.days)}"
    smallest = "nothing it watches for" if one.smallest is None else one.smallest_text
    return (
        f"{head} {seen} with power {stated.power:g}, wanted within {span_text(stated.within_days)}; seen in that time: "
        f"{smallest}; a nearer limit, a wider window or fewer groups would see it sooner"
    )


def _short(short: Shortfall) -> str:
    brings = f"{short.expected:,.0f}" if short.expected >= 100 else f"{short.expected:.3g}"
    return (
        f"a look needs {short.needed:,} cases (min_n, else strata.min_sample), and {brings} come in the "
        f"{span_text(short.days)} that it takes in at most"
    )
