"""From the findings of a monitor's scopes at one window end to evidence: multiplicity, levels, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate, Insufficient, Outcome
from surveillance.arrays import Float
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.mirror import PaneMirror, Table, TableKey
from surveillance.evaluation.verdict import Finding, Verdict, level_verdict, overall
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.plan import Plan, Series
from surveillance.registry import Registration, Registry


class Moment(NamedTuple):
    """When evaluation runs. `complete_ms` = watermark of the slowest partition, stopped ones included: a window that ends
    later is partial. `final` = the end of the input: everything revised is judged again."""

    watermark_ms: int
    partition_ms: int
    complete_ms: int
    final: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """One manifest of one tenant, and where its counts are read."""

    tenant: str
    registration: Registration
    registry: Registry
    mirror: PaneMirror

    @property
    def plan(self) -> Plan:
        return self.registration.plan

    def table_key(self, statistic: str, axes: tuple[str, ...]) -> TableKey:
        return TableKey(self.tenant, self.plan.digest, statistic, axes)

    def panes_of(self, statistic: str, axes: tuple[str, ...]) -> tuple[Table, int]:
        """Table of a statistic by some axes, and the width of its panes, ms."""
        return self.mirror.table(self.table_key(statistic, axes)), self.plan.statistic(statistic).pane_ms

    def first_event_pane(self) -> int | None:
        """Start of the base pane of the manifest's first counted event."""
        return self.mirror.table(self.table_key(statistics.SPAN, ())).earliest

    def first_event_revision(self) -> Mapping[int, int]:
        """Revision of what the first event is known from: part of every result whose window starts there."""
        return self.mirror.table(self.table_key(statistics.SPAN, ())).largest_version

    @property
    def superseded_ms(self) -> int | None:
        return self.registry.superseded_ms(self.registration)


class Judged(NamedTuple):
    """One scope at one window end, before limits."""

    series: Series
    scope: Scope
    start_ms: int
    finding: Finding
    counts: tuple[int, ...]
    mature: bool = True
    pooled_to: Scope | None = None
    extended: bool = False
    withdrawn: bool = False
    code: int = -1
    """Of the group in its table."""
    mature_from_ms: int | None = None
    """Watermark from which its labels are old enough, where their coverage is not."""
    reach_ms: int | None = None
    """Start of all that was looked at, where that lies before the window: rows there are part of the revision."""


def evidence_of(
    subject: Subject, monitor: Monitor, end_ms: int, judged: Sequence[Judged], moment: Moment, revision: Mapping[int, int]
) -> list[Evidence]:
    """Evidence of every scope of a monitor at one window end; p-values are adjusted over all of them together.

    `revision` = largest version per partition among the rows that any of them rests on.
    """
    partial = moment.complete_ms < end_ms
    asks_e = any(limit.e is not None for limit in monitor.limits.by_level.values())
    family = e_family(subject.plan.manifest, monitor, sum(one.finding.outcome.n > 0 for one in judged)) if asks_e else 1
    outcomes = [one.finding.outcome for one in judged]
    adjusted = adjust(subject, outcomes) if monitor.metric.adjusts_for_scopes else [_p_of(one) for one in outcomes]
    tenant, digest, monitor_id, shared = subject.tenant, subject.plan.digest, monitor.id, family if asks_e else None
    all_mature = all(one.mature for one in judged)
    mature_from_ms = max((one.mature_from_ms for one in judged if one.mature_from_ms is not None), default=None)
    levels_of = _Levels(monitor, family, partial).of
    found = []
    for one, p in zip(judged, adjusted, strict=True):
        finding = one.finding
        levels = levels_of(finding, p)
        found.append(
            # By place: this is made for every scope and window, and names would take most of the time.
            Evidence(
                tenant,
                digest,
                monitor_id,
                one.scope,
                one.start_ms,
                end_ms,
                finding.outcome,
                overall(levels.values()),
                levels,
                revision,
                one.counts,
                one.mature,
                partial,
                finding.baseline,
                p,
                finding.coverage,
                finding.identical,
                shared,
                one.pooled_to,
                one.extended,
                one.withdrawn,
                mature_from_ms,
                finding.beside,
                all_mature,
                finding.lacks,
            )
        )
    return found


class _Levels:
    """Verdicts of the levels of one monitor at one window end. Most scopes meet all or none: they share one mapping."""

    def __init__(self, monitor: Monitor, family: int, partial: bool) -> None:
        self._monitor, self._family, self._partial = monitor, family, partial
        self._limits = monitor.limits.by_level
        self._none_known = dict.fromkeys(self._limits, Verdict.INCONCLUSIVE)
        self._all_met = self._none_known if partial else dict.fromkeys(self._limits, Verdict.MET)
        self._met = [Verdict.MET] * len(self._limits)

    def of(self, finding: Finding, p: float | None) -> Mapping[str, Verdict]:
        """Of one scope, with its adjusted p-value; a partial window meets none."""
        if finding.coverage is None and not finding.exhausted and isinstance(finding.outcome, Insufficient):
            return self._none_known  # only these two can decide anything without a number
        adjusted = finding if finding.p == p else finding._replace(p=p)
        verdicts = [level_verdict(limit, adjusted, self._family) for limit in self._limits.values()]
        if finding.exhausted:
            exhausted = _exhausted_levels(self._monitor)
            verdicts = [
                Verdict.BREACHED if level in exhausted else one for level, one in zip(self._limits, verdicts, strict=True)
            ]
        if verdicts == self._met:
            return self._all_met
        if self._partial:
            verdicts = [Verdict.INCONCLUSIVE if one is Verdict.MET else one for one in verdicts]
        return dict(zip(self._limits, verdicts, strict=True))


def _exhausted_levels(monitor: Monitor) -> list[str]:
    """Levels that a test which has used up its horizon breaches: those that name it, else the mildest there is."""
    named = [level for level, limit in monitor.limits.by_level.items() if limit.exhausted]
    return named or list(monitor.limits.by_level)[:1]


def _p_of(outcome: Outcome) -> float | None:
    return outcome.p if isinstance(outcome, Estimate) else None


def e_family(manifest: Manifest, monitor: Monitor, seen: int) -> int:
    """Scopes that share the limit of an e-value: those that all axes of the monitor declare, else those `seen` in the window.

    A feature `*` is one scope for each baseline feature.
    """
    sizes = [math.prod(_declared(manifest, axis) for axis in axes) for axes in monitor.axes or ((),)]
    features = len(manifest.baselines.features) if getattr(monitor.metric, "feature", None) == "*" else 1
    return max(1, sum(sizes) * features if all(sizes) else seen)


def _declared(manifest: Manifest, axis_id: str) -> int:
    axis = manifest.axis(axis_id)
    return len(axis.levels or ()) if axis is not None else 0


def adjust(subject: Subject, outcomes: Sequence[Outcome]) -> list[float | None]:
    """P-values of the conclusive scopes, adjusted as `strata.multiplicity` says (Benjamini & Hochberg 1995, JRSS B 57:289)."""
    raw = [_p_of(outcome) for outcome in outcomes]
    at = [index for index, p in enumerate(raw) if p is not None]
    if subject.plan.manifest.strata.multiplicity.method == "none" or not at:
        return raw
    adjusted = list(raw)
    for index, p in zip(at, benjamini_hochberg(np.array([raw[index] for index in at], np.float64)).tolist(), strict=True):
        adjusted[index] = p
    return adjusted


def benjamini_hochberg(p: Float) -> Float:
    """Adjusted p-values, shape (m,).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
