"""Reading incidents and triggers of a log as they were recorded: shared by evaluator, API and command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
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


def newest_documents(store: Store, log_id: str, incident_id: str | None = None) -> list[Document]:
    """The newest event of every incident of the log (or of one), as it is stored. Raises StoreUnavailable."""
    prefix = f"{log_id}|"
    keys = None if incident_id is None else [prefix + incident_id]
    return [one for one in store.newest("incident_events", keys=keys) if one.key.startswith(prefix)]


def newest_events(store: Store, log_id: str) -> list[IncidentEvent]:
    """The newest event of every incident, system incidents included; the one that changed last comes first.

    Raises StoreUnavailable.
    """
    events = map(_event, newest_documents(store, log_id))
    return sorted(events, key=lambda one: (-one.at_ms, one.line["incident_id"]))


def events_of(store: Store, log_id: str, incident_id: str) -> Sequence[IncidentEvent]:
    """Every event of an incident, the first first; empty where there is no such incident. Raises StoreUnavailable."""
    events = map(_event, store.history("incident_events", key=f"{log_id}|{incident_id}"))
    return sorted(events, key=lambda one: one.revision)


def newest_triggers(store: Store, log_id: str) -> list[Line]:
    """Every trigger of the log, the one emitted last first. Raises StoreUnavailable."""
    documents = [one for one in store.newest("triggers") if one.key.startswith(f"{log_id}|")]
    return [json.loads(one.body) for one in sorted(documents, key=lambda one: (-one.at_ms, one.key))]


def _event(document: Document) -> IncidentEvent:
    body = json.loads(document.body)
    return IncidentEvent(document.revision, document.at_ms, body["line"], tuple(body["triggers"]))
