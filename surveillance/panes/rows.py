"""Rows of panes as they are stored and merged: integers only, each with the last offset it contains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from surveillance.arrays import Int


class PaneKey(NamedTuple):
    """Identity of a stored row. `statistic` carries its layout version; `group` is canonical text; `pane_ms` is the start."""

    tenant: str
    manifest_digest: str
    partition: int
    statistic: str
    group: str
    pane_ms: int


@dataclass(frozen=True, slots=True)
class PaneRow:
    """Counts of one key. `version` = the largest offset folded in: a record at offset o is applied only if o > version."""

    key: PaneKey
    version: int
    counts: Int
