"""A replay of lines held in memory, as `pms replay` runs it on files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from streams.replay import Replay
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from surveillance.times import from_text

Line = dict[str, Any]


def replayed(
    manifests: Sequence[Line],
    lines: Iterable[bytes],
    until: str | None = None,
    *,
    store: Store | None = None,
    log_id: str = "replay",
) -> list[Line]:
    """Every line of the output; `until` is RFC 3339."""
    registry = Registry(registration_of(manifest, manifest["manifest_id"]) for manifest in manifests)
    replay = Replay(registry, store or MemoryStore(), log_id)
    return list(replay.run(lines, None if until is None else from_text(until)))


def of_kind(lines: Iterable[Line], kind: str) -> list[Line]:
    """Lines of one kind, in their order."""
    return [line for line in lines if line["kind"] == kind]
