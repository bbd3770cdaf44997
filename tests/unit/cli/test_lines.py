"""What `replay`, `status` and `demo` print: NDJSON by the contract, or text a person reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from surveillance.cli.lines import LineTexts, print_lines
from surveillance.incidents.lines import line_text

INCIDENT: dict[str, Any] = {
    "kind": "incident",
    "incident_id": "inc-1",
    "monitor_id": "perf.auroc",
    "level": "investigate",
    "state": "open",
    "scope": {"site": "site-04", "age": "75+"},
    "changed_at": "2026-05-09T06:00:00Z",
    "window": {"start": "2026-05-01T00:00:00Z", "end": "2026-05-08T00:00:00Z"},
    "estimate": {"value": 0.71234, "lower": 0.65, "upper": 0.77, "n": 812, "method": "delong"},
    "summary": "AUROC below 0.8",
}
STATUS: dict[str, Any] = {
    "kind": "status",
    "monitor_id": "cal.slope",
    "scope": {},
    "verdict": "inconclusive",
    "reason": "below_minimum_n",
}
SUMMARY: dict[str, Any] = {
    "kind": "summary",
    "events": 10,
    "counted": 6,
    "duplicates": 1,
    "quarantined": {"not_json": 2},
    "late": 1,
    "watermark": "2026-05-08T00:00:00Z",
}


def test_json_keeps_the_order_of_keys_and_has_no_spaces() -> None:
    assert line_text({"kind": "status", "b": 1, "a": [1.5, "é"]}) == '{"kind":"status","b":1,"a":[1.5,"é"]}'


def test_a_number_that_is_not_finite_is_never_printed() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        line_text({"value": float("nan")})


def test_an_incident_says_when_what_where_and_how_sure() -> None:
    text = LineTexts().of(INCIDENT)
    for part in (
        "2026-05-09T06:00:00Z",
        "OPEN",
        "investigate",
        "perf.auroc",
        "site site-04, age 75+",
        "0.7123 [0.65, 0.77], n 812, window 2026-05-01T00:00:00Z to 2026-05-08T00:00:00Z, inc-1",
        "AUROC",
    ):
        assert part in text


def life(*changes: tuple[str, str]) -> tuple[LineTexts, list[str]]:
    """What is said of an incident that takes these states and levels, each by its word."""
    texts = LineTexts()
    said = [texts.of(INCIDENT | {"state": state, "level": level}) for state, level in changes]
    return texts, [text.partition("  ")[2].partition(" investigate ")[0].partition(" pause ")[0] for text in said]


def test_each_line_of_an_incident_says_what_it_changes() -> None:
    _, words = life(
        ("open", "investigate"), ("open", "pause"), ("open", "pause"), ("resolved", "pause"), ("open", "investigate")
    )  # fmt: skip
    assert words == ["OPEN", "ESCALATED", "STILL OPEN", "RESOLVED", "REOPENED"]


def test_a_summary_counts_the_incidents_that_are_open_at_the_end() -> None:
    texts, _ = life(("open", "investigate"), ("open", "pause"))
    texts.of(INCIDENT | {"incident_id": "inc-2"})
    assert texts.of(SUMMARY).endswith("; 2 incidents open")
    texts.of(INCIDENT | {"state": "resolved"})
    assert texts.of(SUMMARY).endswith("; 1 incident open")
    assert "open" not in LineTexts().of(SUMMARY)


def test_an_inconclusive_status_says_what_it_was_before() -> None:
    window = {"start": "2025-10-16T00:00:00Z", "end": "2025-10-23T00:00:00Z"}
    before = STATUS | {"reason": "immature_labels", "last_conclusive": {"verdict": "breached", "window": window}}
    wanted = "inconclusive  cal.slope at all: immature_labels (last: breached until 2025-10-23T00:00:00Z)"
    assert LineTexts().of(before) == wanted


def test_a_backtest_tells_quiet_from_never_judged() -> None:
    line = {"kind": "backtest", "monitor_id": "m", "level": "pause", "raised": 0, "scopes": 0}
    assert LineTexts().of(line | {"judged": 13}) == "m at pause: 0 raised, 13 scopes judged"
    assert LineTexts().of(line | {"judged": 0}) == "m at pause: 0 raised, nothing judged"
    loud = line | {"raised": 3, "scopes": 2, "judged": 13, "first": "2026-05-09T06:00:00Z"}
    assert LineTexts().of(loud) == "m at pause: 3 raised in 2 scopes, 13 scopes judged, first at 2026-05-09T06:00:00Z"


def test_a_status_without_an_estimate_gives_its_reason() -> None:
    assert LineTexts().of(STATUS) == "inconclusive  cal.slope at all: below_minimum_n"


def test_a_summary_of_nothing_has_no_watermark() -> None:
    assert LineTexts().of(SUMMARY | {"watermark": None}).endswith("; watermark none")


def test_an_inconclusive_status_gives_its_numbers_and_its_reason() -> None:
    small = STATUS | {"estimate": {"n": 12, "needed": 50}}
    assert LineTexts().of(small) == "inconclusive  cal.slope at all: n 12, needs 50, below_minimum_n"
    spanning = STATUS | {"estimate": {"value": 0.9, "lower": 0.8, "upper": 1.0, "n": 70}, "reason": "interval_spans_limit"}
    assert LineTexts().of(spanning) == "inconclusive  cal.slope at all: 0.9 [0.8, 1], n 70, interval_spans_limit"


def test_a_number_without_an_interval_is_shown_without_one() -> None:
    chart = STATUS | {"verdict": "met", "reason": None, "estimate": {"value": 2.5, "lower": 2.5, "upper": 2.5, "n": 70}}
    assert LineTexts().of(chart) == "met           cal.slope at all: 2.5, n 70"


def test_a_summary_adds_up_before_the_readers_eyes() -> None:
    assert LineTexts().of(SUMMARY).startswith("10 events: 6 counted, 1 duplicates, 1 late, quarantined: 2 not_json;")


def test_lines_of_a_kind_without_a_text_are_not_lost() -> None:
    assert LineTexts().of({"kind": "something", "x": 1}) == '{"kind":"something","x":1}'


def test_lines_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines(iter([STATUS, SUMMARY]), as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [STATUS, SUMMARY]
