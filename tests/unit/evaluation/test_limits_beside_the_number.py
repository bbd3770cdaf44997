"""Limits that rest on more than the estimate: e-values shared by scopes, runs of identical windows."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.estimate import Estimate, Insufficient, Reason
from surveillance.evaluation.judging import e_family
from surveillance.evaluation.verdict import Finding, Verdict, level_verdict
from surveillance.manifest.model_limits import LevelLimit
from tests.property.deciding import monitor, release, typed


def verdict(limit: dict[str, Any], finding: Finding, family: int = 1) -> Verdict:
    return level_verdict(LevelLimit.model_validate(limit), finding, family)


def found(e: float | None, identical: int | None = None) -> Finding:
    return Finding(Estimate(0.2, 0.1, 0.3, 100, "psi", e=e), identical=identical)


@pytest.mark.parametrize(
    ("e", "family", "expected"), [(20, 1, "breached"), (19.9, 1, "met"), (59, 3, "met"), (60, 3, "breached")]
)
def test_an_e_value_must_reach_its_limit_times_the_scopes_that_share_it(e, family, expected):
    assert verdict({"e": 20}, found(e), family).value == expected


def test_without_an_e_value_or_a_number_the_condition_says_nothing():
    assert verdict({"e": 20}, found(None)) is Verdict.INCONCLUSIVE
    assert verdict({"e": 20}, Finding(Insufficient(Reason.NO_EXPOSURE))) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("identical", "expected"), [(None, "inconclusive"), (2, "met"), (3, "breached"), (4, "breached")])
def test_a_run_of_identical_windows_must_be_as_long_as_its_limit(identical, expected):
    assert verdict({"identical_windows": 3}, found(None, identical)).value == expected


@pytest.mark.parametrize(
    ("by", "feature", "seen", "family"),
    [
        ([], "px", 5, 1),
        (["age"], "px", 5, 3),
        (["vendor*age"], "px", 5, 6),
        (["age", "vendor"], "px", 1, 5),
        (["age"], "*", 1, 6),
        (["site"], "px", 5, 5),
        (["age", "site"], "px", 7, 7),
        (["site"], "px", 0, 1),
    ],
)
def test_scopes_that_share_an_e_limit_are_those_declared_else_those_seen(by, feature, seen, family):
    watched = monitor("m", {"type": "psi", "feature": feature}, {"investigate": {"e": 20}}, window="w1h", by=by)
    manifest = typed(release(watched))
    assert e_family(manifest, manifest.surveillance.monitors[0], seen) == family
