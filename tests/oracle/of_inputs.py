"""What went in and what the score looks like: drift, missing and odd values, variance, saturation, quality, mix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special, stats

from . import intervals
from .drift import DISTANCES, Histogram, e_value
from .intervals import Floats
from .ledger import Event
from .policy import Document, Policy
from .question import Measure, Question


def missing_rate(question: Question, n: int) -> Measure:
    entry = question.policy.feature(question.feature)
    sentinels = (entry or {}).get("sentinels", [])
    values = sent(question)
    missing = sum(value is None or value in sentinels for value in values)
    return question.share(missing, n, _baseline(question, "missing"))


def absent_rate(question: Question, n: int) -> Measure:
    if question.policy.feature(question.feature) is None:
        return Measure(n, reason="unknown_reference")
    return question.share(n - len(sent(question)), n, _baseline(question, "absent"))


def out_of_range_rate(question: Question, n: int) -> Measure:
    bounds = (question.policy.feature(question.feature) or {}).get("range")
    if bounds is None:
        return Measure(n, reason="unknown_reference")
    low, high = bounds
    return question.share(sum(not low <= value <= high for value in numbers(question)), n, _baseline(question, "out_of_range"))


def _baseline(question: Question, key: str) -> dict[str, float | None]:
    reference = question.policy.reference(question.policy.feature(question.feature), question.scope) or {}
    return {"ratio_to_baseline": reference.get(key)}


def sent(question: Question) -> list[Any]:
    """Values of the feature where it was sent at all, null among them."""
    return [row.document["features"][question.feature] for row in question.rows if question.feature in row.document["features"]]


def values(question: Question, rows: list[Event] | None = None) -> list[Any]:
    """Non-missing values of the feature, score or output class."""
    name, rows = question.feature, question.rows if rows is None else rows
    if name == "score":
        return [row.score for row in rows]
    if name == "output_class":
        return [row.document["output_class"] for row in rows if row.document.get("output_class") is not None]
    sentinels = (question.policy.feature(name) or {}).get("sentinels", [])
    found = [row.document["features"].get(name) for row in rows]
    return [value for value in found if value is not None and value not in sentinels]


def numbers(question: Question) -> list[float]:
    """Non-missing values that are no text."""
    return [value for value in values(question) if not isinstance(value, str)]


def drift(question: Question, n: int) -> Measure:
    found = histogram(question, values(question))
    distance = None if found is None else DISTANCES[question.type](found)
    if found is None or distance is None:
        return Measure(n, reason="unknown_reference")
    e = e_value(found, question.metric.get("concentration", 1.0))
    return Measure(n, distance[0], None, None, "null_scaled_chi2", distance[1], e=e)


def histogram(question: Question, observed: list[Any]) -> Histogram | None:
    """The values in the bins of the scope's reference; None where it has none, or no n."""
    policy = question.policy
    reference = policy.reference(policy.feature(question.feature), question.scope)
    m = None if reference is None else policy.reference_n(reference)
    if reference is None or m is None:
        return None
    counts, probs = binned(observed, reference)
    edges = reference.get("bins", {}).get("edges")
    return Histogram(_floats(counts), _floats(probs), float(m), None if edges is None else _floats(edges))


def _floats(found: list[Any]) -> Floats:
    return np.array(found, float)


def binned(observed: list[Any], reference: Document) -> tuple[list[int], list[float]]:
    """Counts and reference probabilities: bins closed on the left, the last also on the right, the rest in the end bins."""
    edges = reference.get("bins", {}).get("edges")
    if edges is not None:
        probs = reference["bins"]["probs"]
        counts = [0] * len(probs)
        for value in observed:
            inner = sum(value >= edge for edge in edges[1:-1])
            counts[inner] += 1
        return counts, probs
    shares = {**reference["probs"]}
    shares.setdefault("other", 0.0)
    levels = [value if value in shares else "other" for value in observed]
    return [levels.count(level) for level in shares], list(shares.values())


def saturation(question: Question, n: int) -> Measure:
    entry = question.policy.reference(question.policy.baselines.get("score"), question.scope) or {}
    baseline = entry.get("saturation_share")
    if baseline is None:
        return Measure(n, reason="unknown_reference")
    sides = {"high": ("high",), "low": ("low",)}.get(question.metric.get("side", "both"), ("low", "high"))
    near = {"low": lambda s: s <= baseline["low_eps"], "high": lambda s: s >= 1 - baseline["high_eps"]}
    saturated = sum(any(near[side](row.score) for side in sides) for row in question.rows)
    return question.share(saturated, n, {"ratio_to_baseline": sum(baseline[side] for side in sides)})


