"""Small manifests whose field is known, and a plain simulation of what their monitors do in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.chance import chance
from surveillance.foresight.course import Course
from surveillance.foresight.harms import Harm, harmed
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Examiner
from surveillance.foresight.monitor_cells import cells_of
from surveillance.foresight.quiet_events import field_of
from surveillance.foresight.quiet_field import World
from surveillance.foresight.quiet_time import Cell
from surveillance.foresight.volume import drawn_cases, expected_cases
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.times import DAY_MS

Document = dict[str, Any]
DIGEST = "sha256:" + "0" * 64
SCORE = {
    "n": 50_000,
    "mean": 0.1,
    "sd": 0.2,
    "bins": {"edges": [0, 0.02, 0.1, 0.3, 0.6, 1], "probs": [0.5, 0.25, 0.1, 0.08, 0.07]},
    "saturation_share": {"low": 0.02, "high": 0.001},
}
FEATURE = {"name": "px", "n": 50_000, "missing": 0.01, "bins": {"edges": [-4, -1, 0, 1, 4], "probs": [0.16, 0.34, 0.34, 0.16]}}


def document(monitors: list[Document], *, a_day: float = 480.0, sites: int = 1, **sections: Any) -> Document:
    """A manifest with these monitors in a field of `a_day` inferences, a tenth of them positive."""
    baselines = {
        "features": [FEATURE], "score": SCORE, "prevalence": {"value": 0.1},
        "metrics": [{"id": "sensitivity", "overall": {"value": 0.9}}, {"id": "specificity", "overall": {"value": 0.95}}],
        "operational": {
            "expected_volume": {"per": "overall", "hour_of_week": {"all": [a_day / 24] * 168}},
            "alerts_per_100_encounters": {"value": 12.0}, "override_rate": {"value": 0.1},
        },
    }  # fmt: skip
    windows = [
        {"id": "hour", "size": "PT1H"}, {"id": "day", "size": "P1D"}, {"id": "week", "size": "P7D", "slide": "P1D"},
        {"id": "month", "size": "P28D", "slide": "P1D"},
    ]  # fmt: skip
    surveillance = {"windows": windows, "monitors": [{"hazard_id": "HZ-1", "playbook": "PB"} | one for one in monitors]}
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-1", "revision": 1, "status": "approved",
        "release": {"release_id": "r-1", "datasets": {"monitoring_baseline": {"n": 50_000, "sites": sites}}},
        "strata": {"axes": [{"id": "site", "source": "site_id"}]} | sections.pop("strata", {}),
        "baselines": baselines | sections.pop("baselines", {}), "hazards": [{"id": "HZ-1"}],
        "owners": {"safety_officer": {"primary": "user-1"}}, "playbooks": {"PB": {"steps": ["decide"]}},
        "surveillance": surveillance | sections.pop("surveillance", {}),
    } | sections  # fmt: skip


def manifest_of(*monitors: Document, **settings: Any) -> Manifest:
    return parse_manifest(document(list(monitors), **settings))


def monitor(kind: str, window: str, limits: Mapping[str, Any], **fields: Any) -> Document:
    """A monitor of one level."""
    own = {key: fields.pop(key) for key in ("by", "persistence", "min_n", "interval") if key in fields}
    return {"id": kind, "metric": {"type": kind} | fields, "window": window, "limits": {"investigate": dict(limits)}} | own


def only_cell(manifest: Manifest) -> Cell:
    (found,) = cells_of(manifest, assumptions_of(manifest), manifest.surveillance.monitors[0])
    return found


def simulated_days(
    manifest: Manifest,
    cell: Cell,
    harm: Harm,
    power: float,
    *,
    courses: int,
    horizon: int,
    worlds: tuple[World, World] | None = None,
) -> float:
    """Days from the onset until the incident opens, as the quantile `power` of so many courses: step by step, look by look.

    `worlds` before and after the onset, else those of the forecast.
    """
    field = field_of(manifest, assumptions_of(manifest), cell.series.monitor)
    draws = chance("a plain simulation", cell.series.monitor.id)
    window = manifest.surveillance.window(cell.series.monitor.window or "")
    assert window is not None
    stride = window.size_ms // window.slide_ms
    before = max(stride, 28 * DAY_MS // window.slide_ms if manifest.strata.below_min == "accumulate" else 0)
    quiet, harmful = worlds or (cell.world, harmed(cell.world, cell.series.monitor, harm))
    examiner = Examiner(manifest, cell.series, cell.scope.scope)
    found = []
    for _ in range(courses):
        cases = drawn_cases(
            draws, field, cell.scope.share, expected_cases(field, cell.scope.share, window.slide_ms, before + horizon)
        )
        common = np.zeros(len(cases))
        steps = np.concatenate(
            [
                quiet.draw(draws, cases[:before], common[:before]),
                harmful.draw(draws, cases[before:], common[before:]),
            ]
        )
        total = np.concatenate([np.zeros((1, steps.shape[1]), np.int64), np.cumsum(steps, axis=0)])
        windows = examiner.extended(total[stride:] - total[:-stride], stride)
        looks = examiner.looks(examiner.findings(windows.counts))
        ends = (np.arange(len(looks)) + stride) * window.slide_ms
        starts = ends - windows.spans * window.size_ms
        at = next(
            (
                at
                for at in range(before - stride + 1, len(looks))
                if looks[at].verdict == "breached"
                and incidents_by_level(
                    manifest, examiner.monitor, cell.scope.scope, Course.of(looks[: at + 1]), ends[: at + 1], starts[: at + 1]
                )
            ),
            None,
        )
        found.append(math.inf if at is None else (ends[at] - before * window.slide_ms) / DAY_MS)
    return float(np.sort(found)[math.ceil(power * courses) - 1])
