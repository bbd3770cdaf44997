-- Refused events with their coordinates; payload is NULL where it must not be kept.
CREATE TABLE IF NOT EXISTS quarantine {on_cluster}
(
    log_id      LowCardinality(String),
    topic       LowCardinality(String),
    `partition` Int32,
    `offset`    Int64 CODEC(DoubleDelta, ZSTD(1)),
    `index`     Int32 CODEC(T64, ZSTD(1)),
    tenant      LowCardinality(String),
    broker_ms   Int64 CODEC(DoubleDelta, ZSTD(1)),
    reason      LowCardinality(String),
    detail      String CODEC(ZSTD(1)),
    sha256      String CODEC(ZSTD(1)),
    payload     Nullable(String) CODEC(ZSTD(1)),
    INDEX broker_range broker_ms TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(broker_ms, 'UTC'))
ORDER BY (log_id, topic, `partition`, `offset`, `index`)
