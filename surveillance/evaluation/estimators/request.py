"""What an estimator is asked, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from detectors.proportion import Method
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metric_kind import Labelled
from surveillance.panes.plan import Series


class Request(NamedTuple):
    """One series over the groups of one window [start, end); `counts` has shape (groups, length).

    A group that was extended backwards to its minimum sample holds more than the window itself.
    """

    manifest: Manifest
    series: Series
    scopes: Sequence[Scope]
    counts: Int
    start_ms: int
    end_ms: int

    @property
    def method(self) -> Method:
        """Interval of a proportion; types without one never ask."""
        chosen = self.manifest.interval_of(self.series.monitor).method
        return chosen if chosen in ("clopper_pearson", "confidence_sequence") else "wilson"

    @property
    def level(self) -> float:
        return self.series.monitor.interval.level

    @property
    def weighted(self) -> bool:
        """Whether labelled cases stand for those of their flag that were not verified (Begg & Greenes)."""
        metric = self.series.monitor.metric
        return isinstance(metric, Labelled) and metric.verification_correction == "begg_greenes"


class Estimator(NamedTuple):
    """`findings` gives one finding per scope, before minimum sample and maturity are looked at.

    `sizes` gives the n of contract/semantics.md ("Which n") per scope, from the counts alone and adding up over panes.
    `compares` = a scope is compared with all groups of its series: its window is neither extended nor pooled, so that all are
    of the same time.
    """

    findings: Callable[[Request], list[Finding]]
    sizes: Callable[[Request], Int]
    compares: bool = False


def own_level(scope: Scope) -> tuple[str, str] | None:
    """The axis and level whose own reference may serve: scopes of exactly one axis have one."""
    levels = [pair for pair in scope if pair[0] != "feature"]
    return levels[0] if len(levels) == 1 else None
