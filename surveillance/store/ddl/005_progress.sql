-- How far each partition is folded. rank orders by (offset, partition_ms); among equals the row written last stays.
CREATE TABLE IF NOT EXISTS progress {on_cluster}
(
    log_id       LowCardinality(String),
    `partition`  Int32,
    `offset`     Int64,
    watermark_ms Int64,
    partition_ms Int64,
    stopped      String,
    rank         UInt128 MATERIALIZED bitShiftLeft(toUInt128(`offset` + 1), 64) + toUInt64(bitXor(partition_ms, toInt64('-9223372036854775808')))
)
ENGINE = {replicated}ReplacingMergeTree(rank)
ORDER BY (log_id, `partition`)
