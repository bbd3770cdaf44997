"""Same input, same bytes: whatever the store, the chunks the lines are read in, and the order of devices that arrive together."""

from __future__ import annotations

import json
import random
from functools import cache

import pytest

from streams import replay as replay_module
from surveillance.store.protocol import Store
from surveillance.times import from_text, to_text
from tests.oracle.streams import Scenario, generate, monitors
from tests.scenario.replaying import Line, of_kind, replayed

TOGETHER_MS = 600_000
"""Arrivals are moved to the end of such a slice, so that devices arrive together."""


@cache
def scenario() -> Scenario:
    """Few hours, because every pane is judged; its end is given, because one by chance may lie a day later."""
    found = generate(11, inferences=70, hours=4, watched=[one for one in monitors() if one["id"] not in ("auroc", "slope")])
    return Scenario(found.manifests, found.lines, "2026-03-02T05:00:00Z")


@cache
def printed() -> str:
    return _text(replayed(scenario().manifests, scenario().lines, scenario().until))


def test_the_same_input_gives_the_same_bytes() -> None:
    assert of_kind(map(json.loads, printed().splitlines()), "incident"), "a replay without incidents shows little"
    assert _text(replayed(scenario().manifests, scenario().lines, scenario().until)) == printed()


@pytest.mark.parametrize("lines_at_once", [1, 97])
def test_the_chunks_in_which_lines_are_read_change_nothing(lines_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "CHUNK_LINES", lines_at_once)
    assert _text(replayed(scenario().manifests, scenario().lines, scenario().until)) == printed()


@pytest.mark.chdb
def test_the_embedded_store_gives_the_bytes_of_the_one_in_memory(chdb_store: Store, log_id: str) -> None:
    assert _text(replayed(scenario().manifests, scenario().lines, scenario().until, store=chdb_store, log_id=log_id)) == printed()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_devices_that_arrive_together_changes_no_status(seed: int) -> None:
    slices = _slices(scenario().lines)
    assert any(len(together) > 1 for together in slices.values())
    rng = random.Random(seed)
    as_sent = [line for _, together in sorted(slices.items()) for device in sorted(together) for line in together[device]]
    mixed = [
        line
        for _, together in sorted(slices.items())
        for device in rng.sample(sorted(together), len(together))
        for line in together[device]
    ]
    assert mixed != as_sent
    one, other = (replayed(scenario().manifests, lines, scenario().until) for lines in (as_sent, mixed))
    assert of_kind(other, "status") == of_kind(one, "status")
    assert other[-1] == one[-1]


def _slices(lines: list[bytes]) -> dict[int, dict[str, list[bytes]]]:
    """Arrival -> device -> its lines in order; what is no event with an arrival is left out."""
    found: dict[int, dict[str, list[bytes]]] = {}
    for line in lines:
        try:
            event = json.loads(line)
            arrival_ms = -(-from_text(event["ingest_time"]) // TOGETHER_MS) * TOGETHER_MS
        except (ValueError, TypeError, KeyError):
            continue
        event["ingest_time"] = to_text(arrival_ms)
        found.setdefault(arrival_ms, {}).setdefault(event["device_id"], []).append(json.dumps(event).encode())
    return found


def _text(lines: list[Line]) -> str:
    return "\n".join(json.dumps(line) for line in lines)
