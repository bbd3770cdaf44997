"""The manifests that are registered, and which of them an event counts under at its broker time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Int
from surveillance.panes.plan import Plan

log = logging.getLogger(__name__)

IN_FORCE_DELAY_MS = 60_000
"""A registration is in force this long after its own broker time, so that every process has read it by then."""
ALWAYS_MS = -(2**62)
"""In force from the start: replay, and `header` time without `effective_from`."""
EVER_MS = 2**62
"""Later than every registration comes into force."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A manifest with the time from which it is in force."""

    plan: Plan
    in_force_ms: int

    @property
    def digest(self) -> str:
        return self.plan.digest

    @property
    def manifest_id(self) -> str:
        return self.plan.manifest.manifest_id

    @property
    def revision(self) -> int:
        return self.plan.manifest.revision

    @property
    def release_id(self) -> str:
        return self.plan.manifest.release.release_id


class Registry:
    """Registrations by digest. Adding one never changes what was true before it came into force.

    One thread adds while others read: what they read is replaced as a whole, never changed.
    """

    def __init__(self, registrations: Iterable[Registration] = ()) -> None:
        self._by_digest: dict[str, Registration] = {}
        self._ordered: list[Registration] = []
        self._boundaries: Int = np.zeros(0, np.int64)
        for registration in registrations:
            self.add(registration)

    def add(self, registration: Registration) -> bool:
        """Remember a registration; False where its digest is known already (the first registration stands)."""
        if registration.digest in self._by_digest:
            return False
        for twin in self._ordered:
            if (twin.manifest_id, twin.revision) == (registration.manifest_id, registration.revision):
                log.warning(
                    "manifest %s has two contents for revision %d, %s and %s: all its events count under one of them; "
                    "give what was changed a higher revision",
                    *(twin.manifest_id, twin.revision, twin.digest, registration.digest),
                )
        known = {**self._by_digest, registration.digest: registration}
        self._ordered = sorted(known.values(), key=lambda one: (one.manifest_id, one.revision, one.digest))
        self._boundaries = np.unique(np.array([one.in_force_ms for one in self._ordered], np.int64))
        self._by_digest = known
        return True

    def __len__(self) -> int:
        return len(self._by_digest)

    def all(self) -> Sequence[Registration]:
        """Every registration, by manifest id and revision."""
        return self._ordered

    def get(self, digest: str) -> Registration | None:
        return self._by_digest.get(digest)

    def boundaries(self) -> Int:
        """Broker times at which what is in force changes, ascending."""
        return self._boundaries

    def in_force(self, broker_ms: int) -> list[Registration]:
        return [one for one in self.all() if one.in_force_ms <= broker_ms]

    def resolve(self, release_id: str, digest: str | None, broker_ms: int) -> Registration | None:
        """The registration an event counts under: the highest revision in force of the manifest it carries, or of its release."""
        if digest is not None:
            carried = self._by_digest.get(digest)
            if carried is None or carried.in_force_ms > broker_ms:
                return None
            candidates = [one for one in self.in_force(broker_ms) if one.manifest_id == carried.manifest_id]
        else:
            candidates = [one for one in self.in_force(broker_ms) if one.release_id == release_id]
        return max(candidates, key=lambda one: (one.revision, one.in_force_ms, one.manifest_id), default=None)

    def forbidden(self, broker_ms: int) -> frozenset[str]:
        """Field names that no event may carry at this broker time, by any manifest in force."""
        return frozenset(name for one in self.in_force(broker_ms) for name in one.plan.manifest.privacy.forbid)

    def superseded_ms(self, registration: Registration) -> int | None:
        """When a higher revision of the same manifest comes into force; None while there is none."""
        later = [
            one.in_force_ms
            for one in self.all()
            if one.manifest_id == registration.manifest_id and one.revision > registration.revision
        ]
        return min(later, default=None)

    def out_of_orderness_ms(self, broker_ms: int) -> int:
        """The largest in force; a minute while none is."""
        widths = [one.plan.manifest.surveillance.telemetry.out_of_orderness_ms for one in self.in_force(broker_ms)]
        return max(widths, default=60_000)

    def longest_retransmit_ms(self) -> int:
        """The longest `retransmit_window` of all registrations, in force or not; 0 where there is none."""
        return max((one.plan.manifest.surveillance.telemetry.retransmit_window_ms for one in self.all()), default=0)

    def longest_lateness_ms(self) -> int:
        """The longest `allowed_lateness` of all registrations, in force or not; 0 where there is none."""
        return max((one.plan.manifest.surveillance.telemetry.allowed_lateness_ms for one in self.all()), default=0)
