"""Reference distributions of features and scores: bins with their shares, missing values, mean, spread, day-to-day dispersion."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surveillance.arrays import Float
from surveillance.ingest.reference_bins import number_bins
from surveillance.manifest.model_baselines import FeatureBaseline
from surveillance.times import DAY_MS

BINS = 10
DIGITS = 6
FEWEST_DAYS = 7
FEWEST_A_DAY = 20
_ABSENT = object()
Part = dict[str, Any]


def feature_reference(
    name: str,
    values: Sequence[Any],
    days: Sequence[int | None],
    strata: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    known: FeatureBaseline | None,
) -> Part:
    """The reference of a feature. `values` by case (`absent` marks what was not sent), `days` = UTC day of each case; `strata`
    = by axis the level of each case and the levels that are told; `known` = what the manifest says of it already."""
    sentinels = known.sentinels if known is not None else ()
    categorical = known.kind == "categorical" if known is not None else _is_text(values)
    body: Part = {"name": name, "kind": "categorical" if categorical else "continuous"}
    body |= _kept(known)
    chosen = np.arange(len(values))
    if categorical:
        names = _categories(values, sentinels)
        return (
            body
            | _categorical(values, chosen, sentinels, names)
            | _strata(strata, lambda at: _categorical(values, at, sentinels, names))
        )
    numbers = np.array([_number(value, sentinels) for value in values])
    edges = _edges(numbers[np.isfinite(numbers)], known)
    if not edges:
        return body | _missing(values, chosen, sentinels)
    body |= _missing(values, chosen, sentinels) | _continuous(numbers, chosen, edges, whole=True)
    dispersion = _dispersion(numbers, days)
    body |= {} if dispersion is None else {"dispersion": dispersion}
    return body | _strata(strata, lambda at: _missing(values, at, sentinels) | _continuous(numbers, at, edges, whole=False))


def score_reference(
    scores: Float,
    edges: Sequence[float] | None,
    widths: tuple[float, float],
    strata: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> Part:
    """The reference of the score; `widths` = what counts as saturated near 0 and near 1."""
    chosen = list(edges) if edges is not None else _score_edges(scores)
    whole = np.arange(len(scores))
    body = _continuous(scores, whole, chosen, whole=True)
    low, high = (scores <= widths[0]).mean(), (scores >= 1 - widths[1]).mean()
    body["saturation_share"] = {"low_eps": widths[0], "high_eps": widths[1], "low": _round(low), "high": _round(high)}
    return body | _strata(strata, lambda at: _continuous(scores, at, chosen, whole=False))


ABSENT = _ABSENT
"""Value of a feature that a case did not send."""


def _kept(known: FeatureBaseline | None) -> Part:
    """What no snapshot can tell, as the manifest has it."""
    if known is None:
        return {}
    kept: Part = {"unit": known.unit, "range": known.range, "sentinels": list(known.sentinels) or None}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items() if value is not None}


def _strata(strata: Mapping[str, tuple[Sequence[str], Sequence[str]]], reference: Any) -> Part:
    found: Part = {}
    for axis, (levels, told) in strata.items():
        by_level = np.array(levels)
        own = {level: reference(np.flatnonzero(by_level == level)) for level in told}
        own = {level: body for level, body in own.items() if body.get("n")}
        found |= {axis: own} if own else {}
    return {"strata": found} if found else {}


def _missing(values: Sequence[Any], at: Any, sentinels: Sequence[Any]) -> Part:
    sent = [values[index] for index in at.tolist() if values[index] is not _ABSENT]
    body: Part = {"n": len(sent)}
    if sent:
        body["missing"] = _round(sum(value is None or value in sentinels for value in sent) / len(sent))
    absent = 1 - len(sent) / max(len(at), 1)
    return body | ({"absent": _round(absent)} if absent > 0 else {})


def _continuous(numbers: Float, at: Any, edges: Sequence[float], *, whole: bool) -> Part:
    present = numbers[at][np.isfinite(numbers[at])]
    if not len(present):
        return {}
    shares = np.bincount(number_bins(edges, present), minlength=len(edges) - 1) / len(present)
    probs = _shares(shares.tolist())
    body: Part = {"bins": {"edges": list(edges), "probs": probs}} if whole else {"probs": probs}
    return {"n": len(present)} | body | {"mean": _round(present.mean()), "sd": _round(present.std())}


def _categorical(values: Sequence[Any], at: Any, sentinels: Sequence[Any], names: Sequence[str]) -> Part:
    present = [value for index in at.tolist() if (value := _text(values[index], sentinels)) is not None]
    body = _missing(values, at, sentinels)
    if not present:
        return body
    counts = Counter(value if value in names else "other" for value in present)
    listed = [*names, *(["other"] if "other" not in names else [])]
    shares = _shares([counts[name] / len(present) for name in listed])
    return body | {"n": len(present), "probs": dict(zip(listed, shares, strict=True))}


def _shares(shares: Sequence[float]) -> list[float]:
    """Shares as they are written; what rounding leaves over goes to the largest, so that they add up."""
    rounded = [_round(share) for share in shares]
    largest = max(range(len(rounded)), key=rounded.__getitem__)
    rounded[largest] = _round(rounded[largest] + 1 - math.fsum(rounded))
    return rounded


def _categories(values: Sequence[Any], sentinels: Sequence[Any]) -> list[str]:
    counts = Counter(text for value in values if (text := _text(value, sentinels)) is not None)
    return sorted(name for name, count in counts.most_common(BINS * 3) if count >= 1)


def _text(value: Any, sentinels: Sequence[Any]) -> str | None:
    if value is _ABSENT or value is None or value in sentinels or isinstance(value, dict | list):
        return None
    if isinstance(value, str):
        return value
    # As ingest counts it: a category sent as a number is the JSON text of that number.
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _number(value: Any, sentinels: Sequence[Any]) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and value not in sentinels else math.nan


def _is_text(values: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in values)


def _edges(present: Float, known: FeatureBaseline | None) -> list[float]:
    """The manifest's edges where it has some, else deciles; none where the values do not differ."""
    if known is not None and known.bins is not None:
        return list(known.bins.edges)
    if not len(present):
        return []
    inner = np.quantile(present, np.linspace(0, 1, BINS + 1))
    edges = sorted({float(f"{edge:.4g}") for edge in inner.tolist()})
    return edges if len(edges) >= 3 else []


