"""Monitors of use and operation over the streams of tests/oracle/streams.py: delays, clocks, lowest values."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def operation_monitors() -> list[Document]:
    """One of each kind of window and axis."""
    ack = {"type": "quantile", "field": "ack_latency_s", "censored": True}
    offset = {"type": "clock_offset_s", "stat": "p95_abs"}
    return [
        _monitor("ack.site", {**ack, "q": 0.8}, {"above": 600}, window="w6h", by=["site"]),
        _monitor("ack.all", {**ack, "q": 0.5}, {"above": 300}, window="w1h"),
        _monitor("ack.seen", {**ack, "q": 0.5, "censored": False}, {"above": 300}, window="w6h"),
        _monitor("latency", {"type": "quantile", "field": "latency_ms", "q": 0.9}, {"above": 600}, window="w6h"),
        _monitor("clock.device", offset, {"above": 120}, window="w1h", by=["device"]),
        _monitor("clock.gateway", offset, {"above": 10}, window="w6h", by=["gateway"]),
        _monitor("buffer", {"type": "min_value", "field": "buffer_depth"}, {"below": 3}, by=["gateway", "device"]),
        _monitor("buffer.fleet", {"type": "min_value", "field": "buffer_depth"}, {"below": 1}),
    ]


def _monitor(name: str, metric: Document, limit: Document, **rest: Any) -> Document:
    limits = {"investigate": limit, "pause": None, "rollback_or_field_safety": None}
    return {"id": name, "hazard_id": "HZ-1", "metric": metric, "limits": limits, "playbook": "PB-1", **rest}
