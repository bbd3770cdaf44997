"""The groups a monitor would judge in the field as assumed, with their share of the volume; like ones stand for each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import IMPLICIT_AXES

MOST_SCOPES = 40
"""Scopes of one set of axes that are looked at one by one."""
UNNAMED = "any"
"""Level of an axis of which a manifest names none."""
OTHERS = "other"
"""Level that stands for those a manifest has no name for."""


class FieldScope(NamedTuple):
    """`share` of the inferences fall in each of `alike` groups of which `scope` names one."""

    scope: Scope
    share: float
    alike: float = 1


class Level(NamedTuple):
    """A level of an axis with its share of the volume; `alike` levels have the same share and no reference of their own."""

    name: str
    share: float
    alike: int = 1


def scopes_of(manifest: Manifest, field: FieldAssumptions, axes: tuple[str, ...]) -> list[FieldScope]:
    """The scopes of one set of axes, axes taken as independent; no axes = the whole."""
    each = [levels_of(manifest, field, axis) for axis in axes]
    found = []
    for levels in product(*each):
        scope = tuple(sorted((axis, level.name) for axis, level in zip(axes, levels, strict=True)))
        found.append(FieldScope(scope, math.prod(one.share for one in levels), math.prod(one.alike for one in levels)))
    return found if len(found) <= MOST_SCOPES else _coarsened(found)


def _coarsened(scopes: list[FieldScope]) -> list[FieldScope]:
    """Of very many scopes those of about the same share stand for each other."""
    found: dict[int, FieldScope] = {}
    for one in scopes:
        key = round(2 * math.log2(max(one.share, 1e-12)))
        known = found.get(key)
        found[key] = one if known is None else known._replace(alike=known.alike + one.alike)
    return list(found.values())


def levels_of(manifest: Manifest, field: FieldAssumptions, axis_id: str) -> list[Level]:
    """Levels of an axis: as declared, else those with references of their own, else those of the population."""
    axis = manifest.axis(axis_id)
    source = axis.source if axis is not None else IMPLICIT_AXES.get(axis_id, "")
    if source in ("site_id", "gateway_id", "device_id"):
        # A manifest does not count its gateways and devices: there is at least one at each site.
        return _merged(field.sites, _named(manifest, axis_id))
    known = _known_shares(manifest, axis_id)
    declared = (axis.levels if axis is not None else None) or (_of_population(manifest, axis_id) if not known else [])
    names = list(declared or known)
    if not names:
        return [Level(UNNAMED, 1.0)]
    rest = max(0.0, 1.0 - sum(known.get(name, 0.0) for name in names))
    unknown = [name for name in names if name not in known]
    if not declared and rest > 0.01:
        unknown = [OTHERS]
    shares = {name: known[name] for name in names if name in known} | {name: rest / len(unknown) for name in unknown}
    total = sum(shares.values())
    return [Level(name, share / total) for name, share in shares.items() if share > 0]


def _merged(shares: Mapping[str, float], named: Iterable[str]) -> list[Level]:
    """Levels of equal share without a reference of their own stand for each other."""
    apart = set(named)
    like: dict[str | float, int] = {}
    found: list[Level] = []
    for name, share in shares.items():
        key = name if name in apart else round(share, 12)
        first = like.setdefault(key, len(found))
        if first == len(found):
            found.append(Level(name, share))
        else:
            found[first] = found[first]._replace(alike=found[first].alike + 1)
    return found


def _known_shares(manifest: Manifest, axis_id: str) -> dict[str, float]:
    """Share of each level that a baseline counted: rows of references, or positives of a validated metric."""
    baselines = manifest.baselines
    whole: float | None
    for reference in (*baselines.features, *((baselines.score,) if baselines.score is not None else ())):
        whole = reference.n or manifest.baseline_n
        counted = {level: own.n for level, own in reference.strata.get(axis_id, {}).items() if own.n}
        if whole and counted:
            return {level: n / max(whole, sum(counted.values())) for level, n in counted.items()}
    for metric in baselines.metrics:
        whole = metric.overall.n_pos if metric.overall is not None else None
        positives = {level: own.n_pos for level, own in metric.strata.get(axis_id, {}).items() if own.n_pos}
        if whole and positives:
            return {level: n / max(whole, sum(positives.values())) for level, n in positives.items()}
    return {}


def _of_population(manifest: Manifest, axis_id: str) -> list[str]:
    """Levels that the intended population lists, such as `settings` for the axis `setting`."""
    listed = manifest.intended_use.population.get(f"{axis_id}s")
    return [str(level) for level in listed] if isinstance(listed, list) else []


def _named(manifest: Manifest, axis_id: str) -> set[str]:
    """Levels that have a reference or a validated number of their own."""
    baselines = manifest.baselines
    holders = (*baselines.features, *((baselines.score,) if baselines.score is not None else ()), *baselines.metrics)
    return {level for holder in holders for level in holder.strata.get(axis_id, {})}
