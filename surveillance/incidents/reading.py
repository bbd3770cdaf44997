"""Reading incidents and triggers of a log as they were recorded: shared by evaluator, API and command line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from surveillance.incidents.lines import Line
from surveillance.store.protocol import Document, Store


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """A line of an incident's life with the triggers it asked for; `revision` counts the lines of the incident from 1."""

    revision: int
    at_ms: int
    line: Line
    triggers: tuple[Line, ...]


def event_of(document: Document) -> IncidentEvent:
    """The event that is stored in a document of `incident_events`."""
    body = json.loads(document.body)
    return IncidentEvent(document.revision, document.at_ms, body["line"], tuple(body["triggers"]))


def newest_documents(store: Store, log_id: str) -> list[Document]:
    """The newest event of every incident of the log, as it is stored. Raises StoreUnavailable."""
    return [one for one in store.newest("incident_events") if one.key.startswith(f"{log_id}|")]


def every_document(store: Store, log_id: str, page: int = 10_000) -> Iterator[Document]:
    """Every event of every incident of the log as it is stored, by time; read in pages. Raises StoreUnavailable."""
    since_ms, known, more = -(2**63), set[tuple[str, str, int]](), True
    while more:
        found = store.history("incident_events", since_ms=since_ms, limit=page)
        fresh = [one for one in found if (one.tenant, one.key, one.revision) not in known]
        yield from (one for one in fresh if one.key.startswith(f"{log_id}|"))
        more = len(found) == page
        if more:
            since_ms, page = found[-1].at_ms, page if found[-1].at_ms > since_ms else 2 * page
            known = {(one.tenant, one.key, one.revision) for one in found if one.at_ms == since_ms}


def newest_events(store: Store, log_id: str) -> list[IncidentEvent]:
    """The newest event of every incident, system incidents included; the one that changed last comes first.

    Raises StoreUnavailable.
    """
    events = map(event_of, newest_documents(store, log_id))
    return sorted(events, key=lambda one: (-one.at_ms, one.line["incident_id"]))


def events_of(store: Store, log_id: str, incident_id: str) -> Sequence[IncidentEvent]:
    """Every event of an incident, the first first; empty where there is no such incident. Raises StoreUnavailable."""
    events = map(event_of, store.history("incident_events", key=f"{log_id}|{incident_id}"))
    return sorted(events, key=lambda one: one.revision)


def newest_triggers(store: Store, log_id: str) -> list[Line]:
    """Every trigger of the log, the one emitted last first. Raises StoreUnavailable."""
    documents = [one for one in store.newest("triggers") if one.key.startswith(f"{log_id}|")]
    return [json.loads(one.body) for one in sorted(documents, key=lambda one: (-one.at_ms, one.key))]
