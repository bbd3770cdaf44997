-- Which of these numbered files were applied, one row each.
CREATE TABLE IF NOT EXISTS schema_versions {on_cluster}
(
    number     UInt32,
    name       String,
    applied_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY number
