"""A fleet that does not exist: its telemetry, seeded and deterministic, with two failures in the process that makes it."""
