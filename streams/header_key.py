"""The key that authenticates what the service produces again: made once for a store, known to every worker on it.

Records that are rerouted or replayed from quarantine carry their original broker time in headers; without the key anybody
who may write to the topic could set that time.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from surveillance.errors import EvidenceConflict
from surveillance.store.protocol import Document, Store

_DOCUMENT = "header-key"
_BYTES = 32


def header_key(store: Store, now_ms: int) -> bytes:
    """The key of this store. Of two workers that start at once, the one that writes first decides. Raises StoreUnavailable."""
    known = _stored(store)
    if known is not None:
        return known
    with suppress(EvidenceConflict):  # another worker was first
        store.append("meta", [Document("", "", _DOCUMENT, 0, now_ms, secrets.token_hex(_BYTES))])
    found = _stored(store)
    assert found is not None
    return found


def _stored(store: Store) -> bytes | None:
    found = store.newest("meta", tenant="", keys=[_DOCUMENT])
    return bytes.fromhex(found[0].body) if found else None
