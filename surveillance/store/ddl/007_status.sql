-- The newest status line of every monitor and scope, and the summary: a view for people, written after each judgement.
-- `key` gives the order in which the lines are shown.
CREATE TABLE IF NOT EXISTS status {on_cluster}
(
    log_id   LowCardinality(String),
    `key`    String CODEC(ZSTD(1)),
    revision Int64,
    body     String CODEC(ZSTD(1))
)
ENGINE = {replicated}ReplacingMergeTree(revision)
ORDER BY (log_id, `key`)
