"""The `baselines` of a manifest from a snapshot. Levels with few cases are left out, and so is what could be told from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from surveillance.manifest.durations import format_duration
from surveillance.manifest.manifest import Manifest
from surveillance.snapshot.cases import Case, Snapshot
from surveillance.snapshot.distributions import ABSENT, day_of, feature_reference, score_reference
from surveillance.snapshot.levels import levels_by_axis, told_levels
from surveillance.snapshot.performance import metrics_of, prevalence_of
from surveillance.snapshot.usage import label_latency_of, operational_of

SMALL_CELL = 11
_WIDTH = 0.001
Strata = dict[str, tuple[Sequence[str], Sequence[str]]]


def baselines_of(snapshot: Snapshot, manifest: Manifest | None, names: Sequence[str] = ()) -> dict[str, Any]:
    """`baselines` as a document. With a manifest, its features, bins, axes and small-cell threshold are kept; `names` = further
    features, or the ones to take; without either every feature that was sent."""
    cases = snapshot.cases
    smallest = max(manifest.privacy.small_cell_threshold if manifest is not None else SMALL_CELL, 1)
    levels = levels_by_axis(manifest, cases)
    strata: Strata = {axis: (one, told_levels(one, smallest)) for axis, one in levels.items()}
    found: dict[str, Any] = {
        "features": list(_features(cases, manifest, names, strata)),
        "score": _score(cases, manifest, strata),
    }
    labelled = [at for at, case in enumerate(cases) if case.label is not None]
    if labelled:
        inside: Strata = {axis: ([one[at] for at in labelled], told) for axis, (one, told) in strata.items()}
        found |= _performance([cases[at] for at in labelled], manifest, inside, smallest)
    found["operational"] = operational_of(cases, has_actions=snapshot.has_actions)
    latency = label_latency_of(cases)
    if latency is not None:
        found["label_latency"] = latency | _kept_of_labels(manifest)
    return found


def _features(cases: Sequence[Case], manifest: Manifest | None, names: Sequence[str], strata: Strata) -> Iterable[dict[str, Any]]:
    declared = [feature.name for feature in manifest.baselines.features] if manifest is not None else []
    wanted = list(dict.fromkeys((*declared, *names))) or sorted({name for case in cases for name in case.features})
    days = [day_of(case.time_ms) for case in cases]
    for name in wanted:
        values = [case.features.get(name, ABSENT) for case in cases]
        known = manifest.baselines.feature(name) if manifest is not None else None
        yield feature_reference(name, values, days, strata, known)


def _score(cases: Sequence[Case], manifest: Manifest | None, strata: Strata) -> dict[str, Any]:
    known = manifest.baselines.score if manifest is not None else None
    edges = known.bins.edges if known is not None and known.bins is not None else None
    widths = (known.saturation_share.low_eps, known.saturation_share.high_eps) if known is not None else (_WIDTH, _WIDTH)
    return score_reference(np.array([case.score for case in cases]), edges, widths, strata)


def _performance(cases: Sequence[Case], manifest: Manifest | None, strata: Strata, smallest: int) -> dict[str, Any]:
    label = np.array([case.label for case in cases], np.int64)
    flagged = np.array([case.flagged for case in cases], np.bool_)
    score = np.array([case.score for case in cases])
    thresholds = manifest.operating_point.thresholds if manifest is not None else ()
    at = thresholds[0].name if thresholds else None
    return {"prevalence": prevalence_of(label), "metrics": metrics_of(label, flagged, score, at, strata, smallest)}


def _kept_of_labels(manifest: Manifest | None) -> dict[str, Any]:
    """What a snapshot cannot tell of labels, as the manifest has it."""
    latency = manifest.baselines.label_latency if manifest is not None else None
    if latency is None:
        return {}
    kept: dict[str, Any] = {"verification_default": latency.verification_default}
    kept |= {"source": latency.source} if latency.source else {}
    kept |= {"dispersion": latency.dispersion} if latency.dispersion else {}
    maturity: dict[str, Any] = {}
    if latency.maturity.coverage_min is not None:
        maturity["coverage_min"] = latency.maturity.coverage_min
    if latency.maturity.or_age_ms is not None:
        maturity["or_age"] = format_duration(latency.maturity.or_age_ms)
    return kept | ({"maturity": maturity} if maturity else {})
