"""Every metric of the streams side, in one typed place. The registry is passed in, never global."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Names begin with `pms_`, units stand in the names."""

    def __init__(self, registry: CollectorRegistry) -> None:
        partition = ("partition",)
        self.registry = registry
        self.records = Counter("pms_records_folded", "Records handed to ingest", partition, registry=registry)
        self.record_bytes = Counter(
            "pms_record_bytes_folded", "Bytes of record values handed to ingest", partition, registry=registry
        )
        self.events = Counter(
            "pms_events_folded", "Events by what became of them; folded again after a crash, counted again here",
            ("disposition",), registry=registry,
        )  # fmt: skip
        self.quarantined = Counter("pms_events_quarantined", "Refused events by reason", ("reason",), registry=registry)
        self.unknown_fields = Counter("pms_unknown_fields", "Fields that no schema names, ignored", registry=registry)
        self.lag_records = Gauge(
            "pms_lag_records", "Records between the next offset and the end of the partition", partition, registry=registry
        )
        self.lists_discarded = Counter(
            "pms_lists_discarded", "Fetched lists that did not continue a prefix", ("reason",), registry=registry
        )
        self.fold_seconds = Histogram("pms_fold_seconds", "Time to fold one fetched list", registry=registry, buckets=SECONDS)
        self.flush_seconds = Histogram("pms_flush_seconds", "Time to write what changed", registry=registry, buckets=SECONDS)
        self.store_failures = Counter("pms_store_failures", "Calls the store did not answer", ("call",), registry=registry)
        self.store_unavailable = Gauge("pms_store_unavailable", "1 while the worker waits for the store", registry=registry)
        self.partitions_moving = Gauge("pms_partitions_moving", "Partitions this worker folds", registry=registry)
        self.partition_stopped = Gauge("pms_partition_stopped", "1 for a partition that stopped", partition, registry=registry)
        self.rebalances = Counter("pms_rebalances", "Assignments received", registry=registry)
        self.revoke_flush_timeouts = Counter(
            "pms_revoke_flush_timeouts", "Flushes inside a rebalance that were given up", registry=registry
        )
        self.produced = Counter("pms_records_produced", "Records acknowledged by the broker", ("topic",), registry=registry)
        self.producer_rebuilds = Counter("pms_producer_rebuilds", "Idempotent producers thrown away", registry=registry)
        self.ticks = Counter("pms_ticks_sent", "Tick records sent to silent partitions", registry=registry)
        self.manifests_read = Counter(
            "pms_manifests_read", "Records read from the releases topic", ("outcome",), registry=registry
        )
        self.releases_complete = Gauge(
            "pms_releases_complete_timestamp_seconds", "Time up to which every registration is known", registry=registry
        )
