"""What is said on stderr when a run read events and watched nothing: a quiet answer would look like a quiet field."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from surveillance.cli.lines import Line

log = logging.getLogger(__name__)


def watched(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines as they are; a warning where no event was read, or none of them counted."""
    for line in lines:
        yield line
        if line["kind"] != "summary" or line["counted"]:
            continue
        if not line["events"]:
            log.warning("no event was read, so nothing was watched: this says nothing about the field")
        else:
            log.warning(
                "none of %d event(s) was counted, so nothing was watched, for the reasons under `quarantined`; not_json: it "
                "is no NDJSON, which has one JSON object a line; release_unknown: no --manifest is of the release that the "
                "events name, or it came into force (effective_from) after they arrived",
                line["events"],
            )
