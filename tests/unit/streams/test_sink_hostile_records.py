"""Records that a producer made up to hurt the sink: they are refused, and cost no more than others."""

from __future__ import annotations

import json
from typing import Any

from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.sink import REFUSED_HEADER
from streams.telemetry_sink import TelemetrySink
from surveillance.ingest.owned import LogPartition
from surveillance.panes.statistics import LEDGER
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from tests.oracle.streams import START_MS, manifest
from tests.property.deciding import inference
from tests.property.folding import HEADER_KEY, accept_all, ledger_of, registration
from tests.unit.streams.records import LogRecord

LOG_ID = "log"


def folded(*records: tuple[bytes | None, Any]) -> tuple[MemoryStore, Metrics]:
    """Store and metrics after records of these values and headers."""
    store, metrics = MemoryStore(), Metrics(CollectorRegistry())
    sink = TelemetrySink(
        LogPartition(LOG_ID, "pms.telemetry", 0, 1),
        store,
        Registry([registration(manifest("rm-a", 1, "rel-a"))]),
        accept_all,
        time_source="append",
        header_key=HEADER_KEY,
        metrics=metrics,
    )
    sink.assign([0])
    sink.fold(0, [LogRecord(at, timestamp=START_MS, value=value, headers=headers) for at, (value, headers) in enumerate(records)])
    sink.flush(None)
    return store, metrics


def test_a_header_without_a_value_is_refused_as_the_empty_record_it_is() -> None:
    store, _ = folded((None, ((REFUSED_HEADER, None),)), (inference(1, 0), ()))
    assert (ledger_of(store, LOG_ID).counted, ledger_of(store, LOG_ID).quarantined) == (1, {"not_json": 1})


def test_names_that_a_sender_makes_up_grow_no_row_and_no_metric() -> None:
    made_up = [json.loads(inference(at, 0)) | {"features": {f"made-up-{at}": [at]}} for at in range(50)]
    store, metrics = folded(*((json.dumps(one).encode(), ()) for one in made_up))
    rows = [row.key.group for row in store.read_panes(LOG_ID) if row.key.statistic == LEDGER]
    assert len(rows) == 1
    assert ledger_of(store, LOG_ID).quarantined == {"field_invalid:features": 50}
    assert metrics.registry.get_sample_value("pms_events_quarantined_total", {"reason": "field_invalid:features"}) == 50
    reasons = {row.reason for row in store.read_quarantine(LOG_ID)}
    assert len(reasons) == 50, "what a person reads of each event still names its field"
