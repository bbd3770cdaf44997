"""What the monitors' own estimators and verdict rules say of simulated windows."""

from __future__ import annotations

import math
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

_LARGEST = 1 << 62
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
        """Windows below the minimum extended over whole earlier windows, as few as do; those lie `stride` looks apart."""
        spans = np.ones(len(counts), np.int64)
        if not self.accumulates or self.size_ms is None:
            return Windows(counts, spans)
        filled = np.flatnonzero(counts.any(axis=0))
        whole = _summed_back(counts[:, filled], stride)

        def reaching(looks: Int, back: Int) -> Int:
            before = looks - (back + 1) * stride
            found = np.zeros((len(looks), counts.shape[1]), np.int64)
            found[:, filled] = whole[looks] - whole[before] * (before >= 0)[:, None]
            return found

        small = np.flatnonzero(self.sizes(counts) < self.needed)
        enough = np.minimum(LONGEST_EXTENSION_MS // self.size_ms - 1, small // stride)
        reached = (enough > 0) & (self.sizes(reaching(small, enough)) >= self.needed)
        small, enough = small[reached], enough[reached]
        short = np.zeros(len(small), np.int64)
        while (enough - short > 1).any():
            middle = (short + enough) // 2
            does = self.sizes(reaching(small, middle)) >= self.needed
            short, enough = np.where(does, short, middle), np.where(does, middle, enough)
        found = counts.copy()
        found[small], spans[small] = reaching(small, enough), enough + 1
        return Windows(found, spans)

    def findings(self, counts: Int) -> list[Finding]:
        """A finding for each window, `below_minimum_n` where it is too small."""
        found, place = self.distinct_findings(counts)
        return [found[at] for at in place.tolist()]

    def distinct_findings(self, counts: Int) -> tuple[list[Finding], Int]:
        """Findings, and which of them each window (T,) has: windows of equal counts share one."""
        if counts.shape[1] > _FEW_COLUMNS or len(counts) < 2:
            return self._findings(counts), np.arange(len(counts))
        first, place = _distinct(counts)
        return self._findings(counts[first]), place

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


def _summed_back(counts: Int, stride: int) -> Int:
    """Sums (T, length) of each row and of all that lie whole strides before it."""
    rows = -(-len(counts) // stride)
    padded = np.zeros((rows * stride, counts.shape[1]), np.int64)
    padded[: len(counts)] = counts
    summed = padded.reshape(rows, stride, -1).cumsum(axis=0).reshape(padded.shape)
    return np.asarray(summed[: len(counts)], np.int64)


def _distinct(counts: Int) -> tuple[Int, Int]:
    """Where each distinct row (T, length) first stands, and which of those each row is."""
    least, most = counts.min(axis=0), counts.max(axis=0)
    spread = [int(width) for width in most - least + 1]
    if math.prod(spread) >= _LARGEST:
        _, first, place = np.unique(counts, axis=0, return_index=True, return_inverse=True)
        return first, place.ravel()
    number = np.zeros(len(counts), np.int64)
    for column, width, low in zip(counts.T, spread, least, strict=True):
        number = number * width + (column - low)
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    return first, place


def adjusted_together(findings: Sequence[Sequence[Finding]], largest: float) -> list[list[Finding]]:
    """Findings by scope and look, with the p-values of each look adjusted over the scopes (Benjamini and Hochberg 1995).

    Looks at which no p-value lies below the `largest` limit stay as they are: adjusting never makes one smaller.
    """
    rows = [list(row) for row in findings]
    raw = np.array([[_tested(one) for one in row] for row in rows])
    for at in np.flatnonzero((raw < largest).any(axis=0)).tolist():
        having = np.flatnonzero(~np.isnan(raw[:, at]))
        for scope, p in zip(having.tolist(), benjamini_hochberg(raw[having, at]).tolist(), strict=True):
            rows[scope][at] = rows[scope][at]._replace(p=p)
    return rows


def _tested(finding: Finding) -> float:
    return finding.p if finding.p is not None and isinstance(finding.outcome, Estimate) else np.nan
