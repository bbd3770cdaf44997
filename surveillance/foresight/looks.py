"""What the monitors' own estimators and verdict rules say of simulated windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate, Insufficient, Reason
from surveillance.arrays import Bool, Int
from surveillance.evaluation.estimators.request import Request
from surveillance.evaluation.estimators.table import ESTIMATORS
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.judging import benjamini_hochberg, e_family
from surveillance.evaluation.reaching_back import LONGEST_EXTENSION_MS
from surveillance.evaluation.verdict import Finding, Verdict, level_verdict, overall
from surveillance.manifest.manifest import Manifest
from surveillance.panes.plan import Series

_FEW_COLUMNS = 40
"""Vectors so short repeat themselves often enough that each is estimated once."""


class Windows(NamedTuple):
    """Window sums (T, length) of one series and scope by look; a look that was extended backwards takes `spans` windows."""

    counts: Int
    spans: Int


class Look(NamedTuple):
    """Verdict of each level, and of the monitor, at one look."""

    levels: Mapping[str, Verdict]
    verdict: Verdict


class Examiner:
    """One series of a manifest at one scope, as `SumsMonitor` judges it; `seen` = scopes of the monitor that have rows."""

    def __init__(self, manifest: Manifest, series: Series, scope: Scope, seen: int = 1) -> None:
        self.manifest, self.series, self.scope, self.monitor = manifest, series, scope, series.monitor
        self._estimator = ESTIMATORS[self.monitor.metric.type]
        self.needed = manifest.minimum_sample_of(self.monitor)
        self.family = e_family(manifest, self.monitor, seen)
        window = manifest.surveillance.window(self.monitor.window) if self.monitor.window else None
        self.size_ms = window.size_ms if window is not None else None
        extends = manifest.strata.below_min == "accumulate" and not self._estimator.compares
        self.accumulates = extends and self.size_ms is not None and self.needed > 0

    def _request(self, counts: Int) -> Request:
        # Estimators of sums know no time; what depends on the hour of a window is judged by a monitor of its own.
        return Request(self.manifest, self.series, [self.scope] * len(counts), counts, 0, self.size_ms or 0)

    def sizes(self, counts: Int) -> Int:
        """The n of each window (T,)."""
        return self._estimator.sizes(self._request(counts))

    def extended(self, counts: Int, stride: int) -> Windows:
        """Windows below the minimum extended backwards over whole earlier windows, which are `stride` looks apart."""
        spans = np.ones(len(counts), np.int64)
        if not self.accumulates or self.size_ms is None:
            return Windows(counts, spans)
        wider, small = counts.copy(), self.sizes(counts) < self.needed
        found = counts.copy()
        back = 0
        while small.any() and (back + 2) * self.size_ms <= LONGEST_EXTENSION_MS and (back + 1) * stride < len(counts):
            back += 1
            wider[back * stride :] += counts[: len(counts) - back * stride]
            reached = np.zeros(len(counts), np.bool_)
            at = np.flatnonzero(small)
            at = at[at >= back * stride]
            reached[at] = self.sizes(wider[at]) >= self.needed
            found[reached], spans[reached] = wider[reached], back + 1
            small &= ~reached
        return Windows(found, spans)

    def findings(self, counts: Int) -> list[Finding]:
        """A finding for each window, `below_minimum_n` where it is too small."""
        if counts.shape[1] > _FEW_COLUMNS or len(counts) < 2:
            return self._findings(counts)
        unique, place = np.unique(counts, axis=0, return_inverse=True)
        found = self._findings(unique)
        return [found[at] for at in place.ravel().tolist()]

    def _findings(self, counts: Int) -> list[Finding]:
        request = self._request(counts)
        found, sizes = self._estimator.findings(request), self._estimator.sizes(request)
        too_small: Bool = sizes < self.needed
        for at in np.flatnonzero(too_small).tolist():
            found[at] = Finding(Insufficient(Reason.BELOW_MINIMUM_N, int(sizes[at]), self.needed))
        return found

    def looks(self, findings: Sequence[Finding]) -> list[Look]:
        """Verdicts of findings; equal findings are judged once."""
        known: dict[int, Look] = {}
        found = []
        for one in findings:
            look = known.get(id(one))
            if look is None:
                look = known[id(one)] = self.look(one)
            found.append(look)
        return found

    def look(self, finding: Finding) -> Look:
        """Verdicts of one finding."""
        levels = {level: level_verdict(limit, finding, self.family) for level, limit in self.monitor.limits.by_level.items()}
        return Look(levels, overall(levels.values()))


def adjusted_together(manifest: Manifest, findings: Sequence[Sequence[Finding]]) -> list[list[Finding]]:
    """Findings by scope and look, with the p-values of each look adjusted over the scopes as the manifest says."""
    rows = [list(row) for row in findings]
    if manifest.strata.multiplicity.method == "none" or len(rows) < 2:
        return rows
    for at in range(len(rows[0])):
        having = [row for row in rows if row[at].p is not None and isinstance(row[at].outcome, Estimate)]
        if not having:
            continue
        raw = np.array([row[at].p for row in having], np.float64)
        for row, p in zip(having, benjamini_hochberg(raw).tolist(), strict=True):
            row[at] = row[at]._replace(p=p)
    return rows