def variance_ratio(question: Question, n: int) -> Measure:
    """Sample variance / baseline variance; p by the normal law of its log, with the window's own kurtosis."""
    reference = question.policy.reference(question.policy.feature(question.feature), question.scope) or {}
    m = question.policy.reference_n(reference)
    if m is None or not reference.get("sd"):
        return Measure(n, reason="unknown_reference")
    if n < 2:
        return Measure(n, reason="degenerate_outcomes")
    observed = _cut(question, _floats(values(question)))
    ratio = float(np.var(observed, ddof=1)) / reference["sd"] ** 2
    tails = _tails(observed, ratio, m, question.level)
    p = {"lower": tails[0], "upper": tails[1], "both": min(1.0, 2 * min(tails))}[question.metric.get("tail", "lower")]
    return Measure(n, ratio, None, None, "log_variance", p)


def _cut(question: Question, observed: Floats) -> Floats:
    """Values within 8 sd of the overall baseline's mean, where it states both."""
    overall = question.policy.feature(question.feature) or {}
    mean, sd = overall.get("mean"), overall.get("sd")
    return observed if mean is None or not sd else np.clip(observed, mean - 8 * sd, mean + 8 * sd)


def _tails(observed: Floats, ratio: float, m: float, level: float) -> tuple[float, float]:
    """Bonett's normal law of the log of a variance; a heavy-tailed sample's kurtosis is that of gamma values at least."""
    if np.ptp(observed) == 0:
        return 0.0, 1.0
    n, z = len(observed), float(special.ndtri((1 + level) / 2))
    kurtosis = 3.0
    if n > 3:
        kurtosis = max(1.0, 3 + float(stats.kurtosis(observed, bias=False)))
        if kurtosis > 3:
            kurtosis = max(kurtosis, 3 + 1.5 * float(stats.skew(observed, bias=False)) ** 2)
    c, c_reference = (size / (size - min(z, size / 2)) for size in (n, m))
    variance = c**2 * (kurtosis - (n - 3) / n) / (n - 1) + c_reference**2 * (kurtosis - (m - 3) / m) / (m - 1)
    score = math.log(c / c_reference * ratio) / math.sqrt(variance)
    return float(special.ndtr(score)), float(special.ndtr(-score))


def mix_levels(question: Question) -> list[str]:
    """Level of each row on the metric's axis, where it is known or the reference counts the unknown, too."""
    entry, axis = _mix_entry(question), question.metric.get("axis", "")
    levels = [question.policy.level(row.document, axis) for row in question.rows]
    return [level for level in levels if entry is None or level != "unknown" or level in entry["probs"]]


def _mix_entry(question: Question) -> Document | None:
    """The categorical baseline named as the axis, else as its field."""
    axis = question.metric.get("axis", "")
    source = question.policy.axes.get(axis, {}).get("source", "")
    for name in (axis, source, source.removeprefix("features.")):
        entry = question.policy.feature(name)
        if entry is not None and isinstance(entry.get("probs"), dict):
            return entry
    return None


def mix_shift(question: Question, n: int) -> Measure:
    """Total variation of the levels' shares from the reference mix."""
    entry = _mix_entry(question)
    reference = None if entry is None else question.policy.reference(entry, question.scope)
    m = None if reference is None else question.policy.reference_n(reference)
    if reference is None or m is None:
        return Measure(n, reason="unknown_reference")
    counts, probs = binned(mix_levels(question), {"probs": reference["probs"]})
    found = Histogram(_floats(counts), _floats(probs), float(m), None)
    distance, p = DISTANCES["tv"](found) or (0.0, 1.0)
    return Measure(n, distance, None, None, "tv", p, e=e_value(found, question.metric.get("concentration", 1.0)))


def ood_share(question: Question, n: int) -> Measure:
    threshold = _ood_threshold(question.policy, question.metric)
    if threshold is None:
        return Measure(n, reason="unknown_reference")
    return question.share(sum(score > threshold for score in ood_scores(question)), n)


def _ood_threshold(policy: Policy, metric: Document) -> float | None:
    found: float | None = metric.get("threshold")
    return policy.document.get("operating_point", {}).get("abstain", {}).get("ood_above") if found is None else found


def ood_scores(question: Question) -> list[float]:
    return [row.document["ood_score"] for row in question.rows if row.document.get("ood_score") is not None]


def qualities(question: Question) -> list[float]:
    return [row.document["input_quality"] for row in question.rows if row.document.get("input_quality") is not None]


def quality_mean(question: Question, n: int) -> Measure:
    if n < 2:
        return Measure(n, reason="degenerate_outcomes")
    observed = _floats(qualities(question))
    mean = float(observed.mean())
    lower, upper = intervals.unit_mean(mean, float(np.var(observed, ddof=1)), n, question.level)
    return Measure(n, mean, lower, upper, "student_logit")
