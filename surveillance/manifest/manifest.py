"""`Manifest`: the whole document as one frozen tree. Attributes that are times or durations end in `_ms`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.metrics_performance import ProportionVsFloor, SiteOutlier, SubgroupGap
from surveillance.manifest.model_baselines import Baselines
from surveillance.manifest.model_governance import (
    Approval,
    Device,
    Gates,
    Hazard,
    IntendedUse,
    OperatingPoint,
    Privacy,
    Regulatory,
    RequiredApproval,
    Waiver,
)
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import IntervalMethod, Monitor
from surveillance.manifest.model_release import Release
from surveillance.manifest.model_response import EscalationStep, Owner, Playbook, Rollback
from surveillance.manifest.model_rollout import Rollout
from surveillance.manifest.model_strata import Axis, Strata
from surveillance.manifest.model_surveillance import Surveillance
from surveillance.manifest.part import Count, Part, Text, TimeMs

Status = Literal["draft", "validation_passed", "clinically_reviewed", "approved_limited", "approved", "withdrawn"]
APPROVED = frozenset({"approved_limited", "approved"})

FIXED_LOOK: dict[str, IntervalMethod] = {
    "exact_poisson": "exact_poisson",
    "rate_ratio": "conditional_binomial",
    "wald": "wald",
    "delong": "delong",
    "kaplan_meier": "kaplan_meier",
}
"""Fixed-look interval by family; for `proportion` the window decides, `none` has no interval."""

WINDOWS_REMEMBERED = 1024
"""Window ends remembered per monitor and scope: an `of` beyond looks back no further. No `clear_after` or `sustained` span of a
shipped window reaches back so far."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """Persistence as it holds for one level of one monitor."""

    k: int
    of: int
    clear_after: int
    cooldown_ms: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval as it holds for one monitor; `method` None = the type is judged without an interval."""

    method: IntervalMethod | None
    level: float


class Manifest(Part):
    """One manifest. Required sections are those of contract/semantics.md; all else has defaults."""

    model_config = ConfigDict(title="ReleaseManifest")

    api_version: Literal["pms.manifest/v1"]
    kind: Literal["ReleaseManifest"]
    manifest_id: Text
    revision: Count
    release: Release
    strata: Strata
    baselines: Baselines
    surveillance: Surveillance
    owners: dict[str, Owner]
    playbooks: dict[str, Playbook] = Field(default_factory=dict)
    supersedes_digest: Text | None = None
    created_at_ms: Annotated[TimeMs | None, Field(alias="created_at")] = None
    status: Status | None = None
    device: Device = Device()
    intended_use: IntendedUse = IntendedUse()
    operating_point: OperatingPoint = OperatingPoint()
    approvals: tuple[Approval, ...] = ()
    required_approvals: tuple[RequiredApproval, ...] = ()
    separation_of_duty: tuple[tuple[Text, ...], ...] = ()
    hazards: tuple[Hazard, ...] = ()
    gates: Gates = Gates()
    escalation: tuple[EscalationStep, ...] = ()
    rollout: Rollout = Rollout()
    rollback: Rollback = Rollback()
    regulatory: Regulatory = Regulatory()
    privacy: Privacy = Privacy()
    waivers: tuple[Waiver, ...] = ()
    extensions: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _without_silent_keys(cls, value: Any) -> Any:
        """As everywhere, but for the sections that must be there and may be empty: `baselines:` is an empty one."""
        if not isinstance(value, dict):
            return value
        empty: dict[str, Any] = {key: {} for key in ("strata", "baselines", "owners") if key in value and value[key] is None}
        return {key: section for key, section in value.items() if section is not None} | empty

    @property
    def baseline_n(self) -> int | None:
        """Rows of the monitoring baseline data set: m of a reference that gives no `n` of its own."""
        dataset = self.release.datasets.monitoring_baseline
        return dataset.n if dataset is not None else None

    @property
    def is_approved(self) -> bool:
        return self.status in APPROVED

    def axis(self, axis_id: str) -> Axis | None:
        return next((axis for axis in self.strata.axes if axis.id == axis_id), None)

    def monitor(self, monitor_id: str) -> Monitor | None:
        return next((monitor for monitor in self.surveillance.monitors if monitor.id == monitor_id), None)

    def persistence_of(self, monitor: Monitor, level: str) -> Persistence:
        """What the level says, else the monitor, else the default; types that open at the first crossing start from k = of = 1.

        Raises:
            KeyError: there is no such level.
        """
        if level not in LEVELS:
            raise KeyError(level)
        default = self.surveillance.persistence_default
        k, of = (1, 1) if monitor.metric.opens_at_once else (default.k, default.of)
        clear_after, cooldown_ms = default.clear_after, default.cooldown_ms
        limit = monitor.limits.by_level.get(level)
        for own in (monitor.persistence, limit.persistence if limit is not None else None):
            if own is None:
                continue
            k = own.k or k
            # `k` alone above the inherited span means k windows in a row.
            of = own.of or max(of, k)
            clear_after = own.clear_after or clear_after
            cooldown_ms = own.cooldown_ms if own.cooldown_ms is not None else cooldown_ms
        return Persistence(k, of, clear_after, cooldown_ms)

    def is_looked_at_repeatedly(self, monitor: Monitor) -> bool:
        """Judged again on data it was judged on before: a cumulative or a sliding window."""
        window = self.surveillance.window(monitor.window) if monitor.window is not None else None
        return monitor.is_cumulative or (window is not None and window.is_sliding)

    def interval_of(self, monitor: Monitor) -> Interval:
        """The interval asked for, else the default of contract/semantics.md for the metric type and the window."""
        chosen = monitor.interval.method
        if chosen is None:
            family = "exact_poisson" if monitor.metric.type == "observed_expected" else monitor.metric.interval_family
            if family == "proportion":
                chosen = "confidence_sequence" if self.is_looked_at_repeatedly(monitor) else "wilson"
            else:
                chosen = FIXED_LOOK.get(family)
        return Interval(chosen, monitor.interval.level)

    def minimum_sample_of(self, monitor: Monitor) -> int:
        """Fewest cases a window of the monitor needs: its own `min_n`, else what `strata.min_sample` says of its kind of n."""
        metric, sample = monitor.metric, self.strata.min_sample
        if monitor.min_n is not None:
            return monitor.min_n
        if metric.opens_at_once or metric.ignores_min_sample:
            return 0
        if isinstance(metric, ProportionVsFloor | SubgroupGap | SiteOutlier):
            share = metric.proportion if isinstance(metric, SiteOutlier) else metric.event
            return {"sensitivity": sample.positives, "specificity": sample.labelled}.get(share or "", sample.inferences)
        return sample.labelled if isinstance(metric, Labelled) else sample.inferences
