"""The number of each monitor type on the rows of one window and scope, or the reason there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import intervals
from .intervals import Interval
from .ledger import Event
from .policy import Document, Policy, Scope, Window

IDENTITIES = {
    "model_digest": ("model", "digest"),
    "preprocessing_digest": ("preprocessing", "digest"),
    "feature_schema_digest": ("feature_schema", "digest"),
    "inference_config_digest": ("inference_config_digest",),
    "threshold_config_digest": ("threshold_config_digest",),
    "explanation_config_digest": ("explanation_config_digest",),
}
COUNTED_WORDS: dict[str, Callable[[Event], bool]] = {
    "inferences": lambda row: True,
    "alerts": lambda row: row.alert,
    "alert_onsets": lambda row: row.onset,
    "encounters": lambda row: row.encounter,
    "overrides": lambda row: row.alert and "override" in row.actions,
    "dismissals": lambda row: row.alert and "dismiss" in row.actions,
    "acks": lambda row: row.alert and "ack" in row.actions,
    "actioned_alerts": lambda row: row.actioned,
    "undelivered": lambda row: row.alert and "delivered" not in row.actions,
    "abstained": lambda row: bool(row.document.get("abstained", False)),
    "ineligible": lambda row: row.document.get("eligibility", {}).get("intended_use") is False,
    "labelled": lambda row: row.label is not None,
}
NESTED = {
    ("overrides", "actioned_alerts"), ("dismissals", "actioned_alerts"), ("acks", "actioned_alerts"),
    *((word, "alerts") for word in ("overrides", "dismissals", "acks", "actioned_alerts", "undelivered", "alert_onsets")),
    *((word, "inferences") for word in COUNTED_WORDS),
}  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """A number with interval, or `reason`. Limits read `adjusted_p` before `p`; `thresholds` holds baselines of ratio limits."""

    n: int
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    method: str = ""
    p: float | None = None
    adjusted_p: float | None = None
    reason: str | None = None
    needed: int | None = None
    thresholds: dict[str, float | None] = field(default_factory=dict)

    @property
    def conclusive(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Question:
    """One scope of one monitor over one window. `rows` are its field-use inferences there (or its events: duplicate_rate)."""

    policy: Policy
    monitor: Document
    scope: Scope
    window: Window
    end_ms: int
    watermark_ms: int
    rows: list[Event]

    @property
    def metric(self) -> Document:
        found: Document = self.monitor["metric"]
        return found

    @property
    def type(self) -> str:
        return str(self.metric["type"])

    @property
    def feature(self) -> str:
        return dict(self.scope).get("feature") or str(self.metric["feature"])

    @property
    def labelled(self) -> list[tuple[Event, int]]:
        return [(row, row.label.value) for row in self.rows if row.label is not None]

    def proportion(self, k: float, n: float) -> tuple[str, Interval]:
        """Default method by window kind: wilson in tumbling windows, confidence_sequence in sliding and cumulative ones."""
        wanted = self.monitor.get("interval", {})
        fixed_look = self.window.tumbling and not self.window.cumulative
        method = wanted.get("method") or ("wilson" if fixed_look else "confidence_sequence")
        rule = {
            "wilson": intervals.wilson,
            "clopper_pearson": intervals.clopper_pearson,
            "confidence_sequence": intervals.confidence_sequence,
        }[method]
        return method, rule(k, n, self.level)

    @property
    def level(self) -> float:
        return float(self.monitor.get("interval", {}).get("level", 0.95))


def governed_by(metric: Document) -> str:
    """Which key of strata.min_sample holds for the metric's n."""
    if metric["type"] == "proportion_vs_floor":
        return {"sensitivity": "positives", "specificity": "labelled"}.get(metric["event"], "inferences")
    if metric["type"] in ("auroc", "brier", "observed_expected", "calibration_slope"):
        return "labelled"
    return "inferences"


def size(question: Question) -> int:
    """The n that the minimum governs."""
    kind, rows = question.type, question.rows
    if kind == "missing_rate":
        return sum(question.feature in row.document["features"] for row in rows)
    if kind == "psi":
        return len(_values(question))
    if kind == "proportion_vs_floor":
        return len(_proportion_cases(question))
    if kind in ("auroc", "brier", "observed_expected", "calibration_slope"):
        return len(question.labelled)
    if kind == "poisson_rate_ratio":
        return _count(rows, question.metric["exposure"])
    if kind == "rate":
        return _count(rows, question.metric["denominator"])
    return len(rows)


def measure(question: Question) -> Measure:
    """The statistic of the question; the minimum n has been looked at before."""
    n = size(question)
    if n == 0:
        return Measure(0, reason=_nothing(question))
    if question.metric.get("require_mature") and not mature(question):
        return Measure(n, reason="immature_labels")
    if _biased(question):
        return Measure(n, reason="verification_bias")
    return RULES[question.type](question, n)


