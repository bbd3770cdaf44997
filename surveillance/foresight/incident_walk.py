"""Simulated looks through the very rules that make incidents: persistence, escalation, clearing, cooldown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.verdict import Verdict
from surveillance.foresight.looks import Look
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.incidents.step import step
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor

_NO_NUMBER = Insufficient(Reason.NO_EXPOSURE)
"""Incidents are decided on verdicts alone."""


def incidents_by_level(
    manifest: Manifest, monitor: Monitor, scope: Scope, looks: Sequence[Look], ends_ms: Int, starts_ms: Int
) -> Counter[str]:
    """How often an incident was raised to each level over the looks of one scope, in order of time."""
    if all(look.verdict is not Verdict.BREACHED for look in looks):
        return Counter()
    found: Counter[str] = Counter()
    history, incident = History(), None
    size_ms = int((ends_ms - starts_ms).min())
    for look, end_ms, start_ms in zip(looks, ends_ms.tolist(), starts_ms.tolist(), strict=True):
        evidence = _evidence(monitor, scope, look, start_ms, end_ms, extended=end_ms - start_ms > size_ms)
        history.put(evidence)
        change = step(incident, history, evidence, manifest, monitor, end_ms)
        if change is None:
            continue
        if change.incident.resolved_at_ms is None and not _only_reopened(incident, change.incident):
            found[change.incident.level] += 1
        incident = change.incident
    return found


def _only_reopened(before: Incident | None, after: Incident) -> bool:
    """Whether the same incident opened again at a level it had reached before: nobody is asked anything new."""
    return before is not None and before.ordinal == after.ordinal and before.level == after.level


def _evidence(monitor: Monitor, scope: Scope, look: Look, start_ms: int, end_ms: int, *, extended: bool) -> Evidence:
    return Evidence(
        tenant="",
        manifest_digest="",
        monitor_id=monitor.id,
        scope=scope,
        start_ms=start_ms,
        end_ms=end_ms,
        outcome=_NO_NUMBER,
        verdict=look.verdict,
        levels=look.levels,
        revision={},
        extended=extended,
    )
