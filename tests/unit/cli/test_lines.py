"""What `replay`, `status` and `demo` print: NDJSON by the contract, or text a person reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from surveillance.cli.lines import print_lines, text_line
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
    text = text_line(INCIDENT)
    for part in (
        "2026-05-09T06:00:00Z",
        "OPEN",
        "investigate",
        "perf.auroc",
        "site site-04, age 75+",
        "0.7123 [0.65, 0.77], n 812",
        "AUROC",
    ):
        assert part in text


def test_a_status_without_an_estimate_gives_its_reason() -> None:
    assert text_line(STATUS) == "inconclusive  cal.slope at all: below_minimum_n"


def test_a_summary_of_nothing_has_no_watermark() -> None:
    assert text_line(SUMMARY | {"watermark": None}).endswith("; watermark none")


def test_an_inconclusive_status_gives_its_numbers_and_its_reason() -> None:
    small = STATUS | {"estimate": {"n": 12, "needed": 50}}
    assert text_line(small) == "inconclusive  cal.slope at all: n 12, needs 50, below_minimum_n"
    spanning = STATUS | {"estimate": {"value": 0.9, "lower": 0.8, "upper": 1.0, "n": 70}, "reason": "interval_spans_limit"}
    assert text_line(spanning) == "inconclusive  cal.slope at all: 0.9 [0.8, 1], n 70, interval_spans_limit"


def test_a_number_without_an_interval_is_shown_without_one() -> None:
    chart = STATUS | {"verdict": "met", "reason": None, "estimate": {"value": 2.5, "lower": 2.5, "upper": 2.5, "n": 70}}
    assert text_line(chart) == "met           cal.slope at all: 2.5, n 70"


def test_a_summary_adds_up_before_the_readers_eyes() -> None:
    assert text_line(SUMMARY).startswith("10 events: 6 counted, 1 duplicates, 1 late, quarantined: 2 not_json;")


def test_lines_of_a_kind_without_a_text_are_not_lost() -> None:
    assert text_line({"kind": "something", "x": 1}) == '{"kind":"something","x":1}'


def test_lines_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines(iter([STATUS, SUMMARY]), as_json=True)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [STATUS, SUMMARY]
