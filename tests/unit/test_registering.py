"""What keeps a manifest from being watched by, and what does not."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from surveillance.errors import InvalidManifest
from surveillance.manifest.lint import lint
from surveillance.registering import registration_of
from surveillance.registry import ALWAYS_MS
from surveillance.times import from_text

MINIMAL: dict[str, Any] = {
    "api_version": "pms.manifest/v1",
    "kind": "ReleaseManifest",
    "manifest_id": "rm-1",
    "revision": 1,
    "release": {"release_id": "r-1"},
    "strata": {},
    "baselines": {},
    "owners": {},
    "playbooks": {"PB": {}},
    "surveillance": {
        "windows": [{"id": "day", "size": "P1D"}],
        "monitors": [
            {
                "id": "burden",
                "metric": {"type": "rate", "numerator": "alerts", "denominator": "encounters"},
                "window": "day",
                "limits": {"investigate": {"ci_lower_above": 0.2}},
                "playbook": "PB",
            }
        ],
    },
}
"""The required sections of the contract and nothing else."""


def minimal(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(MINIMAL) | changes


def watching(metric: dict[str, Any], limit: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = minimal(**changes)
    document["surveillance"]["monitors"][0] |= {"metric": metric, "limits": {"investigate": limit}}
    return document


def test_the_required_sections_are_enough() -> None:
    registration = registration_of(minimal(), "m.yaml")
    assert (registration.release_id, registration.in_force_ms) == ("r-1", ALWAYS_MS)


@pytest.mark.parametrize("section", list(MINIMAL))
def test_a_required_section_is_required(section: str) -> None:
    document = minimal()
    del document[section]
    with pytest.raises(InvalidManifest) as refused:
        registration_of(document, "m.yaml")
    wanted = "surveillance.monitors[0].playbook" if section == "playbooks" else section
    assert wanted in [problem.path for problem in refused.value.problems]


def test_a_file_is_in_force_from_effective_from_and_a_registration_a_minute_after_its_own_time_at_the_earliest() -> None:
    document = minimal()
    document["surveillance"]["effective_from"] = "2026-05-06T00:00:00Z"
    at = from_text("2026-05-06T00:00:00Z")
    assert registration_of(document, "m.yaml").in_force_ms == at
    assert registration_of(document, "m.yaml", registered_ms=at - 3_600_000).in_force_ms == at
    assert registration_of(document, "m.yaml", registered_ms=at + 5).in_force_ms == at + 60_005


@pytest.mark.parametrize(
    "document",
    [
        watching({"type": "psi", "feature": "hr"}, {"p": 0.001}),
        watching({"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"}, {"rr_ci_lower_above": 2}),
        watching({"type": "label_arrivals_vs_expected"}, {"p": 0.001}),
        watching({"type": "saturation_share", "side": "high"}, {"ratio_to_baseline": 5}),
        minimal(rollback={"triggers": ["gone:pause", "no.such.stop"]}),
        minimal(regulatory={"trend_method": {"monitor": "gone"}, "time_zone": "Europe/Atlantis"}),
        minimal(hazards=[{"id": "HZ-1"}], intended_use={"claim_coverage": {"CL-1": ["gone"]}}),
        minimal(escalation=[{"after": "PT0S", "to": "nobody"}]),
    ],
)
def test_what_only_keeps_a_manifest_from_release_leaves_no_fleet_unwatched_and_is_logged(
    document: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    errors = [str(problem) for problem in lint(document) if problem.severity == "error"]
    with caplog.at_level(logging.WARNING):
        registration_of(document, "m.yaml")
    assert errors != []
    assert all(error in caplog.text for error in errors)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"window": "dya"}, "surveillance.monitors[0].window"),
        ({"by": ["ward"]}, "surveillance.monitors[0].by[0]"),
        ({"playbook": "gone"}, "surveillance.monitors[0].playbook"),
        ({"persistence": {"k": 3, "of": 2}}, "surveillance.monitors[0].persistence.k"),
        ({"limits": {"investigate": {"ci_lower_abov": 0.2}}}, "surveillance.monitors[0].limits.investigate.ci_lower_abov"),
        ({"interval": {"method": "delong"}}, "surveillance.monitors[0].interval.method"),
    ],
)
def test_what_would_be_counted_or_judged_wrongly_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    document = minimal()
    document["surveillance"]["monitors"][0] |= change
    with pytest.raises(InvalidManifest) as refused:
        registration_of(document, "m.yaml")
    assert path in [problem.path for problem in refused.value.problems]


def test_faults_of_structure_and_of_sense_are_named_together() -> None:
    document = minimal()
    first = document["surveillance"]["monitors"][0]
    document["surveillance"]["monitors"] = [first | {"window": "dya"}, first | {"id": "second", "dry_run": "perhaps"}]
    with pytest.raises(InvalidManifest) as refused:
        registration_of(document, "m.yaml")
    paths = {problem.path for problem in refused.value.problems}
    assert {"surveillance.monitors[0].window", "surveillance.monitors[1].dry_run"} <= paths


def test_drift_that_is_to_roll_back_is_refused() -> None:
    document = watching({"type": "psi", "feature": "hr"}, {"p": 0.001}, rollback={"triggers": ["burden:investigate"]})
    with pytest.raises(InvalidManifest, match="drift alone never rolls back"):
        registration_of(document, "m.yaml")


def test_a_filter_that_nothing_matches_is_told_and_leaves_no_fleet_unwatched(caplog: pytest.LogCaptureFixture) -> None:
    document = watching({"type": "event_count", "filter": {"seriousness": "deth"}}, {"ge": 1})
    with caplog.at_level(logging.WARNING):
        assert registration_of(document, "m.yaml").release_id == "r-1"
    (told,) = caplog.messages
    assert told.startswith("m.yaml: surveillance.monitors[0].metric.filter.seriousness: ")
    assert 'did you mean "death"?' in told
