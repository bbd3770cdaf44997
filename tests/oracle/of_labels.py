"""Performance and calibration on labelled rows."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from . import intervals
from .intervals import Floats
from .policy import Document
from .question import Measure, Question


def event_of(metric: Document) -> str | None:
    """The proportion that a metric names; gaps, and funnels that are of no rate, are of sensitivity unless they say otherwise."""
    default = "sensitivity" if metric["type"] in ("subgroup_gap", "site_outlier") and "numerator" not in metric else None
    found: str | None = metric.get("event", default)
    return found


def proportion_cases(question: Question) -> list[bool]:
    """The cases of the named proportion, True where it succeeds."""
    event = event_of(question.metric)
    if event == "sensitivity":
        return [row.alert for row, y in question.labelled if y == 1]
    if event == "specificity":
        return [not row.alert for row, y in question.labelled if y == 0]
    if event == "ppv":
        return [y == 1 for row, y in question.labelled if row.alert]
    return [y == 0 for row, y in question.labelled if not row.alert]


def proportion(question: Question, n: int) -> Measure:
    if question.corrected and question.metric["event"] != "ppv":
        return _begg_greenes(question, n)
    return question.share(sum(proportion_cases(question)), n)


def _begg_greenes(question: Question, n: int) -> Measure:
    """The share with flagged and unflagged cases weighted by their inverse coverage; logit interval by the delta method."""
    rows = question.rows
    inferences = [sum(row.alert is flag for row in rows) for flag in (False, True)]
    cells = [
        [sum(row.alert is flag and y == label for row, y in question.labelled) for label in (0, 1)] for flag in (False, True)
    ]
    if min(sum(cell) for cell in cells) == 0:
        return Measure(n, reason="verification_bias")
    event = question.metric["event"]
    if event == "npv":
        negatives, positives = cells[0]
        low, high = _logit_bounds(*_halved(negatives, positives), None, question.level)
        return Measure(n, negatives / (negatives + positives), low, high, "begg_greenes_logit")
    inside, outside = (True, False) if event == "sensitivity" else (False, True)
    label = int(event == "sensitivity")
    weighted = [inferences[flag] * cells[flag][label] / sum(cells[flag]) for flag in (inside, outside)]
    low, high = _share_bounds(inferences, cells, inside, label, question.level)
    return Measure(n, weighted[0] / sum(weighted), low, high, "begg_greenes_logit")


def _share_bounds(inferences: list[int], cells: list[list[int]], inside: bool, label: int, level: float) -> tuple[float, float]:
    """Logit of the share = logit of the flag's share + ln of the label's share inside - ln of it outside, all independent."""
    flags = _halved(inferences[inside], inferences[not inside])
    (a, b), (c, d) = (_halved(cells[flag][label], cells[flag][1 - label]) for flag in (inside, not inside))
    centre = math.log(flags[0] / flags[1]) + math.log(a / (a + b)) - math.log(c / (c + d))
    variance = 1 / flags[0] + 1 / flags[1] + b / (a * (a + b)) + d / (c * (c + d))
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(variance)
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def _logit_bounds(good: float, bad: float, _: None, level: float) -> tuple[float, float]:
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(1 / good + 1 / bad)
    return float(special.expit(math.log(good / bad) - half)), float(special.expit(math.log(good / bad) + half))


def _halved(one: float, other: float) -> tuple[float, float]:
    """For the interval alone, half a case in both cells where one is empty."""
    return (one + 0.5, other + 0.5) if 0 in (one, other) else (one, other)


def scores_labels(question: Question) -> tuple[Floats, Floats]:
    pairs = question.labelled
    return np.array([row.score for row, _ in pairs]), np.array([float(y) for _, y in pairs])


def weights(question: Question) -> Floats:
    """One for each labelled row, or with begg_greenes the inverse coverage of its flag in the window."""
    if not question.corrected:
        return np.ones(len(question.labelled))
    inverse = {}
    for flag in (False, True):
        labelled = sum(row.alert is flag for row, _ in question.labelled)
        inverse[flag] = sum(row.alert is flag for row in question.rows) / labelled if labelled else 0.0
    return np.array([inverse[row.alert] for row, _ in question.labelled])


def one_class(labels: Floats) -> str | None:
    if not labels.any():
        return "no_positives"
    return "no_negatives" if labels.all() else None


def observed_expected(question: Question, n: int) -> Measure:
    scores, labels = scores_labels(question)
    expected = float(scores.sum())
    if expected == 0:
        return Measure(n, reason="no_exposure")
    lower, upper = intervals.poisson_exact(float(labels.sum()), question.level)
    return Measure(n, float(labels.sum()) / expected, lower / expected, upper / expected, "exact_poisson")


def slope(question: Question, n: int) -> Measure:
    scores, labels = scores_labels(question)
    missing = one_class(labels)
    found = missing or intervals.cox_slope(scores, labels, question.level)
    if isinstance(found, str):
        return Measure(n, reason=found)
    return Measure(n, found[0], *found[1], "wald")


def intercept(question: Question, n: int) -> Measure:
    """Calibration in the large: the intercept that makes expected positives equal observed ones, slope fixed at 1."""
    scores, labels = scores_labels(question)
    missing = one_class(labels)
    if missing:
        return Measure(n, reason=missing)
    offset = special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    value = float(optimize.brentq(lambda a: float(special.expit(a + offset).sum() - labels.sum()), -60, 60, xtol=1e-12))
    fitted = special.expit(value + offset)
    half = float(special.ndtri((1 + question.level) / 2)) / math.sqrt(float((fitted * (1 - fitted)).sum()))
    return Measure(n, value, value - half, value + half, "wald")
