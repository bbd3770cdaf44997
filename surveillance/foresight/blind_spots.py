"""What no monitor of a manifest can see: hazards, claims and subgroups, each with its path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surveillance.errors import Problem
from surveillance.foresight.foreseen_harm import ForeseenHarm, Stated
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor


def blind_spots(manifest: Manifest, foreseen: Sequence[ForeseenHarm], stated: Stated) -> Iterator[Problem]:
    """Hazards and claims that no monitor sees, and subgroups in which a monitor sees the stated harm too late or never."""
    blind = {
        monitor.id
        for monitor in manifest.surveillance.monitors
        if not _speaks(monitor) or _sees_nothing([one for one in foreseen if one.monitor_id == monitor.id], stated)
    }
    yield from _hazards(manifest, blind, stated)
    yield from _claims(manifest, blind, stated)
    for at, monitor in enumerate(manifest.surveillance.monitors):
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
            yield Problem(f"hazards[{at}]", f'blind spot: no monitor watches hazard "{hazard.id}"', "warning")
        elif blind.issuperset(watching):
            yield Problem(f"hazards[{at}]", f'blind spot: {_none_of(watching, stated)} hazard "{hazard.id}"', "warning")


def _claims(manifest: Manifest, blind: set[str], stated: Stated) -> Iterator[Problem]:
    use = manifest.intended_use
    for at, claim in enumerate(use.claims):
        watching = use.claim_coverage.get(claim.id, ())
        path = f"intended_use.claims[{at}]"
        if not watching:
            yield Problem(path, f'blind spot: no monitor covers claim "{claim.id}"', "warning")
        elif blind.issuperset(watching):
            yield Problem(path, f'blind spot: {_none_of(watching, stated)} claim "{claim.id}"', "warning")


def _none_of(watching: Sequence[str], stated: Stated) -> str:
    return f"none of {', '.join(watching)} sees its harm within {stated.within_days:g} days, for"


def _too_late(one: ForeseenHarm, stated: Stated) -> str:
    where = ", ".join(f"{axis} {level}" for axis, level in one.scope) or "the whole field"
    each = f", and {one.alike - 1:.0f} like it" if one.alike > 1 else ""
    seen = "is never seen" if one.days is None else f"is seen in {one.days:.0f} days"
    smallest = "nothing it watches" if one.smallest is None else one.smallest_text
    return (
        f"blind spot: {one.harm} at {where}{each} {seen} with power {stated.power:g}, not within "
        f"{stated.within_days:g} days; in that time: {smallest}"
    )
