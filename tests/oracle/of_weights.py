"""Calibration error, e-values of calibration, and measures whose labelled rows stand for those without a label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats

from .intervals import Floats, tells_no_variance, unit_mean
from .of_labels import one_class, scores_labels, weights
from .question import Measure, Question

GROUPS = 10
SHIFTS = (0.0, 0.1, -0.1, 0.25, -0.25, 0.6, -0.6, 1.5, -1.5)
TILTS = (0.0, 0.1, -0.1, 0.25, -0.25, 0.6, -0.6)
BETS = (0.03, 0.08, 0.2, 0.5, 1.25, 3.0)


@dataclass(frozen=True)
class _Group:
    """Rows of neighbouring scores: share of all weight, gap, its variance as found and under calibration, its fourth cumulant."""

    share: float
    gap: float
    found: float
    calibrated: float
    fourth: float


def calibration_error(question: Question, n: int) -> Measure:
    """Root of the debiased mean squared gap of ten groups; p by Satterthwaite's chi2 with the moments that the scores state."""
    scores, labels = scores_labels(question)
    weight = weights(question)
    e = calibration_e(scores, labels)
    groups = [_group(scores[own], labels[own], weight[own], float(weight.sum())) for own in _grouped(scores, weight)]
    square = sum(one.share * one.gap**2 for one in groups)
    value = math.sqrt(max(0.0, square - sum(one.share * one.found for one in groups)))
    mean = sum(one.share * one.calibrated for one in groups)
    variance = sum(one.share**2 * (2 * one.calibrated**2 + one.fourth) for one in groups)
    p = float(stats.chi2.sf(square * 2 * mean / variance, 2 * mean**2 / variance))
    return Measure(n, value, None, None, "calibration_error", p, e=e)


def _grouped(scores: Floats, weight: Floats) -> list[np.ndarray]:
    """Rows by tenths of the weight; a score stands where the middle of its rows does."""
    codes = np.empty(len(scores), int)
    for score in np.unique(scores):
        middle = weight[scores < score].sum() + weight[scores == score].sum() / 2
        codes[scores == score] = min(GROUPS - 1, int(GROUPS * middle / weight.sum()))
    return [codes == code for code in np.unique(codes)]


def _group(scores: Floats, labels: Floats, w: Floats, whole: float) -> _Group:
    s1, s2, s3 = (float((w**power).sum()) for power in (1, 2, 3))
    gap = float((w * (labels - scores)).sum()) / s1
    chance = scores * (1 - scores)
    calibrated = float((w**2 * chance).sum()) / s1**2
    short = 1 - 2 * s3 / (s1 * s2) + s2 / s1**2
    found = float((w**2 * (labels - scores - gap) ** 2).sum()) / s1**2 / short if len(w) > 1 else calibrated
    fourth = float((w**4 * chance * (1 - 6 * chance)).sum()) / s1**4
    return _Group(s1 / whole, gap, found, calibrated, fourth)


def calibration_e(scores: Floats, labels: Floats) -> float:
    """Mean over bets that the odds are those of the score times exp(shift + tilt · logit)."""
    logits, logs = special.logit(scores), []
    for shift in SHIFTS:
        for tilt in TILTS:
            bet = special.expit(logits + shift + tilt * logits)
            logs.append(float(np.where(labels == 1, np.log(bet / scores), np.log((1 - bet) / (1 - scores))).sum()))
    return math.exp(float(special.logsumexp(logs[1:])) - math.log(len(logs) - 1))


def spiegelhalter_e(scores: Floats, labels: Floats) -> float:
    """Bennett's supermartingale of the sum of (y - p)(1 - 2p), whose terms lie in [-1/8, 1], over bets on both sides."""
    total = float(((labels - scores) * (1 - 2 * scores)).sum())
    variance = float((scores * (1 - scores) * (1 - 2 * scores) ** 2).sum())
    logs = [
        sign * bet * total - variance * (math.exp(bet * most) - 1 - bet * most) / most**2
        for sign, most in ((1, 1.0), (-1, 0.125))
        for bet in BETS
    ]
    return math.exp(float(special.logsumexp(logs)) - math.log(len(logs)))


def observed_expected(question: Question, n: int) -> Measure:
    """Weighted positives over weighted scores, with the gamma interval of Fay & Feuer (1997)."""
    scores, labels = scores_labels(question)
    w = weights(question)
    expected, observed, variance, largest = (w * scores).sum(), (w * labels).sum(), (w**2 * labels).sum(), w.max()
    if expected == 0:
        return Measure(n, reason="no_exposure")
    tail = (1 - question.level) / 2
    lower = variance / (2 * observed) * stats.chi2.ppf(tail, 2 * observed**2 / variance) if observed else 0.0
    above, spread = observed + largest, variance + largest**2
    upper = spread / (2 * above) * stats.chi2.ppf(1 - tail, 2 * above**2 / spread)
    return Measure(n, float(observed / expected), float(lower / expected), float(upper / expected), "gamma")


def brier(question: Question, n: int) -> Measure:
    """Weighted mean of squares, its variance that of the weighted residuals, of (sum w)^2 / sum w^2 rows."""
    scores, labels = scores_labels(question)
    w, squares = weights(question), (scores - labels) ** 2
    total, total2 = float(w.sum()), float((w**2).sum())
    value, worth = float((w * squares).sum()) / total, total**2 / total2
    variance = float((w**2 * (squares - value) ** 2).sum()) / total2 * worth / (worth - 1) if worth > 1 else 0.0
    alike = tells_no_variance(value, variance, worth)
    if alike and question.corrected:
        return Measure(n, reason="degenerate_outcomes")
    lower, upper = unit_mean(value, variance, worth, question.level)
    sd = math.sqrt(variance / worth) / (value * (1 - value)) if not alike else None
    return Measure(n, value, lower, upper, "student_logit", _worse(question, value, sd, worth, up=True))


