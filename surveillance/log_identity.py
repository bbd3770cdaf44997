"""Which log a store holds the counts of: recorded by the worker when it first sees the log, read by everybody else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from surveillance.store.protocol import Document, Store

_PREFIX = "log|"
_REPLAYS = "replay/"


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log by its identity (cluster, topic, epoch), with the partition count it had when it was first seen, and that time."""

    log_id: str
    topic: str
    partitions: int
    first_seen_ms: int

    @property
    def is_of_replay(self) -> bool:
        """Whether `pms replay` wrote it: its counts and evidence are kept, and no status."""
        return self.log_id.startswith(_REPLAYS)


def replay_log_id(number: int) -> str:
    """The identity of the log of a store's `number`-th replay."""
    return f"{_REPLAYS}{number}"


def record_log(store: Store, log_id: str, topic: str, partitions: int, now_ms: int) -> None:
    """Remember a log; one that is known already stays as it was recorded.

    Raises StoreUnavailable.
    """
    if log_id in known_logs(store):
        return
    body = json.dumps({"log_id": log_id, "topic": topic, "partitions": partitions}, sort_keys=True, separators=(",", ":"))
    store.append("meta", [Document("", "", _PREFIX + log_id, 0, now_ms, body)])


def known_logs(store: Store) -> Mapping[str, KnownLog]:
    """Every recorded log by its id."""
    found = {}
    for document in store.newest("meta", tenant=""):
        if document.key.startswith(_PREFIX):
            body = json.loads(document.body)
            found[body["log_id"]] = KnownLog(body["log_id"], body["topic"], body["partitions"], document.at_ms)
    return found


def current_log(store: Store) -> KnownLog | None:
    """The log seen first most recently: the present epoch. None where no service has written yet."""
    return max(known_logs(store).values(), key=lambda log: (log.first_seen_ms, log.log_id), default=None)
