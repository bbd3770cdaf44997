"""Law 7: drift opens an investigation, at most a pause. A manifest names what arms a rollback, and may not name drift."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.evaluation.verdict import Verdict
from surveillance.manifest.lint import lint
from tests.property.deciding import HOUR_MS, LEVELS, evidence_of, monitor, release, stepped

ABOUT_INPUTS = {
    "psi": ({"type": "psi", "feature": "px"}, {"p": 0.01, "effect_min": 0.05}),
    "missing_rate": ({"type": "missing_rate", "feature": "px"}, {"abs": 0.3}),
}
CLAIMS = {
    "proportion_vs_floor": ({"type": "proportion_vs_floor", "event": "sensitivity"}, {"ci_upper_below": 0.8}),
    "identity_mismatch": ({"type": "identity_mismatch", "fields": ["model_digest"]}, {"ge": 1}),
}
ROLLBACK = "rollback_or_field_safety"
LEVEL_VERDICTS = st.lists(st.sampled_from(list(Verdict)), min_size=3, max_size=3).map(
    lambda found: dict(zip(LEVELS, found, strict=True))
)


def watching(kind: str, triggers: list[str]) -> dict:
    metric, limit = (ABOUT_INPUTS | CLAIMS)[kind]
    return release(monitor("m", metric, dict.fromkeys(LEVELS, limit), window="w1h"), triggers=triggers)


def asked_for(changes) -> list[str]:
    return [action for change in changes for _, action in change.actions]


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(ABOUT_INPUTS | CLAIMS)),
    st.sampled_from([[], ["other:rollback_or_field_safety"], ["m:pause"], ["m"]]),
    st.lists(LEVEL_VERDICTS, max_size=10),
)
def test_a_monitor_that_the_manifest_does_not_name_never_asks_for_a_rollback(kind, triggers, windows):
    evidence = [evidence_of(levels, at * HOUR_MS) for at, levels in enumerate(windows, 1)]
    changes, _ = stepped(watching(kind, triggers), evidence)
    assert "rollback_request" not in asked_for(changes)


@pytest.mark.parametrize("kind", sorted(ABOUT_INPUTS))
def test_a_manifest_that_lets_drift_roll_back_is_refused(kind):
    problems = lint(watching(kind, [f"m:{ROLLBACK}"]))
    assert [problem.path for problem in problems if "drift alone never rolls back" in problem.message] == ["rollback.triggers[0]"]
    assert {problem.severity for problem in problems if "never rolls back" in problem.message} == {"error"}


@settings(max_examples=50)
@given(st.sampled_from(sorted(ABOUT_INPUTS)), st.lists(LEVEL_VERDICTS, max_size=10))
def test_drift_asks_for_no_rollback_even_under_a_manifest_that_says_so(kind, windows):
    """Such a manifest is refused at the door; a decision does not rest on the door alone."""
    evidence = [evidence_of(levels, at * HOUR_MS) for at, levels in enumerate(windows, 1)]
    changes, _ = stepped(watching(kind, [f"m:{ROLLBACK}"]), evidence)
    assert "rollback_request" not in asked_for(changes)


@pytest.mark.parametrize("kind", sorted(ABOUT_INPUTS))
def test_drift_at_its_worst_pauses(kind):
    worst = [evidence_of(dict.fromkeys(LEVELS, Verdict.BREACHED), at * HOUR_MS) for at in (1, 2, 3)]
    changes, incident = stepped(watching(kind, []), worst)
    assert asked_for(changes) == ["pause_rollout"]
    assert incident is not None
    assert incident.level == ROLLBACK


@pytest.mark.parametrize("kind", sorted(CLAIMS))
def test_a_violated_claim_or_identity_asks_for_one_as_the_manifest_says_and_once(kind):
    worst = [evidence_of(dict.fromkeys(LEVELS, Verdict.BREACHED), at * HOUR_MS) for at in range(1, 9)]
    changes, _ = stepped(watching(kind, [f"m:{ROLLBACK}"]), worst)
    assert asked_for(changes) == ["pause_rollout", "rollback_request"]
