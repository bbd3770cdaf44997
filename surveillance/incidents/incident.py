"""`Incident`: a breach that persists. State is timestamps; only evidence changes it.

             k of the last `of` conclusive windows breached
    (none) ─────────────────────────────────────────────────▶ open ──┐ a higher level reached: escalated, same incident
                                                               │ ▲   └──▶ open
             clear_after conclusive windows met in a row       │ │
                                                               ▼ │ breached again within `cooldown`
                                                             resolved ──▶ later breach: a new incident, next ordinal

Inconclusive windows move nothing: silence neither opens, escalates nor resolves. Closing is a person's act and not drawn.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from surveillance.evaluation.evidence import Scope, canonical, scope_text


@dataclass(frozen=True, slots=True)
class Incident:
    """Identity, level reached and times. `emitted` lists the actions already asked for."""

    tenant: str
    manifest_digest: str
    monitor_id: str
    scope: Scope
    ordinal: int
    level: str
    opened_at_ms: int
    breached_since_ms: int
    changed_at_ms: int
    ack_by_ms: int
    decide_by_ms: int
    resolved_at_ms: int | None = None
    emitted: tuple[str, ...] = ()
    lines: int = 1
    """Lines written of this incident: the revision of its newest event."""
    told: int = 0
    """Matching events that its lines have told of, where each further one is a line of its own."""

    @property
    def incident_id(self) -> str:
        """Same inputs, same id: two evaluators cannot open two, and late data cannot rename one."""
        identity = "\n".join((self.tenant, self.manifest_digest, self.monitor_id, scope_text(self.scope), str(self.ordinal)))
        return f"inc-{hashlib.sha256(identity.encode()).hexdigest()[:24]}"

    @property
    def case(self) -> tuple[str, str, str, Scope]:
        """Tenant, manifest digest, monitor, scope: the incidents of a case come one after another."""
        return self.tenant, self.manifest_digest, self.monitor_id, self.scope

    @property
    def state(self) -> str:
        return "open" if self.resolved_at_ms is None else "resolved"

    def to_text(self) -> str:
        """Canonical JSON of the state, read back by `from_text`."""
        body: dict[str, Any] = {name: getattr(self, name) for name in type(self).__slots__}
        return canonical(body | {"scope": dict(self.scope), "emitted": list(self.emitted)})

    @staticmethod
    def from_text(text: str) -> Incident:
        """The state that `to_text` wrote."""
        body = json.loads(text)
        body["scope"], body["emitted"] = tuple(sorted(body["scope"].items())), tuple(body["emitted"])
        return Incident(**body)
