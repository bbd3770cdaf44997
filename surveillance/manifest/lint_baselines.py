"""Rules on windows, axes and references: bins ascend, shares add up, quantiles are in order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from surveillance.errors import Problem
from surveillance.manifest.durations import format_duration
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.model_distribution import Bins, Reference, StratumReference

SHARE_TOLERANCE = 0.005
"""How far shares may be from 1 in sum: they are written rounded."""


def windows_are_whole_slides(view: LintView) -> Iterator[Problem]:
    """A window's size is a whole number of its slides, so that it is a whole number of panes."""
    for index, window in enumerate(view.manifest.surveillance.windows):
        if window.size_ms % window.slide_ms:
            size, slide = format_duration(window.size_ms), format_duration(window.slide_ms)
            yield Problem(f"surveillance.windows[{index}].size", f"expected a whole number of slides of {slide}, got {size}")


def axes_have_levels(view: LintView) -> Iterator[Problem]:
    """Edges of an axis ascend and there is one label for each bin."""
    for index, axis in enumerate(view.manifest.strata.axes):
        path = f"strata.axes[{index}]"
        if axis.bins is not None:
            yield from _ascending(f"{path}.bins", axis.bins)
            if axis.labels is not None and len(axis.labels) != len(axis.bins) - 1:
                yield Problem(
                    f"{path}.labels", f"expected {len(axis.bins) - 1} labels for {len(axis.bins)} edges, got {len(axis.labels)}"
                )
            if axis.values is not None:
                yield Problem(f"{path}.values", "an axis has bins or values, not both")
        elif axis.labels is not None:
            yield Problem(f"{path}.labels", "labels without bins are not used", "warning")


def references_add_up(view: LintView) -> Iterator[Problem]:
    """Bins of every reference ascend, and its shares are one per bin and add up to 1."""
    baselines = view.manifest.baselines
    named: list[tuple[str, Reference]] = [(f"baselines.features[{i}]", one) for i, one in enumerate(baselines.features)]
    named += [("baselines.score", baselines.score)] if baselines.score is not None else []
    named += [("baselines.output_class", baselines.output_class)] if baselines.output_class is not None else []
    for path, reference in named:
        yield from _reference(path, reference, None)
        for axis, levels in reference.strata.items():
            for level, own in levels.items():
                yield from _reference(f"{path}.strata.{axis}.{level}", own, reference.bins)


def ranges_are_ordered(view: LintView) -> Iterator[Problem]:
    """The lower end of a range is below the upper one."""
    for index, feature in enumerate(view.manifest.baselines.features):
        if feature.range is not None and feature.range[0] >= feature.range[1]:
            yield Problem(f"baselines.features[{index}].range", f"expected lower < upper, got {list(feature.range)}")


def latency_quantiles_ascend(view: LintView) -> Iterator[Problem]:
    """p50, p95 and p99 of the label latency ascend: the curve goes through them."""
    latency = view.manifest.baselines.label_latency
    if latency is not None:
        hours = [value for value in (latency.p50_h, latency.p95_h, latency.p99_h) if value is not None]
        yield from _ascending("baselines.label_latency", hours, "p50_h, p95_h, p99_h")


def _reference(path: str, reference: StratumReference, inherited: Bins | None) -> Iterator[Problem]:
    bins = reference.bins or inherited
    if reference.bins is not None:
        yield from _ascending(f"{path}.bins.edges", reference.bins.edges)
        yield from _shares(f"{path}.bins.probs", reference.bins.probs, reference.bins)
    if isinstance(reference.probs, dict):
        yield from _sum(f"{path}.probs", tuple(reference.probs.values()))
    elif reference.probs is not None and bins is None:
        yield Problem(f"{path}.probs", "shares in order need bins.edges; shares of categories are a map")
    else:
        yield from _shares(f"{path}.probs", reference.probs, bins)


def _shares(path: str, probs: Sequence[float] | None, bins: Bins | None) -> Iterator[Problem]:
    if probs is None or bins is None:
        return
    if len(probs) != len(bins.edges) - 1:
        yield Problem(path, f"expected {len(bins.edges) - 1} shares for {len(bins.edges)} edges, got {len(probs)}")
    yield from _sum(path, probs)


def _sum(path: str, probs: Sequence[float]) -> Iterator[Problem]:
    total = math.fsum(probs)
    if abs(total - 1) > SHARE_TOLERANCE:
        yield Problem(path, f"expected shares that add up to 1 within {SHARE_TOLERANCE}, got {total:.6g}")


def _ascending(path: str, values: Sequence[float], what: str = "edges") -> Iterator[Problem]:
    if what == "edges" and len(values) < 2:
        yield Problem(path, f"expected at least two edges, got {len(values)}")
    for before, after in pairwise(values):
        if after <= before:
            yield Problem(path, f"expected ascending {what}, got {after:g} after {before:g}")


RULES = (windows_are_whole_slides, axes_have_levels, references_add_up, ranges_are_ordered, latency_quantiles_ascend)
