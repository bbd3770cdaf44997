"""How far a manifest was judged and what was decided last, kept so that a restart decides nothing twice and misses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from surveillance.evaluation.evidence import canonical
from surveillance.evaluation.status import JUDGED
from surveillance.incidents.evaluator import Decision, Judged
from surveillance.incidents.record import decision_of, decision_text
from surveillance.store.protocol import StatusRow, Store


def judged_row(digest: str, judged: Judged, decisions: Sequence[Decision], revision: int) -> StatusRow:
    """The row that `read_judged` and `read_decided` read back. `decisions` = those of the manifest at that moment, in order."""
    body = {
        "watermark_ms": judged.watermark_ms,
        "partition_ms": judged.partition_ms,
        "complete_ms": judged.complete_ms,
        "offsets": {str(partition): offset for partition, offset in judged.offsets.items()},
        "decided": [decision_text(one) for one in decisions],
    }
    return StatusRow(JUDGED + digest, revision, canonical(body))


def read_judged(store: Store, log_id: str) -> Mapping[str, Judged]:
    """How far each manifest was judged, by digest. Raises StoreUnavailable."""
    found = {}
    for digest, body in _bodies(store, log_id):
        offsets = {int(partition): offset for partition, offset in body["offsets"].items()}
        found[digest] = Judged(body["watermark_ms"], body["partition_ms"], body["complete_ms"], offsets)
    return found


def read_decided(store: Store, log_id: str) -> list[Decision]:
    """What was decided at the moment up to which each manifest was judged, whether it is written already or not.

    Raises StoreUnavailable.
    """
    return [decision_of(text) for _, body in _bodies(store, log_id) for text in body["decided"]]


def _bodies(store: Store, log_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in store.read_status(log_id):
        if row.key.startswith(JUDGED):
            yield row.key.removeprefix(JUDGED), json.loads(row.body)
