"""Rows of ../shared/data as telemetry, and what a replay says of them. Times and devices are made up."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.replaying import replayed

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DAY = "2026-03-02"
Document = dict[str, Any]


def data_file(*parts: str) -> Path:
    """A file of ../shared/data; where it is absent the whole module that asks for it is skipped."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path.name}: ../shared/data is not part of this clone", allow_module_level=True)
    return path


def inference(number: str, site: str, score: float, features: Document) -> Document:
    """An inference at noon of the one day."""
    return _event("inference", number, site, f"{DAY}T12:00:00Z") | {
        "inference_id": number,
        "score": score,
        "alert_raised": score >= 0.5,
        "threshold_applied": 0.5,
        "features": features,
    }


def outcome(number: str, site: str, label: int) -> Document:
    """The outcome of an inference, known an hour later whatever the call was."""
    return _event("outcome", number, site, f"{DAY}T13:00:00Z") | {
        "outcome_id": number,
        "inference_id": number,
        "label": label,
        "label_kind": "reference_standard",
        "label_time": f"{DAY}T13:00:00Z",
        "verification": "routine",
    }


def _event(kind: str, number: str, site: str, time: str) -> Document:
    return {
        "schema": f"pms.{kind}", "schema_version": 2, "event_id": f"{kind}-{number}", "product": "p", "site_id": site,
        "device_id": f"{site}-server", "release_id": "r-1", "event_time": time,
    }  # fmt: skip


def manifest(features: Iterable[Document], monitors: Iterable[Document]) -> Document:
    """Monitors over the one day, by site."""
    common = {"hazard_id": "HZ-1", "by": ["site"], "window": "day", "playbook": "PB", "persistence": {"k": 1, "of": 1}}
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-1", "revision": 1,
        "release": {"release_id": "r-1"}, "strata": {"axes": [{"id": "site", "source": "site_id"}]},
        "baselines": {"features": list(features)}, "owners": {"safety_officer": {"primary": "user-1"}},
        "playbooks": {"PB": {"steps": ["decide"]}}, "hazards": [{"id": "HZ-1"}],
        "surveillance": {
            "windows": [{"id": "day", "size": "P1D"}], "monitors": [common | monitor for monitor in monitors],
        },
    }  # fmt: skip


def judged(document: Document, events: Iterable[Document]) -> list[Document]:
    """The lines of a replay up to the end of the day."""
    return replayed([document], (json.dumps(event).encode() for event in events), "2026-03-03T00:00:00Z")


def status(lines: Iterable[Document], monitor: str, **scope: str) -> Document:
    """The one status line of a monitor and scope."""
    (found,) = [line for line in lines if line["kind"] == "status" and line["monitor_id"] == monitor and line["scope"] == scope]
    return found
