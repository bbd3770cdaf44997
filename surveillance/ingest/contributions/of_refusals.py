"""What events that could not be decoded say of their sender's clock: an envelope that reads is enough for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from surveillance.events.batch import EventBatch, Reject
from surveillance.ingest.axes import OTHER, UNKNOWN
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.ingest.contributions.of_events import clock_contributions
from surveillance.ingest.field_use import FIELD_USE_MODES
from surveillance.panes.groups import group_text
from surveillance.panes.plan import Plan, axis_source
from surveillance.registry import Registration, Registry


def refused_clocks(batch: EventBatch, registry: Registry, cells: CellTable) -> Iterator[Contribution]:
    """Of every reject in field use whose manifest is known, by record."""
    found: dict[str, tuple[Registration, list[tuple[Reject, int]]]] = {}
    for reject in batch.rejects:
        envelope, said_ms = reject.envelope, reject.said_ms
        if envelope is None or said_ms is None or envelope.get("mode", FIELD_USE_MODES[0]) not in FIELD_USE_MODES:
            continue
        registration = registry.resolve(envelope["release_id"], envelope.get("manifest_digest"), reject.broker_ms)
        if registration is not None:
            found.setdefault(registration.digest, (registration, []))[1].append((reject, said_ms))
    for registration, rejects in found.values():
        plan = registration.plan
        groups = [_group(plan, reject.tenant, reject.envelope or {}) for reject, _ in rejects]
        record = np.searchsorted(batch.record_offsets, np.array([reject.offset for reject, _ in rejects], np.int64))
        broker_ms = np.array([reject.broker_ms for reject, _ in rejects], np.int64)
        clock_ms = np.array([said_ms for _, said_ms in rejects], np.int64)
        for one in clock_contributions(plan, record, cells.codes(groups), broker_ms, clock_ms):
            yield replace(one, by_record=True)


def _group(plan: Plan, tenant: str, envelope: Mapping[str, str]) -> Group:
    axes = plan.clock_axes
    return Group(tenant, plan.digest, group_text(axes, [_level(plan, axis, envelope) for axis in axes]))


def _level(plan: Plan, axis_id: str, envelope: Mapping[str, str]) -> str:
    """Level of an axis as `ingest.axes` would give it to the envelope of an event; what kinds add is unknown here."""
    sent = envelope.get(axis_source(plan.manifest, axis_id), UNKNOWN)
    declared = plan.manifest.axis(axis_id)
    if sent == UNKNOWN or declared is None or declared.values is None:
        return sent
    return sent if sent in declared.values else OTHER
