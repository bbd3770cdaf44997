"""How far a manifest was judged, kept so that a restart decides nothing twice and misses nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping

from surveillance.evaluation.evidence import canonical
from surveillance.evaluation.status import JUDGED
from surveillance.incidents.evaluator import Judged
from surveillance.store.protocol import StatusRow, Store


def judged_row(digest: str, judged: Judged, revision: int) -> StatusRow:
    """The row that `read_judged` reads back."""
    body = {
        "watermark_ms": judged.watermark_ms,
        "partition_ms": judged.partition_ms,
        "offsets": {str(partition): offset for partition, offset in judged.offsets.items()},
    }
    return StatusRow(JUDGED + digest, revision, canonical(body))


def read_judged(store: Store, log_id: str) -> Mapping[str, Judged]:
    """How far each manifest was judged, by digest. Raises StoreUnavailable."""
    found = {}
    for row in store.read_status(log_id):
        if row.key.startswith(JUDGED):
            body = json.loads(row.body)
            offsets = {int(partition): offset for partition, offset in body["offsets"].items()}
            found[row.key.removeprefix(JUDGED)] = Judged(body["watermark_ms"], body["partition_ms"], offsets)
    return found
