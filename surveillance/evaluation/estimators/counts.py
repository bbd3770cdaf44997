"""Counts of mismatching digests, and the share of retransmissions."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.proportion import proportion
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.verdict import Finding
from surveillance.panes.statistics import Events, Identity, Safety


def _mismatches(request: Request) -> list[Finding]:
    checked, mismatched = request.counts[:, Identity.CHECKED], request.counts[:, Identity.MISMATCHED]
    return [Finding(_count(int(k), int(n))) for k, n in zip(mismatched, checked, strict=True)]


def _count(k: int, n: int) -> Outcome:
    # No event at all is silence, not a count of zero mismatches.
    return Estimate(float(k), float(k), float(k), n, "count") if n else Insufficient(Reason.NO_EXPOSURE)


def _duplicates(request: Request) -> list[Finding]:
    k, n = request.counts[:, Events.DUPLICATES], request.counts[:, Events.ARRIVED]
    return [Finding(outcome) for outcome in proportion(k, n, method="wilson", level=request.level)]


def _checked(request: Request) -> Int:
    return request.counts[:, Identity.CHECKED]


def _arrived(request: Request) -> Int:
    return request.counts[:, Events.ARRIVED]


def _matching(request: Request) -> list[Finding]:
    """Events of a window that match; none is a count of zero."""
    return [Finding(Estimate(float(k), float(k), float(k), int(k), "count")) for k in request.counts[:, Safety.MATCHED].tolist()]


def _matched(request: Request) -> Int:
    return request.counts[:, Safety.MATCHED]


ESTIMATORS: Mapping[str, Estimator] = {
    "identity_mismatch": Estimator(_mismatches, _checked),
    "mismatch_count": Estimator(_mismatches, _checked),
    "event_count": Estimator(_matching, _matched),
    "duplicate_rate": Estimator(_duplicates, _arrived),
}
