"""Windows that cannot be estimated one by one: a group beside the others of the same window, or counts against their hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Request
from surveillance.evaluation.estimators.table import ESTIMATORS
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.verdict import Finding
from surveillance.foresight.assumptions import HOURS_A_WEEK
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import Series
from surveillance.times import HOUR_MS

OF_THEIR_HOURS = frozenset({"volume_vs_expected"})
"""Types whose estimate depends on when the window is."""


def are_judged_together(manifest: Manifest, monitor: Monitor) -> bool:
    """Whether a finding rests on more than the sums of its own group and window."""
    kind = monitor.metric.type
    return ESTIMATORS[kind].compares or (kind in OF_THEIR_HOURS and _hours_differ(manifest))


def largest_adjusted(manifest: Manifest, monitor: Monitor) -> float | None:
    """The largest limit on p-values that are adjusted over scopes; None where none are."""
    limits = [limit.p for limit in monitor.limits.by_level.values() if limit.p is not None]
    return max(limits, default=None) if manifest.strata.multiplicity.method != "none" else None


def are_simulated_together(manifest: Manifest, monitor: Monitor) -> bool:
    """Whether a verdict rests on other groups of the same time: by its type, or by p-values adjusted over them."""
    return are_judged_together(manifest, monitor) or largest_adjusted(manifest, monitor) is not None


def _hours_differ(manifest: Manifest) -> bool:
    volume = manifest.baselines.operational.expected_volume
    return volume is not None and any(len(set(hours)) > 1 for hours in volume.hour_of_week.values())


def findings_together(
    manifest: Manifest, series: Sequence[Series], scopes: Sequence[Scope], counts: Sequence[Int], starts_ms: Int, ends_ms: Int
) -> list[list[Finding]]:
    """Findings by cell and look; `series`, `scopes` and `counts` (T, length) by cell. Cells of one set of axes are each
    other's company."""
    nothing = Finding(Insufficient(Reason.NO_EXPOSURE))
    found: list[list[Finding]] = [[nothing] * len(starts_ms) for _ in series]
    companies: dict[tuple[tuple[str, ...], str | None], list[int]] = {}
    for at, one in enumerate(series):
        companies.setdefault((one.axes, one.feature), []).append(at)
    for cells in companies.values():
        stacked = np.stack([counts[at] for at in cells], axis=1)
        for looks in _at_once(series[cells[0]].monitor, starts_ms):
            named = [scopes[at] for at in cells] * len(looks)
            rows = stacked[looks].reshape(len(named), -1)
            request = Request(manifest, series[cells[0]], named, rows, int(starts_ms[looks[0]]), int(ends_ms[looks[0]]))
            for at, finding in enumerate(_of_looks(manifest, request)):
                look, cell = divmod(at, len(cells))
                found[cells[cell]][looks[look]] = finding
    return found


def _at_once(monitor: Monitor, starts_ms: Int) -> list[Int]:
    """Places of looks that are estimated in one go: each alone where groups are compared, else all of an hour of the week."""
    if ESTIMATORS[monitor.metric.type].compares:
        return list(np.arange(len(starts_ms))[:, None])
    _, hour = np.unique(starts_ms % (HOURS_A_WEEK * HOUR_MS), return_inverse=True)
    order = np.argsort(hour, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(hour[order])) + 1)


def _of_looks(manifest: Manifest, request: Request) -> list[Finding]:
    estimator = ESTIMATORS[request.series.monitor.metric.type]
    found, needed = estimator.findings(request), manifest.minimum_sample_of(request.series.monitor)
    for at in np.flatnonzero(estimator.sizes(request) < needed).tolist() if needed else ():
        found[at] = Finding(Insufficient(Reason.BELOW_MINIMUM_N, 0, needed))
    return found