def _nothing(question: Question) -> str:
    if question.type == "proportion_vs_floor" and question.rows:
        return {"sensitivity": "no_positives", "specificity": "no_negatives"}.get(question.metric["event"], "no_exposure")
    return "no_exposure"


def mature(question: Question) -> bool:
    """Coverage of the window's inferences, or age of the window, as label_latency.maturity says."""
    policy, rows = question.policy, question.rows
    if policy.or_age_ms is not None and question.watermark_ms >= question.end_ms + policy.or_age_ms:
        return True
    return bool(rows) and len(question.labelled) / len(rows) >= policy.coverage_min


def _biased(question: Question) -> bool:
    mixes = question.type in ("auroc", "brier", "observed_expected", "calibration_slope") or (
        question.type == "proportion_vs_floor" and question.metric["event"] != "ppv"
    )
    if not mixes or len(question.labelled) == len(question.rows):
        return False
    unflagged = [row for row in question.rows if not row.alert]
    labels = [row.label for row in unflagged if row.label is not None]
    if not any(label.verification in ("routine", "random_sample") for label in labels):
        return True
    expects = question.policy.latency.get("verification", {}).get("unflagged", question.policy.latency.get("expected_coverage"))
    return expects is not None and len(labels) / len(unflagged) < expects / 2


def _count(rows: list[Event], word: str) -> int:
    return sum(COUNTED_WORDS[word](row) for row in rows)


def _share(question: Question, k: int, n: int, thresholds: dict[str, float | None] | None = None) -> Measure:
    method, (lower, upper) = question.proportion(k, n)
    return Measure(n, k / n, lower, upper, method, thresholds=thresholds or {})


def _missing_rate(question: Question, n: int) -> Measure:
    entry = question.policy.feature(question.feature)
    sentinels = (entry or {}).get("sentinels", [])
    values = [row.document["features"][question.feature] for row in question.rows if question.feature in row.document["features"]]
    missing = sum(value is None or value in sentinels for value in values)
    reference = question.policy.reference(entry, question.scope) or {}
    return _share(question, missing, n, {"ratio_to_baseline": reference.get("missing")})


def _values(question: Question) -> list[Any]:
    """Non-missing values of the feature, score or output class."""
    name = question.feature
    if name == "score":
        return [row.score for row in question.rows]
    if name == "output_class":
        return [row.document["output_class"] for row in question.rows if row.document.get("output_class") is not None]
    sentinels = (question.policy.feature(name) or {}).get("sentinels", [])
    values = [row.document["features"].get(name) for row in question.rows]
    return [value for value in values if value is not None and value not in sentinels]


def _psi(question: Question, n: int) -> Measure:
    policy = question.policy
    reference = policy.reference(policy.feature(question.feature), question.scope)
    if reference is None or policy.reference_n(reference) is None:
        return Measure(n, reason="unknown_reference")
    counts, probs = _binned(_values(question), reference)
    distance, p = intervals.psi(np.array(counts, float), np.array(probs, float), float(policy.reference_n(reference) or 0))
    return Measure(n, distance, None, None, "null_scaled_chi2", p)


def _binned(values: list[Any], reference: Document) -> tuple[list[int], list[float]]:
    """Counts and reference probabilities: bins closed on the left, the last also on the right, the rest in the end bins."""
    edges = reference.get("bins", {}).get("edges")
    if edges is not None:
        probs = reference["bins"]["probs"]
        counts = [0] * len(probs)
        for value in values:
            inner = sum(value >= edge for edge in edges[1:-1])
            counts[inner] += 1
        return counts, probs
    shares = {"other": 0.0, **reference["probs"]}
    levels = [value if value in shares else "other" for value in values]
    return [levels.count(level) for level in shares], list(shares.values())


def _saturation(question: Question, n: int) -> Measure:
    entry = question.policy.reference(question.policy.baselines.get("score"), question.scope) or {}
    baseline = entry.get("saturation_share")
    if baseline is None:
        return Measure(n, reason="unknown_reference")
    sides = {"high": ("high",), "low": ("low",)}.get(question.metric.get("side", "both"), ("low", "high"))
    near = {"low": lambda s: s <= baseline["low_eps"], "high": lambda s: s >= 1 - baseline["high_eps"]}
    saturated = sum(any(near[side](row.score) for side in sides) for row in question.rows)
    return _share(question, saturated, n, {"ratio_to_baseline": sum(baseline[side] for side in sides)})


def _mismatch(question: Question, n: int) -> Measure:
    fields = question.metric.get("fields") or [question.metric["field"]]
    wrong = sum(any(_differs(row, name) for name in fields) or _wrong_release(row, question.type) for row in question.rows)
    return Measure(n, float(wrong), None, None, "count")


def _differs(row: Event, name: str) -> bool:
    wanted: Any = row.policy.release.get("identities", {})
    for part in IDENTITIES[name]:
        wanted = wanted.get(part) if isinstance(wanted, dict) else None
    sent = row.document.get(name)
    return sent is not None and wanted is not None and sent != wanted


