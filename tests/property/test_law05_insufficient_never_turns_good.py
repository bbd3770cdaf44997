"""Law 5: insufficient evidence never changes a state to good; silence, missing labels and missing heartbeats are criteria."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.estimate import Insufficient, Reason
from surveillance.evaluation.verdict import Finding, Verdict, level_verdict, overall
from surveillance.manifest.model_limits import LevelLimit
from tests.property.deciding import (
    HOUR_MS,
    LEVELS,
    MINUTE_MS,
    event,
    evidence_of,
    inference,
    monitor,
    outcome,
    release,
    replayed_lines,
    stepped,
    tick,
)

RATE = {"type": "rate", "numerator": "abstained", "denominator": "inferences"}
WATCHED = release(monitor("m", RATE, {level: {"ci_lower_above": 0.1} for level in LEVELS}, window="w1h"))

LEVEL_VERDICTS = st.lists(st.sampled_from(list(Verdict)), min_size=3, max_size=3).map(
    lambda found: dict(zip(LEVELS, found, strict=True))
)
NOTHING_KNOWN = dict.fromkeys(LEVELS, Verdict.INCONCLUSIVE)

CONDITIONS = st.sampled_from(
    [
        {"p": 0.5}, {"p": 1.0}, {"effect_min": 0.0}, {"ge": 1}, {"ge": 10**9}, {"h": 5}, {"above": -1}, {"above": 10**9},
        {"below": 0}, {"abs": 1.0}, {"ratio_to_baseline": 9, "abs_min": 1.0}, {"ci_lower_above": 10**9}, {"ci_upper_below": -1},
        {"outside": (0.0, 10.0**9)}, {"rr_ci_lower_above": 10**9}, {"missed": 10**6}, {"p": 0.01, "effect_min": 0.5},
    ]
)  # fmt: skip


@given(CONDITIONS, st.sampled_from(list(Reason)), st.integers(0, 100), st.sampled_from([None, 0.0, 1.0]))
def test_no_limit_is_met_without_a_number(conditions, reason, n, beside):
    """Whatever else is known beside: a baseline, a p-value, the silence of gateways."""
    finding = Finding(Insufficient(reason, n), baseline=beside, p=beside, silent=lambda missed: 0)
    assert level_verdict(LevelLimit.model_validate(conditions), finding) is Verdict.INCONCLUSIVE


@given(st.lists(st.sampled_from(list(Verdict))))
def test_levels_together_are_met_only_if_each_is(verdicts):
    assert (overall(verdicts) is Verdict.MET) == (bool(verdicts) and set(verdicts) == {Verdict.MET})


@settings(max_examples=200)
@given(st.lists(st.tuples(LEVEL_VERDICTS, st.integers(0, 3)), max_size=14))
def test_inconclusive_windows_between_the_others_change_no_decision(windows):
    """The same conclusive windows at the same times, with and without windows in between that say nothing."""
    with_gaps, without, end_ms = [], [], 0
    for levels, silent in windows:
        for _ in range(silent):
            end_ms += HOUR_MS
            with_gaps.append(evidence_of(NOTHING_KNOWN, end_ms))
        end_ms += HOUR_MS
        with_gaps.append(evidence_of(levels, end_ms))
        without.append(evidence_of(levels, end_ms))
    assert stepped(WATCHED, with_gaps) == stepped(WATCHED, without)


@given(st.lists(LEVEL_VERDICTS, max_size=10), st.integers(1, 30))
def test_silence_after_anything_leaves_every_incident_as_it_was(windows, silent):
    told = [evidence_of(levels, at * HOUR_MS) for at, levels in enumerate(windows, 1)]
    rest = [evidence_of(NOTHING_KNOWN, (len(windows) + at) * HOUR_MS) for at in range(1, silent)]
    assert stepped(WATCHED, told + rest) == stepped(WATCHED, told)


FLOOR = {"type": "proportion_vs_floor", "event": "sensitivity"}
SENSITIVITY = release(monitor("sens", FLOOR, {"investigate": {"ci_upper_below": 0.8}}, window="w1h"))


def missed_cases(hours):
    """In each hour ten positives, all missed."""
    for hour in hours:
        for at in range(10):
            number = f"{hour}-{at}"
            yield inference(number, hour * HOUR_MS + at * MINUTE_MS, score=0.2)
            yield outcome(number, 1, hour * HOUR_MS + at * MINUTE_MS + 1000)


@pytest.mark.parametrize(
    "after",
    [
        [tick(40 * HOUR_MS)],
        [inference(f"late-{hour}", hour * HOUR_MS) for hour in range(5, 40)],
        [event("feedback", 1, 39 * HOUR_MS, feedback_id="f", inference_id="x", kind="o", theme_code="t", severity="low")],
    ],
    ids=["silence", "inferences without labels", "events of another kind"],
)
def test_an_incident_stays_open_when_evidence_ends(after):
    lines = replayed_lines([SENSITIVITY], [*missed_cases(range(4)), *after, tick(41 * HOUR_MS)])
    states = [line["state"] for line in lines if line["kind"] == "incident"]
    assert states == ["open"]
    (status,) = [line for line in lines if line["kind"] == "status"]
    assert status["verdict"] == "inconclusive"
    assert status["last_conclusive"]["verdict"] == "breached"


def test_it_resolves_when_evidence_says_so():
    """What the tests above exclude does happen for a reason: found cases in `clear_after` windows."""
    found = [
        line
        for hour in range(4, 12)
        for at in range(40)
        for line in (
            inference(f"{hour}-{at}", hour * HOUR_MS + at * MINUTE_MS, score=0.9),
            outcome(f"{hour}-{at}", 1, hour * HOUR_MS + at * MINUTE_MS + 1000),
        )
    ]
    lines = replayed_lines([SENSITIVITY], [*missed_cases(range(4)), *found, tick(13 * HOUR_MS)])
    assert [line["state"] for line in lines if line["kind"] == "incident"] == ["open", "resolved"]


def test_blindness_is_an_incident_missing_heartbeats():
    document = release(monitor("silent", {"type": "heartbeat_gap"}, {"investigate": {"missed": 3}}, by=["device"]))
    beat = {"uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
    lines = replayed_lines([document], [event("heartbeat", 1, 0, **beat), tick(HOUR_MS)])
    assert [(line["monitor_id"], line["state"]) for line in lines if line["kind"] == "incident"] == [("silent", "open")]


def test_blindness_is_an_incident_missing_labels():
    document = release(monitor("labels", {"type": "label_arrivals_vs_expected"}, {"investigate": {"p": 0.001}}, window="w6h"))
    sent = [inference(number, number * MINUTE_MS) for number in range(300)]
    lines = replayed_lines([document], [*sent, tick(30 * HOUR_MS)])
    assert "open" in [line["state"] for line in lines if line["kind"] == "incident"]
