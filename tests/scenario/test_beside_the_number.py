"""What stands beside a number on labels: bounds of pending labels, the number without treated cases, the label-free estimate.

It is for people. No verdict, level or incident may differ by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from detectors.estimate import Estimate
from detectors.proportion import proportion
from surveillance.store.memory import MemoryStore
from surveillance.times import from_text
from tests.oracle.streams import START_MS
from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, replayed_lines, tick

Line = dict[str, Any]
Case = tuple[float, int | None, dict[str, Any]]
"""Score, label (None = no label yet) and what the outcome says besides."""

SENSITIVITY = {"type": "proportion_vs_floor", "event": "sensitivity"}
FLOOR = {"investigate": {"ci_upper_below": 0.5}}
PUBLIC = ("bounds", "without_treated", "label_free")


def watch(metric: Line, limits: Line | None = None, **more: Any) -> Line:
    return monitor(
        "m", metric, FLOOR if limits is None else limits, **({"window": "w1h", "persistence": {"k": 1, "of": 1}} | more)
    )


def lines_of(cases: Iterable[Case], site: str = "s", start: int = 0) -> list[bytes]:
    lines: list[bytes] = []
    for at, (score, label, said) in enumerate(cases, start):
        lines.append(inference(at, MINUTE_MS + at, score, site_id=site))
        if label is not None:
            lines.append(outcome(at, label, MINUTE_MS + at, site_id=site, **said))
    return lines


def told(watched: Line, lines: Iterable[bytes], amend: Callable[[Line], None] | None = None) -> list[Line]:
    document = release(watched)
    document["baselines"]["label_latency"]["verification"] = {"flagged": 0.1, "unflagged": 0.1}
    if amend is not None:
        amend(document)
    return replayed_lines([document], [*lines, tick(HOUR_MS + 2 * MINUTE_MS)])


def status(lines: list[Line], **scope: str) -> Line:
    (line,) = [line for line in lines if line["kind"] == "status" and line["scope"] == scope]
    return line


PENDING: list[Case] = (
    [(0.8, 1, {})] * 40 + [(0.2, 1, {})] * 10 + [(0.2, 0, {})] * 40 + [(0.8, None, {})] * 5 + [(0.2, None, {})] * 20
)
TREATED: Line = {"treated_before_label": True}


def test_pending_labels_put_bounds_beside_a_proportion():
    found = status(told(watch(SENSITIVITY), lines_of(PENDING)))
    assert found["estimate"]["value"] == 0.8
    bounds = found["bounds"]
    assert bounds["lower"] == pytest.approx(40 / 70)
    assert bounds["upper"] == pytest.approx(45 / 55)
    assert bounds["pending"] == 25
    assert bounds["method"] == "manski"


def test_complete_labels_have_no_bounds():
    assert "bounds" not in status(told(watch(SENSITIVITY), lines_of(PENDING[:90])))


def test_bounds_stand_where_the_number_itself_is_refused():
    immature = status(told(watch(SENSITIVITY | {"require_mature": True}), lines_of(PENDING)))
    assert immature["reason"] == "immature_labels"
    assert immature["bounds"]["lower"] == pytest.approx(40 / 70)
    incidental = [(score, label, {"verification": "incidental"}) for score, label, _ in PENDING]
    biased = status(told(watch(SENSITIVITY), lines_of(incidental)))
    assert biased["reason"] == "verification_bias"
    assert biased["bounds"]["upper"] == pytest.approx(45 / 55)


def test_prevalence_has_bounds_too():
    found = status(told(watch({"type": "prevalence"}, {"investigate": {"above": 0.9}}), lines_of(PENDING)))
    assert found["bounds"]["lower"] == pytest.approx(50 / 115)
    assert found["bounds"]["upper"] == pytest.approx(75 / 115)


def test_cases_treated_before_their_label_are_shown_with_and_without():
    cases: list[Case] = (
        [(0.8, 1, {})] * 40 + [(0.2, 1, {})] * 5 + [(0.8, 0, TREATED)] * 9 + [(0.2, 1, TREATED)] * 5 + [(0.2, 0, {})] * 60
    )
    found = status(told(watch(SENSITIVITY), lines_of(cases)))
    (others,) = proportion([40], [45], method="wilson")
    assert isinstance(others, Estimate)
    assert found["estimate"]["value"] == 0.8
    without = found["without_treated"]
    assert (without["value"], without["lower"], without["upper"]) == (others.value, others.lower, others.upper)
    assert (without["n"], without["treated"]) == (45, 14)


def test_without_a_treated_case_nothing_is_shown_without():
    assert "without_treated" not in status(told(watch(SENSITIVITY), lines_of(PENDING)))


@pytest.mark.parametrize("kind", ["auroc", "brier", "observed_expected", "calibration_slope", "prevalence"])
def test_the_number_without_treated_cases_is_that_of_a_stream_in_which_they_are_not(kind: str):
    rng = np.random.default_rng(5)
    cases: list[Case] = [
        (float(score), int(rng.random() < score), TREATED if rng.random() < 0.2 else {}) for score in rng.random(120).round(3)
    ]
    limits = {
        "observed_expected": {"investigate": {"outside": [0.1, 9]}}, "calibration_slope": {"investigate": {"outside": [0.1, 9]}},
    }.get(kind, {"investigate": {"ci_lower_above": 1.0}})  # fmt: skip
    found = status(told(watch({"type": kind}, limits), lines_of(cases)))
    alone = status(told(watch({"type": kind}, limits), lines_of([case for case in cases if not case[2]])))
    without = found["without_treated"]
    assert without.pop("treated") == sum(bool(case[2]) for case in cases)
    assert without == {key: value for key, value in alone["estimate"].items() if key in without}
    assert found["estimate"]["n"] == 120


def test_a_better_label_takes_the_treated_one_out_and_brings_its_own_word_on_treatment():
    lines = lines_of([(0.8, 1, {})] * 30 + [(0.2, 1, TREATED)] * 6 + [(0.2, 0, {})] * 30)
    better = [
        outcome(f"r{at}", 1, 30 * MINUTE_MS + at, of=at, label_kind="reference_standard", **said)
        for at, said in [*((at, {}) for at in range(30, 33)), *((at, TREATED) for at in range(2))]
    ]
    found = status(told(watch(SENSITIVITY), [*lines, *better]))
    assert found["without_treated"]["treated"] == 6 - 3 + 2
    assert found["without_treated"]["value"] == 28 / 31


def test_treatment_is_remembered_over_a_restart_and_by_labels_that_waited_for_their_inference():
    """The first log ends before the better labels come: what they replace is known from the raw table alone."""
    document = release(watch(SENSITIVITY))
    early = [outcome(at, 1, MINUTE_MS + at, **TREATED) for at in range(30, 36)]
    cases = lines_of([(0.8, 1, {})] * 30 + [(0.2, None, {})] * 6 + [(0.2, 0, {})] * 30)
    better = [outcome(f"r{at}", 1, 30 * MINUTE_MS + at, of=at, label_kind="reference_standard") for at in range(30, 33)]
    every = [*early, *cases, *better, tick(HOUR_MS + 2 * MINUTE_MS)]
    whole = status(replayed_lines([document], every))
    assert whole["without_treated"]["treated"] == 3
    store = MemoryStore()
    replayed_lines([document], [*early, *cases], store)
    assert status(replayed_lines([document], every, store)) == whole


def calibrated(count: int, tilt: float = 1.0, seed: int = 3) -> list[Case]:
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.6, 1.6, count).round(3)
    return [(float(score), int(rng.random() < min(score * tilt, 1.0)), {}) for score in scores]


LABEL_FREE = [
    (SENSITIVITY, FLOOR),
    ({"type": "auroc"}, {"investigate": {"ci_upper_below": 0.5}}),
    ({"type": "brier"}, {"investigate": {"ci_lower_above": 0.5}}),
]


@pytest.mark.parametrize(("metric", "limits"), LABEL_FREE)
def test_the_scores_alone_promise_about_what_the_labels_of_calibrated_scores_show(metric: Line, limits: Line):
    found = status(told(watch(metric, limits), lines_of(calibrated(1500))))
    promised = found["label_free"]
    assert promised["estimate"] is True
    assert promised["method"] == "cbpe"
    assert promised["n"] == 1500
    assert promised["lower"] < found["estimate"]["value"] < promised["upper"]


def test_the_scores_promise_something_while_no_label_has_come():
    found = status(told(watch(SENSITIVITY), lines_of([(score, None, {}) for score, _, _ in calibrated(300)])))
    assert found["verdict"] == "inconclusive"
    assert found["label_free"]["estimate"] is True
    assert found["label_free"]["n"] == 300


@pytest.mark.parametrize(("metric", "limits"), LABEL_FREE)
def test_labels_that_reject_the_scores_make_the_promise_void(metric: Line, limits: Line):
    found = status(told(watch(metric, limits), lines_of(calibrated(1500, tilt=0.3))))
    assert found["label_free"]["void"] == "calibration_rejected"
    assert found["label_free"]["e"] >= 20
    assert "value" not in found["label_free"]


def test_it_is_void_in_the_scope_that_rejects_and_there_alone():
    lines = lines_of(calibrated(800), site="good") + lines_of(calibrated(800, tilt=0.2), site="bad", start=800)
    found = told(watch(SENSITIVITY, by=["site"]), lines)
    assert "value" in status(found, site="good")["label_free"]
    assert "void" in status(found, site="bad")["label_free"]


def test_metrics_without_a_label_free_estimate_keep_no_statistic_for_it():
    store = MemoryStore()
    document = release(watch({"type": "observed_expected"}, {"investigate": {"outside": [0.5, 2.0]}}))
    lines = replayed_lines([document], [*lines_of(PENDING[:90]), tick(HOUR_MS + 2 * MINUTE_MS)], store)
    assert "label_free" not in status(lines)
    assert not [row for row in store.read_panes("replay") if row.key.statistic.startswith("label_free")]


def test_an_extended_window_has_beside_it_what_its_whole_length_holds():
    lines = lines_of([(0.8, 1, TREATED)] * 4 + [(0.8, 1, {})] * 4 + [(0.2, None, {})] * 3)
    second = [inference("n", HOUR_MS + MINUTE_MS, 0.8), outcome("n", 1, HOUR_MS + MINUTE_MS)]
    document = release(watch(SENSITIVITY, min_n=6))
    document["strata"]["below_min"] = "accumulate"
    found = status(replayed_lines([document], [*lines, *second, tick(2 * HOUR_MS + 2 * MINUTE_MS)]))
    assert from_text(found["window"]["start"]) == START_MS
    assert found["without_treated"]["treated"] == 4
    assert found["without_treated"]["n"] == 5
    assert found["label_free"]["n"] == 12
    assert found["bounds"]["pending"] == 3


def test_nothing_beside_moves_a_verdict_a_level_or_an_incident():
    """The same labels, once with every case treated: what is judged is the same, though without them nothing would be left."""
    cases: list[Case] = [(0.8, 1, {})] * 10 + [(0.2, 1, {})] * 40 + [(0.2, 0, {})] * 40
    plain = told(watch(SENSITIVITY), lines_of(cases))
    treated = told(watch(SENSITIVITY), lines_of([(score, label, TREATED) for score, label, _ in cases]))
    assert status(treated)["without_treated"]["reason"] == "no_positives"
    assert [line["state"] for line in plain if line["kind"] == "incident"] == ["open"]

    def judged(lines: list[Line]) -> list[Line]:
        return [{key: value for key, value in line.items() if key not in (*PUBLIC, "panes")} for line in lines]

    assert judged(plain) == judged(treated)


def hourly(hour: int, cases: list[Case]) -> list[bytes]:
    """Cases, and their labels where they have one, a minute into this hour."""
    lines: list[bytes] = []
    for at, (score, label, said) in enumerate(cases):
        number, at_ms = f"{hour}-{at}", hour * HOUR_MS + MINUTE_MS + at
        lines.append(inference(number, at_ms, score))
        if label is not None:
            lines.append(outcome(number, label, at_ms, **said))
    return lines


def without_labels(count: int) -> list[Case]:
    return [(score, None, {}) for score, _, _ in calibrated(count, seed=9)]


def label_free_after(hours: int, *lines: list[bytes], metric: Line = SENSITIVITY, limits: Line = FLOOR) -> Line:
    every = [*(line for some in lines for line in some), tick(hours * HOUR_MS + 2 * MINUTE_MS)]
    found = status(replayed_lines([release(watch(metric, limits))], every))
    assert from_text(found["window"]["end"]) == START_MS + hours * HOUR_MS
    body: Line = found["label_free"]
    return body


BAD, GOOD = calibrated(300, tilt=0.2), calibrated(300)


@pytest.mark.parametrize(("metric", "limits"), LABEL_FREE)
def test_scores_that_the_newest_labels_reject_promise_nothing_in_an_hour_without_labels(metric: Line, limits: Line):
    """Labels come late: the newest window is the one that has none, and the one that the estimate is for."""
    bad = [hourly(0, BAD), hourly(1, BAD)]
    found = label_free_after(3, *bad, hourly(2, without_labels(200)), metric=metric, limits=limits)
    assert found["void"] == "calibration_rejected"
    assert found["e"] >= 20


def test_a_few_good_labels_do_not_make_the_promise_good_again():
    assert "void" in label_free_after(2, hourly(0, BAD), hourly(1, calibrated(20)))


def test_scores_promise_again_once_the_labels_of_a_newer_day_agree_with_them():
    assert "void" in label_free_after(25, hourly(0, BAD), hourly(24, without_labels(200)))
    assert "value" in label_free_after(26, hourly(0, BAD), hourly(24, GOOD), hourly(25, without_labels(200)))


def test_labels_older_than_28_days_void_nothing():
    hours = 28 * 24
    assert "void" in label_free_after(hours, hourly(0, BAD), hourly(hours - 1, without_labels(50)))
    assert "value" in label_free_after(hours + 1, hourly(0, BAD), hourly(hours, without_labels(50)))


def test_labels_that_come_after_a_later_window_was_judged_void_its_promise_at_a_new_revision():
    cases = [*hourly(0, [(score, None, {}) for score, _, _ in BAD]), *hourly(1, without_labels(50))]
    labels = [outcome(f"0-{at}", label or 0, 2 * HOUR_MS + 3 * MINUTE_MS + at) for at, (_, label, _) in enumerate(BAD)]
    document, store = release(watch(SENSITIVITY)), MemoryStore()
    before = status(replayed_lines([document], [*cases, tick(2 * HOUR_MS + 2 * MINUTE_MS)], store))
    assert "value" in before["label_free"]
    again = status(
        replayed_lines([document], [*cases, tick(2 * HOUR_MS + 2 * MINUTE_MS), *labels, tick(2 * HOUR_MS + 5 * MINUTE_MS)])
    )
    assert again["window"] == before["window"]
    assert again["label_free"]["void"] == "calibration_rejected"
