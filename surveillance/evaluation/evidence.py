"""`Evidence`: what was judged, on which counts, against which manifest, with what result. The same inputs give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from surveillance.evaluation.verdict import Verdict
from surveillance.times import to_text

Scope = tuple[tuple[str, str], ...]
"""Axis levels of an evaluation, sorted by axis; empty = overall."""


SPANS_LIMIT = "interval_spans_limit"
"""Why there is a number and no verdict."""

CaseKey = tuple[str, str, str, Scope]
"""Tenant, manifest digest, monitor, scope: what has one series of evaluations and one incident at a time."""


class Evidence(NamedTuple):
    """One evaluation of one monitor and scope.

    `revision` = largest version per partition among the rows read; `counts` = the summed vector; `partial` = a partition
    had not reached the window's end, so the window may be breached but never met; `withdrawn` = a correction emptied the pane
    of a chart, so that nothing was looked at there; `mature_from_ms` = watermark that made labels old enough, where it was age
    alone that did, its own or those of a scope with which it is judged, as `all_mature` = no scope of the monitor waits for
    labels at this end: a p-value that is adjusted over all scopes moves when one of them matures; `identical` = windows in a
    row with the same counts, and `e_family` = scopes that share the limit of an e-value, where a limit asks; `beside` = what
    stands beside the number for people, by its public name; `lacks` = why something besides the number cannot be told.
    """

    tenant: str
    manifest_digest: str
    monitor_id: str
    scope: Scope
    start_ms: int
    end_ms: int
    outcome: Outcome
    verdict: Verdict
    levels: Mapping[str, Verdict]
    revision: Mapping[int, int]
    counts: tuple[int, ...] = ()
    mature: bool = True
    partial: bool = False
    baseline: float | None = None
    p: float | None = None
    coverage: float | None = None
    identical: int | None = None
    e_family: int | None = None
    pooled_to: Scope | None = None
    extended: bool = False
    withdrawn: bool = False
    mature_from_ms: int | None = None
    beside: Mapping[str, Any] | None = None
    all_mature: bool = True
    lacks: Reason | None = None

    @property
    def case(self) -> CaseKey:
        return self.tenant, self.manifest_digest, self.monitor_id, self.scope

    @property
    def key(self) -> str:
        """Identity of the evaluation within its tenant: manifest, monitor, scope and window end."""
        return f"{self.manifest_digest}|{self.monitor_id}|{scope_text(self.scope)}|{self.end_ms}"

    @property
    def reason(self) -> str | None:
        """Why it is inconclusive, else None."""
        if self.partial and self.verdict is Verdict.INCONCLUSIVE:
            return Reason.PARTIAL.value
        if isinstance(self.outcome, Estimate) and self.verdict is Verdict.INCONCLUSIVE:
            return SPANS_LIMIT if self.lacks is None else self.lacks.value
        return reason_of(self.outcome)

    @property
    def revision_number(self) -> int:
        """Grows with every revision of the data, with maturity, and when a missing partition comes in."""
        return 4 * sum(version + 1 for version in self.revision.values()) + 2 * self.all_mature + (not self.partial)

    def body(self) -> str:
        """Canonical JSON; zeros at the end of `counts` are left out."""
        last = max((at for at, count in enumerate(self.counts) if count), default=-1)
        return canonical(
            {
                "monitor_id": self.monitor_id,
                "scope": dict(self.scope),
                "manifest_digest": self.manifest_digest,
                "window": window_body(self.start_ms, self.end_ms),
                "verdict": self.verdict.value,
                "levels": {level: verdict.value for level, verdict in self.levels.items()},
                "estimate": estimate_body(self.outcome),
                "reason": reason_of(self.outcome),
                "p_adjusted": self.p,
                "baseline": self.baseline,
                "coverage_mature": self.coverage,
                "mature": self.mature,
                "partial": self.partial,
                "withdrawn": self.withdrawn,
                "pooled_to": None if self.pooled_to is None else dict(self.pooled_to),
                "counts": list(self.counts[: last + 1]),
                "revision": {str(partition): version for partition, version in sorted(self.revision.items())},
                **({} if self.identical is None else {"identical_windows": self.identical}),
                **({} if self.e_family is None else {"e_family": self.e_family}),
                **(self.beside or {}),
            }
        )


def canonical(document: object) -> str:
    """JSON with sorted keys and no spaces: equal documents, equal bytes. Floats are written as Python's shortest form."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def scope_text(scope: Scope) -> str:
    """Canonical JSON of a scope: part of keys and identities."""
    return canonical(dict(scope))


def window_body(start_ms: int, end_ms: int) -> dict[str, str]:
    """Public form of a window, RFC 3339."""
    return {"start": to_text(start_ms), "end": to_text(end_ms)}


def estimate_body(outcome: Outcome) -> dict[str, Any]:
    """Public form of an estimate. A number that cannot be given is absent, with the n at hand and the n needed."""
    if isinstance(outcome, Estimate):
        body: dict[str, Any] = {
            "value": outcome.value,
            "lower": outcome.lower,
            "upper": outcome.upper,
            "n": outcome.n,
            "method": outcome.method,
        }
        return body | {key: value for key, value in (("p", outcome.p), ("e", outcome.e)) if value is not None}
    return {"n": outcome.n} | ({"needed": outcome.needed} if outcome.needed else {})


def reason_of(outcome: Outcome) -> str | None:
    """The reason code of what could not be estimated, else None."""
    return outcome.reason.value if isinstance(outcome, Insufficient) else None
