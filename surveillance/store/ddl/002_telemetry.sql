-- Raw events. The position (log_id, partition, offset, index) is the identity of an event across tenants, and workers
-- read by it in order, so it leads here instead of the tenant. Hashes do not compress; the skip indexes answer look-ups
-- of few identifiers without reading the column.
CREATE TABLE IF NOT EXISTS telemetry {on_cluster}
(
    log_id          LowCardinality(String),
    `partition`     Int32,
    `offset`        Int64  CODEC(DoubleDelta, ZSTD(1)),
    `index`         Int32  CODEC(T64, ZSTD(1)),
    broker_ms       Int64  CODEC(DoubleDelta, ZSTD(1)),
    event_ms        Int64  CODEC(DoubleDelta, ZSTD(1)),
    kind            UInt8,
    disposition     UInt8,
    tenant          LowCardinality(String),
    device_id       LowCardinality(String),
    release_id      LowCardinality(String),
    manifest_digest LowCardinality(String),
    event_id        String CODEC(ZSTD(1)),
    subject_id      String CODEC(ZSTD(1)),
    event           UInt64 CODEC(NONE),
    subject         UInt64 CODEC(NONE),
    token           UInt64,
    cell            LowCardinality(String),
    packed          Array(Int64) CODEC(T64, ZSTD(1)),
    payload         String CODEC(ZSTD(1)),
    INDEX broker_range broker_ms TYPE minmax GRANULARITY 1,
    INDEX event_bloom event TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(broker_ms, 'UTC'))
ORDER BY (log_id, `partition`, `offset`, `index`)
