"""What all document tables share: their names, and the rule that a revision is never rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surveillance.errors import EvidenceConflict, StoreError
from surveillance.store.protocol import Document

DOCUMENT_TABLES = ("evidence", "incident_events", "triggers", "manifests", "gate_decisions", "audit", "meta", "devices")

Coordinates = tuple[str, str, int]
"""(tenant, key, revision)"""


def coordinates(document: Document) -> Coordinates:
    """Identity of a document within its table."""
    return document.tenant, document.key, document.revision


def known_table(table: str) -> str:
    """The name itself if it is a document table; raises StoreError otherwise, so that no other text reaches SQL."""
    if table not in DOCUMENT_TABLES:
        raise StoreError(f"there is no document table {table!r}; known: {', '.join(DOCUMENT_TABLES)}")
    return table


def refuse_conflicts(table: str, documents: Sequence[Document], stored: Mapping[Coordinates, str]) -> list[Document]:
    """The documents that are not stored yet, each once, in the order given.

    `stored` maps coordinates to bodies. Raises EvidenceConflict if any document has another body than the stored one, or
    than another document of the same call; then none of them may be written.
    """
    fresh: dict[Coordinates, Document] = {}
    for document in documents:
        at = coordinates(document)
        first = stored[at] if at in stored else fresh.setdefault(at, document).body
        if first != document.body:
            raise EvidenceConflict(
                f"{table}: revision {document.revision} of {document.key!r} (tenant {document.tenant!r}) "
                "is already stored with other content; append a new revision instead"
            )
    return list(fresh.values())