def _wrong_release(row: Event, kind: str) -> bool:
    return kind == "identity_mismatch" and row.document["release_id"] != row.policy.release["release_id"]


def _proportion_cases(question: Question) -> list[bool]:
    """The cases of the named proportion, True where it succeeds."""
    event = question.metric["event"]
    if event == "sensitivity":
        return [row.alert for row, y in question.labelled if y == 1]
    if event == "specificity":
        return [not row.alert for row, y in question.labelled if y == 0]
    if event == "ppv":
        return [y == 1 for row, y in question.labelled if row.alert]
    return [y == 0 for row, y in question.labelled if not row.alert]


def _proportion(question: Question, n: int) -> Measure:
    return _share(question, sum(_proportion_cases(question)), n)


def _scores_labels(question: Question) -> tuple[intervals.Floats, intervals.Floats]:
    pairs = question.labelled
    return np.array([row.score for row, _ in pairs]), np.array([float(y) for _, y in pairs])


def _one_class(labels: intervals.Floats) -> str | None:
    if not labels.any():
        return "no_positives"
    return "no_negatives" if labels.all() else None


def _auroc(question: Question, n: int) -> Measure:
    scores, labels = _scores_labels(question)
    missing = _one_class(labels)
    if missing:
        return Measure(n, reason=missing)
    found = intervals.auroc_delong(scores, labels, question.level)
    if found is None:
        return Measure(n, reason="degenerate_outcomes")
    return Measure(n, found[0], *found[1], "delong_logit")


def _brier(question: Question, n: int) -> Measure:
    scores, labels = _scores_labels(question)
    if n < 2:
        return Measure(n, reason="degenerate_outcomes")
    squares = (scores - labels) ** 2
    lower, upper = intervals.mean_normal(squares, question.level)
    return Measure(n, float(squares.mean()), max(0.0, lower), min(1.0, upper), "normal")


def _observed_expected(question: Question, n: int) -> Measure:
    scores, labels = _scores_labels(question)
    expected = float(scores.sum())
    if expected == 0:
        return Measure(n, reason="no_exposure")
    lower, upper = intervals.poisson_exact(float(labels.sum()), question.level)
    return Measure(n, float(labels.sum()) / expected, lower / expected, upper / expected, "exact_poisson")


def _slope(question: Question, n: int) -> Measure:
    scores, labels = _scores_labels(question)
    missing = _one_class(labels)
    found = missing or intervals.cox_slope(scores, labels, question.level)
    if isinstance(found, str):
        return Measure(n, reason=found)
    return Measure(n, found[0], *found[1], "wald")


def _rate_ratio(question: Question, n: int) -> Measure:
    numerator, exposure = question.metric["numerator"], question.metric["exposure"]
    operational = question.policy.baselines.get("operational", {})
    entry = operational.get(f"{numerator}_per_100_{exposure}")
    if entry is None and numerator in ("alerts", "alert_onsets") and exposure == "encounters":
        entry = operational.get("alerts_per_100_encounters")
    if entry is None:
        return Measure(n, reason="unknown_reference")
    k, per_one = _count(question.rows, numerator), entry["value"] / 100
    if "n" not in entry:
        lower, upper = intervals.poisson_exact(k, question.level)
        return Measure(n, k / (n * per_one), lower / (n * per_one), upper / (n * per_one), "exact_poisson")
    reference_n, reference_k = entry["n"], entry["n"] * per_one
    low, high = intervals.clopper_pearson(k, k + reference_k, question.level)
    odds = [share / (1 - share) * reference_n / n if share < 1 else math.inf for share in (low, high)]
    return Measure(n, k / (n * per_one), odds[0], odds[1], "conditional_binomial")


def _rate(question: Question, n: int) -> Measure:
    numerator, denominator = question.metric["numerator"], question.metric["denominator"]
    k = _count(question.rows, numerator)
    if (numerator, denominator) in NESTED:
        return _share(question, k, n)
    lower, upper = intervals.poisson_exact(k, question.level)
    return Measure(n, k / n, lower / n, upper / n, "exact_poisson")


def _duplicates(question: Question, n: int) -> Measure:
    return Measure(n, sum(row.standing == "duplicates" for row in question.rows) / n, None, None, "share")


RULES: dict[str, Callable[[Question, int], Measure]] = {
    "missing_rate": _missing_rate,
    "psi": _psi,
    "saturation_share": _saturation,
    "identity_mismatch": _mismatch,
    "mismatch_count": _mismatch,
    "proportion_vs_floor": _proportion,
    "auroc": _auroc,
    "brier": _brier,
    "observed_expected": _observed_expected,
    "calibration_slope": _slope,
    "poisson_rate_ratio": _rate_ratio,
    "rate": _rate,
    "duplicate_rate": _duplicates,
}
