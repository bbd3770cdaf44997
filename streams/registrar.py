"""From the releases topic to the registry: checked, recorded in the store, then in force.

The store keeps the first broker time of a digest. Compaction may leave a topic with a later one, and a process that starts
afterwards must not believe it: what an event counts under would depend on who folds it (law 3).
"""

from __future__ import annotations

from dataclasses import replace

from mode import get_logger

from surveillance.errors import InvalidManifest, Problem
from surveillance.manifest.digest import canonical_bytes
from surveillance.manifest.yaml12 import load_document
from surveillance.registering import in_force_ms, registration_of
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.protocol import Document, Store
from surveillance.times import to_text

logger = get_logger(__name__)

UNSIGNED = "it carries no signature and cannot be in force; to mend: sign it, or set PMS_ALLOW_UNSIGNED=true in development"


class Registrar:
    """An `OnManifest` for `Releases`."""

    def __init__(self, registry: Registry, store: Store, *, allow_unsigned: bool, header_time: bool) -> None:
        self._registry, self._store = registry, store
        self._allow_unsigned, self._header_time = allow_unsigned, header_time

    def __call__(self, value: bytes, broker_ms: int) -> None:
        """Register a manifest. Raises InvalidManifest, or StoreUnavailable: then it is given again."""
        document = load_document(value, "release")
        if not self._allow_unsigned:
            raise InvalidManifest(str(document.get("manifest_id", "release")), [Problem("", UNSIGNED)])
        registration = registration_of(document, "release", registered_ms=None if self._header_time else broker_ms)
        first_ms = self._recorded(registration, canonical_bytes(document).decode(), broker_ms)
        if not self._header_time:
            registration = replace(registration, in_force_ms=in_force_ms(registration.plan.manifest, first_ms))
        if self._registry.add(registration):
            since = "the start" if registration.in_force_ms == ALWAYS_MS else to_text(registration.in_force_ms)
            logger.warning("manifest %s is in force from %s on, WITHOUT a signature", registration.digest, since)

    def _recorded(self, registration: Registration, body: str, broker_ms: int) -> int:
        """Broker time at which the digest was first registered, as the store has it."""
        self._store.append("manifests", [Document("", registration.digest, registration.digest, 0, broker_ms, body)])
        return self._store.newest("manifests", tenant="", keys=[registration.digest])[0].at_ms
