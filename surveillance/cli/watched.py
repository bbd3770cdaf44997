"""What is said on stderr when a run read events and watched nothing: a quiet answer would look like a quiet field."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from surveillance.cli.lines import Line
from surveillance.times import to_text

if TYPE_CHECKING:
    from streams.left_out import LeftOut

log = logging.getLogger(__name__)


def watched(lines: Iterable[Line], left_out: LeftOut | None = None) -> Iterator[Line]:
    """The lines as they are; a warning where no event was read, or none of them counted, with what is known of those left out."""
    for line in lines:
        yield line
        if line["kind"] == "summary" and not line["counted"]:
            log.warning("%s", _of_none_counted(line, left_out) if line["events"] else _of_none_read(left_out))


def _of_none_read(left_out: LeftOut | None) -> str:
    if left_out is not None and left_out.first_late_ms is not None:
        return (
            f"all {left_out.arrived_late} event(s) arrived after --until, the first at {to_text(left_out.first_late_ms)}, so "
            "nothing was watched: this says nothing about the field"
        )
    return "no event was read, so nothing was watched: this says nothing about the field"


def _of_none_counted(line: Line, left_out: LeftOut | None) -> str:
    told = f"none of {line['events']} event(s) was counted, so nothing was watched, for the reasons under `quarantined`"
    if "not_json" in line["quarantined"]:
        told += "; not_json: it is no NDJSON, which has one JSON object a line"
    if "release_unknown" in line["quarantined"]:
        told += f"; release_unknown: {_of_releases(left_out)}"
    return told


def _of_releases(left_out: LeftOut | None) -> str:
    early = "it came into force (effective_from) after they arrived"
    if left_out is None or not left_out.unknown_releases:
        return f"no --manifest is of the release that the events name, or {early}"
    told = f"the events name release {_named(left_out.unknown_releases)}, each --manifest is of {_named(left_out.releases)}"
    return f"{told}; where they are the same, {early}" if set(left_out.unknown_releases) & set(left_out.releases) else told


def _named(releases: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in releases)
