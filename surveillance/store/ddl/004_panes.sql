-- Integer counts by key; the row with the largest version is the whole truth of its key. Panes stand before groups in
-- the order, so that new versions lie together and the skip index leaves old granules unread when an evaluator polls.
CREATE TABLE IF NOT EXISTS panes {on_cluster}
(
    log_id          LowCardinality(String),
    tenant          LowCardinality(String),
    manifest_digest LowCardinality(String),
    `partition`     Int32,
    statistic       LowCardinality(String),
    `group`         LowCardinality(String),
    pane_ms         Int64 CODEC(DoubleDelta, ZSTD(1)),
    version         UInt64 CODEC(DoubleDelta, ZSTD(1)),
    counts          Array(Int64) CODEC(T64, ZSTD(1)),
    INDEX version_range (`partition`, version) TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(pane_ms, 'UTC'))
ORDER BY (tenant, log_id, manifest_digest, statistic, pane_ms, `group`, `partition`)
