"""Which rule answers which metric type, which n the minimum governs, and what is looked at before a rule is asked."""

from __future__ import annotations

from collections.abc import Callable

from . import of_inputs, of_labels, of_safety, of_subgroups, of_use, of_weights
from .drift import DISTANCES
from .policy import Document
from .question import Measure, Question, count

LABELLED = {
    "auroc", "brier", "spiegelhalter", "calibration_error", "observed_expected", "calibration_slope", "calibration_intercept",
    "prevalence",
}  # fmt: skip
WITHOUT_N = {"event_count", "maxsprt_poisson", "volume_vs_expected"}
"""Types for which nothing counted is a count of zero."""
COMPARED = {"subgroup_gap", "site_outlier"}
"""Types that compare a scope with the rows of all scopes."""

NEVER_EXTENDED = COMPARED | {"volume_vs_expected"}
"""Types whose small windows are neither extended nor pooled."""


def governed_by(metric: Document) -> str:
    """Which key of strata.min_sample holds for the metric's n."""
    event = of_labels.event_of(metric)
    if event is not None and metric["type"] in ("proportion_vs_floor", "subgroup_gap", "site_outlier"):
        return {"sensitivity": "positives", "specificity": "labelled"}.get(event, "inferences")
    return "labelled" if metric["type"] in LABELLED else "inferences"


def size(question: Question) -> int:
    """The n that the minimum governs."""
    kind, metric = question.type, question.metric
    if kind == "missing_rate":
        return len(of_inputs.sent(question))
    if kind in DISTANCES or kind == "variance_ratio":
        return len(of_inputs.values(question))
    if kind in SIZES:
        return SIZES[kind](question)
    if kind in LABELLED:
        return len(question.labelled)
    if of_labels.event_of(metric) is not None:
        return len(of_labels.proportion_cases(question))
    word = metric.get("exposure") or metric.get("denominator")
    return len(question.rows) if word is None else count(question.rows, word)


SIZES: dict[str, Callable[[Question], int]] = {
    "out_of_range_rate": lambda question: len(of_inputs.numbers(question)),
    "mix_shift": lambda question: len(of_inputs.mix_levels(question)),
    "ood_share": lambda question: len(of_inputs.ood_scores(question)),
    "quality_mean": lambda question: len(of_inputs.qualities(question)),
    "quantile": lambda question: len(of_use.delays(question)),
    "event_count": lambda question: len(of_safety.matched(question)),
    "maxsprt_poisson": lambda question: len(of_safety.matched(question)),
}


def measure(question: Question) -> Measure:
    """The statistic of the question; the minimum n has been looked at before."""
    n = size(question)
    if n == 0 and question.type not in WITHOUT_N:
        return Measure(0, reason=_nothing(question))
    if question.metric.get("require_mature") and not mature(question):
        return Measure(n, reason="immature_labels")
    if _biased(question):
        return Measure(n, reason="verification_bias")
    weighted = WEIGHTED.get(question.type) if question.corrected else None
    return (weighted or RULES[question.type])(question, n)


def compares_with_nothing(question: Question) -> bool:
    """Whether a scope has nothing to be compared with, however many cases it has: that goes before its minimum."""
    n = size(question)
    return question.type in COMPARED and n > 0 and RULES[question.type](question, n).reason == "unknown_reference"


def _nothing(question: Question) -> str:
    event = of_labels.event_of(question.metric)
    if event is not None and question.rows:
        return {"sensitivity": "no_positives", "specificity": "no_negatives"}.get(event, "no_exposure")
    return "no_exposure"


def mature(question: Question) -> bool:
    """Coverage of the window's inferences, or age of the window, as label_latency.maturity says."""
    policy, rows = question.policy, question.rows
    if policy.or_age_ms is not None and question.watermark_ms >= question.end_ms + policy.or_age_ms:
        return True
    return bool(rows) and len(question.labelled) / len(rows) >= policy.coverage_min


def _biased(question: Question) -> bool:
    mixes = question.type in LABELLED or of_labels.event_of(question.metric) in ("sensitivity", "specificity", "npv")
    if not mixes or len(question.labelled) == len(question.rows):
        return False
    if question.corrected and question.type in LABELLED and _flag_without_label(question):
        return True
    unflagged = [row for row in question.rows if not row.alert]
    labels = [row.label for row in unflagged if row.label is not None]
    if not any(label.verification in ("routine", "random_sample") for label in labels):
        return True
    expects = question.policy.latency.get("verification", {}).get("unflagged", question.policy.latency.get("expected_coverage"))
    return expects is not None and len(labels) / len(unflagged) < expects / 2


def _flag_without_label(question: Question) -> bool:
    flags = {row.alert for row in question.rows}
    return any(all(row.label is None for row in question.rows if row.alert is flag) for flag in flags)


RULES: dict[str, Callable[[Question, int], Measure]] = {
    "missing_rate": of_inputs.missing_rate,
    "absent_rate": of_inputs.absent_rate,
    "out_of_range_rate": of_inputs.out_of_range_rate,
    **dict.fromkeys(DISTANCES, of_inputs.drift),
    "variance_ratio": of_inputs.variance_ratio,
    "saturation_share": of_inputs.saturation,
    "mix_shift": of_inputs.mix_shift,
    "ood_share": of_inputs.ood_share,
    "quality_mean": of_inputs.quality_mean,
    "identity_mismatch": of_use.mismatch,
    "mismatch_count": of_use.mismatch,
    "proportion_vs_floor": of_labels.proportion,
    "auroc": of_weights.auroc,
    "brier": of_weights.brier,
    "spiegelhalter": of_weights.spiegelhalter,
    "calibration_error": of_weights.calibration_error,
    "observed_expected": of_labels.observed_expected,
    "calibration_slope": of_labels.slope,
    "calibration_intercept": of_labels.intercept,
    "prevalence": of_subgroups.prevalence,
    "subgroup_gap": of_subgroups.subgroup_gap,
    "site_outlier": of_subgroups.site_outlier,
    "poisson_rate_ratio": of_use.rate_ratio,
    "rate": of_use.rate,
    "duplicate_rate": of_use.duplicates,
    "volume_vs_expected": of_use.volume,
    "quantile": of_use.quantile,
    "clock_offset_s": of_use.clock_offset,
    "event_count": of_safety.event_count,
    "maxsprt_poisson": of_safety.maxsprt,
}
WEIGHTED: dict[str, Callable[[Question, int], Measure]] = {
    "observed_expected": of_weights.observed_expected,
    "calibration_slope": of_weights.slope,
    "calibration_intercept": of_weights.intercept,
}
"""With `verification_correction: begg_greenes`; the rules above that have no other one here weigh their rows themselves."""
