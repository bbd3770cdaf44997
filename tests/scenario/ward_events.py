"""The events of a `load`: inferences with or without alert and label, heartbeats, wrong identities."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from surveillance.times import to_text
from tests.scenario.script import Load, duration_ms

PATIENTS = ("events", "hits", "misses", "rejections")
"""Series of inferences: without a label, and labelled as an alert that was right, a case that was missed, a rightful silence."""


class WardEvents:
    """Makes (arrival, line) pairs with ids that never repeat."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def of(self, load: Load, begin_ms: int) -> Iterator[tuple[int, bytes]]:
        """Everything a load sends. Traits: site, gateway, device, px, model, ago (happened so much earlier), label_after."""
        for name, (each, steps) in load.counts.items():
            if name in PATIENTS:
                alerts = load.counts.get("alerts", (0, 0))[0] if name == "events" else each * (name == "hits")
                for step in range(steps):
                    for at in range(each):
                        spread = load.step_ms * at // each
                        yield from self._patient(load, name, begin_ms + step * load.step_ms + spread, is_alert=at < alerts)
            elif name == "beats":
                for step in range(steps):
                    yield self._beat(load, begin_ms + step * load.step_ms)
            elif name != "alerts":
                raise ValueError(f"no such series: {name}")

    def _patient(self, load: Load, name: str, arrival_ms: int, *, is_alert: bool) -> Iterator[tuple[int, bytes]]:
        number = next(self._numbers)
        inference = self._envelope(load, "pms.inference", arrival_ms) | {
            "inference_id": f"i-{number}",
            "score": 0.9 if is_alert else 0.1,
            "alert_raised": is_alert,
            "threshold_applied": 0.5,
            "features": {"px": float(load.traits.get("px", (number % 5 - 2) / 2))},
            "model_digest": f"sha256:{1 if load.traits.get('model', 'right') == 'right' else 9:064x}",
        }
        yield arrival_ms, json.dumps(inference).encode()
        if name != "events":
            labelled_ms = arrival_ms + duration_ms(load.traits.get("label_after", "1m"))
            outcome = self._envelope(load, "pms.outcome", labelled_ms) | {
                "event_time": to_text(labelled_ms),
                "outcome_id": f"o-{number}",
                "inference_id": f"i-{number}",
                "label": int(name != "rejections"),
                "label_kind": "report",
                "label_time": to_text(labelled_ms),
            }
            yield labelled_ms, json.dumps(outcome).encode()

    def _beat(self, load: Load, arrival_ms: int) -> tuple[int, bytes]:
        beat = self._envelope(load, "pms.heartbeat", arrival_ms) | {
            "uptime_s": 1,
            "inferences_since_last": 0,
            "errors_since_last": 0,
            "buffer_depth": 0,
            "releases": [],
        }
        return arrival_ms, json.dumps(beat).encode()

    def _envelope(self, load: Load, schema: str, arrival_ms: int) -> dict[str, Any]:
        happened_ms = arrival_ms - duration_ms(load.traits.get("ago", "0s"))
        return {
            "schema": schema,
            "schema_version": 2,
            "event_id": f"e-{next(self._numbers)}",
            "product": "triage",
            "site_id": load.traits.get("site", "north"),
            "device_id": load.traits.get("device", "scanner-1"),
            "gateway_id": load.traits.get("gateway", "gw-1"),
            "release_id": "triage-1",
            "event_time": to_text(happened_ms),
            "ingest_time": to_text(arrival_ms),
        }
