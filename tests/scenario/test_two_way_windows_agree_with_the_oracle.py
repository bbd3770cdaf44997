"""Cells of vendor and sex, in five minutes that slide by one and in 28 days that slide by one, against the oracle."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import HOUR_MS, START_MS, generate
from tests.oracle.times import format_time
from tests.property.deciding import monitor
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, p_differences, status_differences
from tests.scenario.replaying import of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

CELLS = {"by": ["vendor*sex", "vendor"]}
DAYS = CELLS | {"persistence": {"k": 1, "of": 1, "clear_after": 1}}
"""Two days end within the stream, so one breach of them opens."""
SENSITIVITY = {"type": "proportion_vs_floor", "event": "sensitivity"}
ALERTS = {"type": "rate", "numerator": "alerts", "denominator": "inferences"}
SHORT = [
    monitor(
        "missing.short", {"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.1}}, window="w5m", min_n=2, **CELLS
    ),
    monitor("drift.short", {"type": "psi", "feature": "px"}, {"investigate": {"p": 0.3}}, window="w5m", min_n=2, **CELLS),
    monitor("alerts.short", ALERTS, {"investigate": {"ci_lower_above": 0.02}}, window="w5m", min_n=1, **CELLS),
]
LONG = [
    monitor("missing.long", {"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.02}}, window="w28d", **DAYS),
    monitor("drift.long", {"type": "psi", "feature": "px"}, {"investigate": {"p": 0.3}}, window="w28d", **DAYS),
    monitor("sens.long", SENSITIVITY, {"investigate": {"ci_upper_below": 0.8}}, window="w28d", min_n=3, **DAYS),
    monitor("oe.long", {"type": "observed_expected"}, {"investigate": {"outside": [0.95, 1.05]}}, window="w28d", **DAYS),
]


def of_both_sexes(document: dict[str, Any]) -> None:
    """The axis, and the two windows."""
    document["strata"]["axes"].append({"id": "sex", "source": "context.sex", "values": ["F", "M"]})
    document["surveillance"]["windows"] += [
        {"id": "w5m", "size": "PT5M", "slide": "PT1M"},
        {"id": "w28d", "size": "P28D", "slide": "P1D"},
    ]


def with_sex(line: bytes) -> bytes:
    """The line; of four patients one is said to be a man, two to be women, and of one it is not said."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or not isinstance(event.get("context"), dict):
        return line
    said = ({"sex": "M"}, {"sex": "F"}, {"sex": "F"}, {})[crc32(str(event.get("event_id")).encode()) % 4]
    return json.dumps(event | {"context": event["context"] | said}).encode()


@pytest.mark.parametrize(
    ("watched", "hours", "inferences", "after", "below_min"),
    [(SHORT, 1, 120, 0, "pool_to_parent"), (LONG, 40, 160, 24, "pool_to_parent"), (LONG, 40, 160, 24, "accumulate")],
    ids=["five minutes", "28 days", "28 days, accumulating"],
)
def test_cells_are_the_oracles(watched: list[dict[str, Any]], hours: int, inferences: int, after: int, below_min: str) -> None:
    found = generate(5, inferences=inferences, hours=hours, below_min=below_min, watched=watched, amend=of_both_sexes)
    lines, until = list(map(with_sex, found.lines)), format_time(START_MS + (hours + after) * HOUR_MS)
    ours, oracle = replayed(found.manifests, lines, until), replay(found.manifests, lines, until)
    assert status_differences(ours, oracle) == []
    assert p_differences(ours, oracle) == []
    status = of_kind(ours, "status")
    cells = {frozenset(line["scope"].items()) for line in status if len(line["scope"]) == 2}
    assert {frozenset({("vendor", vendor), ("sex", sex)}) for vendor in ("Alpha", "Beta") for sex in "FM"} <= cells
    told = {line["monitor_id"] for line in status if "value" in line["estimate"] or line.get("last_conclusive")}
    assert told == {one["id"] for one in watched}, "what says nothing compares nothing"
    incidents = incidents_of_service(ours)
    assert incidents
    assert incidents == incidents_of_oracle(replay_incidents(found.manifests, lines, until))
