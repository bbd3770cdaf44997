"""Counts by window over events that are told late: lint says truly how late they may be to open an incident."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.manifest.lint import lint
from surveillance.times import HOUR_MS, to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import inference, monitor, release, replayed_lines
from tests.scenario.replaying import of_kind
from tests.unit.evaluation.test_periods_again import report

EVENT_AT_H = 0.5
"""Its last window of `w1h` ends at 1 h, that of `w6h` at 6 h; its lateness of six hours ends at 6.5 h."""
METRICS: dict[str, dict[str, Any]] = {
    "events": {"type": "event_count"},
    "identity": {"type": "identity_mismatch", "fields": ["model_digest"]},
}


def at_hour(hour: float) -> int:
    return round(hour * HOUR_MS)


def watching(metric: str, window: str, persistence: dict[str, int] | None) -> dict[str, Any]:
    more = {} if persistence is None else {"persistence": persistence}
    return release(monitor("counted", METRICS[metric], {"pause": {"ge": 1}}, window=window, **more))


def told(metric: str, told_h: float) -> bytes:
    """One event that counts, told at an hour of the stream."""
    at_ms, arrives = at_hour(EVENT_AT_H), to_text(START_MS + at_hour(told_h))
    if metric == "events":
        return report("late", at_ms, ingest_time=arrives)
    return inference("late", at_ms, model_digest=f"sha256:{0:064}", ingest_time=arrives)


def opens(document: dict[str, Any], metric: str, told_h: float) -> bool:
    """Whether an incident opens in a field in which something happens all the time, until half an hour after it was told."""
    uses = [inference(n, at_hour(n / 12)) for n in range(int(12 * told_h) + 1)]
    last = [inference("then", at_hour(told_h)), told(metric, told_h), inference("end", at_hour(told_h + 0.5))]
    return bool(of_kind(replayed_lines([document], [*uses, *last]), "incident"))


def warnings_of(document: dict[str, Any]) -> list[str]:
    return [one.message for one in lint(document) if one.path == "surveillance.monitors[0].persistence"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("persistence", "seen", "in_time_h", "too_late_h"), [
    (None, "PT1H", 1.9, 2.1),
    ({"k": 1, "of": 3}, "PT3H", 3.9, 4.1),
    ({"k": 1, "of": 5}, "PT5H", 5.9, 6.1),
])  # fmt: skip
def test_what_is_told_later_than_lint_says_opens_nothing(
    metric: str, persistence: dict[str, int] | None, seen: str, in_time_h: float, too_late_h: float
) -> None:
    document = watching(metric, "w1h", persistence)
    (message,) = warnings_of(document)
    assert f"told later than {seen} after" in message
    assert "{k: 1, of: 6} sees all" in message
    assert opens(document, metric, in_time_h)
    assert not opens(document, metric, too_late_h)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("window", "persistence"), [("w1h", {"k": 1, "of": 6}), ("w6h", None)])
def test_where_lint_says_nothing_whatever_is_counted_opens_an_incident(
    metric: str, window: str, persistence: dict[str, int] | None
) -> None:
    document = watching(metric, window, persistence)
    assert warnings_of(document) == []
    assert opens(document, metric, 6.49)
