"""A certificate that runs out is seen as soon as lint foretells, whenever its limit is crossed: nothing of it is chance."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.foresight.forecast import power_of
from surveillance.manifest.parse import parse_manifest
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS, from_text
from tests.scenario.replaying import of_kind
from tests.scenario.test_use_and_operation import CERTIFICATE, MONDAY_MS, beat, certified, manifest, run

DIGEST = "sha256:" + "0" * 64


def foretold_ms(document: dict[str, Any]) -> float:
    _, (found,) = power_of(parse_manifest(document), DIGEST)
    assert found.days is not None
    return found.days * DAY_MS


def opened_ms(document: dict[str, Any], events: list[tuple[int, bytes]]) -> int:
    (line,) = of_kind(run(document, events, MONDAY_MS + 2 * HOUR_MS), "incident")
    return from_text(line["opened_at"])


@pytest.mark.parametrize("persistence", [{}, {"k": 3, "of": 3}])
def test_the_wait_is_at_most_what_is_foretold_and_as_long_when_the_limit_is_crossed_at_a_look(
    persistence: dict[str, int],
) -> None:
    document = manifest(CERTIFICATE, {"below": 21}, by=["gateway"], **({"persistence": persistence} if persistence else {}))
    waits = []
    for after_ms in range(30 * MINUTE_MS, 35 * MINUTE_MS, MINUTE_MS):
        crossed_ms = MONDAY_MS + after_ms
        waits.append(opened_ms(document, certified(MONDAY_MS, crossed_ms + 21 * DAY_MS, 60)) - crossed_ms)
    assert max(waits) == foretold_ms(document)


def test_a_number_that_must_be_heard_waits_for_a_heartbeat_more() -> None:
    document = manifest({"type": "min_value", "field": "buffer_depth"}, {"below": 3})
    interval_ms = parse_manifest(document).surveillance.telemetry.heartbeat_interval_ms
    heard_ms = MONDAY_MS + 30 * MINUTE_MS
    # It fell right after the beat before.
    events = [beat(heard_ms - interval_ms, buffer_depth=9), beat(heard_ms, buffer_depth=1)]
    assert opened_ms(document, events) - (heard_ms - interval_ms) == foretold_ms(document)
