"""Where aggregates, raw events, evidence and incidents are kept: ClickHouse, chDB, or memory."""

from surveillance.store.opening import open_store

__all__ = ["open_store"]