def spiegelhalter(question: Question, n: int) -> Measure:
    """Weighted sum over the root of the sum of squared weights times variances."""
    scores, labels = scores_labels(question)
    w = weights(question)
    variance = float((w**2 * (1 - 2 * scores) ** 2 * scores * (1 - scores)).sum())
    if variance <= 0:
        return Measure(n, reason="degenerate_outcomes")
    z = float((w * (labels - scores) * (1 - 2 * scores)).sum()) / math.sqrt(variance)
    half = float(special.ndtri((1 + question.level) / 2))
    p = float(2 * stats.norm.sf(abs(z)))
    return Measure(n, z, z - half, z + half, "spiegelhalter_z", p, e=spiegelhalter_e(scores, labels))


def slope(question: Question, n: int) -> Measure:
    """Weighted maximum likelihood of the joint fit, with the sandwich variance."""
    scores, labels = scores_labels(question)
    if one_class(labels):
        return Measure(n, reason=one_class(labels))
    w, x = weights(question), special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    design = np.column_stack([np.ones_like(x), x])

    def gradient(beta: Floats) -> Floats:
        found: Floats = design.T @ (w * (special.expit(design @ beta) - labels))
        return found

    beta = optimize.root(gradient, np.array([0.0, 1.0]), tol=1e-13).x
    fitted = special.expit(design @ beta)
    bread = np.linalg.inv(design.T @ (design * (w * fitted * (1 - fitted))[:, None]))
    meat = design.T @ (design * (w * (labels - fitted))[:, None] ** 2)
    half = float(special.ndtri((1 + question.level) / 2)) * math.sqrt(float((bread @ meat @ bread)[1, 1]))
    return Measure(n, float(beta[1]), float(beta[1]) - half, float(beta[1]) + half, "sandwich")


def intercept(question: Question, n: int) -> Measure:
    scores, labels = scores_labels(question)
    if one_class(labels):
        return Measure(n, reason=one_class(labels))
    w, offset = weights(question), special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    value = float(optimize.brentq(lambda a: float((w * (special.expit(a + offset) - labels)).sum()), -60, 60, xtol=1e-12))
    fitted = special.expit(value + offset)
    spread = math.sqrt(float((w**2 * (labels - fitted) ** 2).sum())) / float((w * fitted * (1 - fitted)).sum())
    half = float(special.ndtri((1 + question.level) / 2)) * spread
    return Measure(n, value, value - half, value + half, "sandwich")


def auroc(question: Question, n: int) -> Measure:
    """Weighted Mann-Whitney area; DeLong's variance of weighted placements, on the logit scale."""
    scores, labels = scores_labels(question)
    if one_class(labels):
        return Measure(n, reason=one_class(labels))
    w, wins = weights(question), wins_of(scores, labels)
    wp, wn = w[labels == 1], w[labels == 0]
    area = float(wp @ wins @ wn / (wp.sum() * wn.sum()))
    if len(wp) < 2 or len(wn) < 2 or area in (0.0, 1.0):
        return Measure(n, reason="degenerate_outcomes")
    placements = ((wp, wins @ wn / wn.sum()), (wn, wp @ wins / wp.sum()))
    variance = sum(_mean_variance(question, own, placed - area) for own, placed in placements)
    sd, centre = math.sqrt(variance) / (area * (1 - area)), float(special.logit(area))
    half = float(special.ndtri((1 + question.level) / 2)) * sd
    bounds = special.expit([centre - half, centre + half])
    return Measure(n, area, float(bounds[0]), float(bounds[1]), "delong_logit", _worse(question, area, sd, up=False))


def wins_of(scores: Floats, labels: Floats) -> Floats:
    """1 where a positive (row) lies above a negative (column), 1/2 where they are tied."""
    ones, zeros = scores[labels == 1][:, None], scores[labels == 0]
    found: Floats = (ones > zeros) + 0.5 * (ones == zeros)
    return found


def _mean_variance(question: Question, w: Floats, residuals: Floats) -> float:
    """Variance of a mean from its residuals, with n / (n - 1) where no row stands for others."""
    short = 1.0 if question.corrected else 1 - 1 / len(w)
    return float((w**2 * residuals**2).sum()) / float(w.sum()) ** 2 / short


def _worse(question: Question, value: float, sd: float | None, n: float = math.inf, *, up: bool) -> float | None:
    """p, one-sided towards harm, of the difference of logits from the validated number; Student's of n rows.

    `sd` is that of the value's logit; without one it is the score test of a share of n.
    """
    entry = next((one for one in question.policy.baselines.get("metrics", []) if one["id"] == question.type), None)
    if entry is None:
        return None
    overall = entry["overall"]
    reference = float(overall["value"])
    reference_sd = float(np.diff(overall["ci95"])[0]) / 2 / 1.96 if "ci95" in overall else 0.0
    sign = 1 if up else -1
    if sd is None:
        return float(stats.norm.sf(sign * (value - reference) / math.sqrt(reference * (1 - reference) / n + reference_sd**2)))
    both = math.hypot(sd, reference_sd / (reference * (1 - reference)))
    difference = float(special.logit(value) - special.logit(reference))
    return float(stats.t.sf(sign * difference / both, max(n - 1, 1) * (both / sd) ** 4))
