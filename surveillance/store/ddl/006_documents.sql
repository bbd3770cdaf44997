-- JSON documents, applied once for each document table. The hash of the body is part of the order, so that a merge can
-- never drop one of two contents of a revision; rank prefers the content that was stored first.
CREATE TABLE IF NOT EXISTS {document_table} {on_cluster}
(
    tenant          LowCardinality(String),
    manifest_digest LowCardinality(String),
    `key`           String CODEC(ZSTD(1)),
    revision        Int64 CODEC(T64, ZSTD(1)),
    at_ms           Int64 CODEC(DoubleDelta, ZSTD(1)),
    body            String CODEC(ZSTD(1)),
    rank            UInt64 MATERIALIZED bitNot(toUInt64(toUnixTimestamp64Nano(now64(9)))),
    INDEX at_range at_ms TYPE minmax GRANULARITY 1
)
ENGINE = {replicated}ReplacingMergeTree(rank)
ORDER BY (tenant, `key`, revision, sipHash128(body))