def _score_edges(scores: Float) -> list[float]:
    inner = np.quantile(scores, np.linspace(0, 1, BINS + 1)[1:-1])
    return sorted({0.0, 1.0, *(float(f"{edge:.4g}") for edge in inner.tolist())})


def _dispersion(numbers: Float, days: Sequence[int | None]) -> float | None:
    """How much more the mean of a day varies than cases drawn independently would make it; at least 1."""
    present = np.isfinite(numbers)
    mean, sd = numbers[present].mean(), numbers[present].std()
    by_day: dict[int, list[float]] = {}
    for value, day in zip(numbers[present].tolist(), np.array(days, dtype=object)[present].tolist(), strict=True):
        if day is not None:
            by_day.setdefault(day, []).append(value)
    z = [(np.mean(one) - mean) * math.sqrt(len(one)) / sd for one in by_day.values() if len(one) >= FEWEST_A_DAY and sd > 0]
    if len(z) < FEWEST_DAYS:
        return None
    return round(max(1.0, math.sqrt(float(np.square(z).sum()) / (len(z) - 1))), 3)


def _round(value: float) -> float:
    return round(float(value), DIGITS)


def day_of(time_ms: int | None) -> int | None:
    """UTC day of a time, in days since the epoch."""
    return None if time_ms is None else time_ms // DAY_MS
