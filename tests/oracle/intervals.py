"""Intervals and small tests, each as its textbook writes it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
Interval = tuple[float, float]

QUANTILES = tuple(float(special.ndtri(q)) for q in (0.5, 0.95, 0.99))


def wilson(k: float, n: float, level: float) -> Interval:
    """Wilson score interval of k in n."""
    z = float(special.ndtri((1 + level) / 2))
    share, z2 = k / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(k: float, n: float, level: float) -> Interval:
    """Exact binomial interval; k and n may be real (beta quantiles)."""
    tail = (1 - level) / 2
    lower = 0.0 if k <= 0 else float(stats.beta.ppf(tail, k, n - k + 1))
    upper = 1.0 if k >= n else float(stats.beta.ppf(1 - tail, k + 1, n - k))
    return lower, upper


def confidence_sequence(k: float, n: float, level: float) -> Interval:
    """Shares p whose beta(1/2,1/2)-binomial mixture likelihood ratio stays below 1 / (1 - level)."""
    bound = math.log(1 / (1 - level))
    mixture = float(special.betaln(k + 0.5, n - k + 0.5) - special.betaln(0.5, 0.5))

    def excess(p: float) -> float:
        return mixture - float(special.xlogy(k, p) + special.xlog1py(n - k, -p)) - bound

    mode, tiny = k / n, 1e-12
    lower = 0.0 if k == 0 else float(optimize.brentq(excess, tiny, max(mode, 2 * tiny) if k < n else 1 - tiny, xtol=1e-13))
    upper = 1.0 if k == n else float(optimize.brentq(excess, mode if k > 0 else tiny, 1 - tiny, xtol=1e-13))
    return lower, upper


def poisson_exact(k: float, level: float) -> Interval:
    """Exact interval of a Poisson mean from a count."""
    tail = (1 - level) / 2
    lower = 0.0 if k <= 0 else float(stats.chi2.ppf(tail, 2 * k)) / 2
    return lower, float(stats.chi2.ppf(1 - tail, 2 * k + 2)) / 2


def tells_no_variance(mean: float, variance: float, n: float) -> bool:
    """Whether values from 0 to 1 with this variance are all alike: a millionth is what rounding makes."""
    return n <= 1 or variance <= 1e-6 or mean <= 0 or mean >= 1


def unit_mean(mean: float, variance: float, n: float, level: float) -> Interval:
    """Mean of n values from 0 to 1: Student's interval on the logit scale, Wilson's where they are all alike."""
    if tells_no_variance(mean, variance, n):
        return wilson(mean * n, n, level)
    half = float(stats.t.ppf((1 + level) / 2, max(n - 1, 1))) * math.sqrt(variance / n) / (mean * (1 - mean))
    lower, upper = special.expit([special.logit(mean) - half, special.logit(mean) + half])
    return float(lower), float(upper)


def cox_slope(scores: Floats, labels: Floats, level: float) -> tuple[float, Interval] | str:
    """Slope of labels on logit(score) with intercept, maximum likelihood and Wald; a reason where there is none."""
    x = special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    if np.ptp(x) == 0:
        return "degenerate_outcomes"
    ones, zeros = x[labels == 1], x[labels == 0]
    if ones.min() >= zeros.max() or zeros.min() >= ones.max():
        return "separation"
    design = np.column_stack([np.ones_like(x), x])
    beta, information = np.zeros(2), np.eye(2)
    for _ in range(100):
        fitted = special.expit(design @ beta)
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        step = np.linalg.solve(information, design.T @ (labels - fitted))
        beta = beta + step * min(1.0, 5.0 / float(np.abs(step).max() + 1e-300))
        if float(np.abs(step).max()) < 1e-12:
            break
    half = float(special.ndtri((1 + level) / 2)) * math.sqrt(float(np.linalg.inv(information)[1, 1]))
    return float(beta[1]), (float(beta[1]) - half, float(beta[1]) + half)


def count_p(count: int, expected: float, dispersion: float, tail: str = "both") -> float:
    """Mid-p of a count under a negative binomial with variance / mean = dispersion; `both` doubles the smaller tail."""
    law: Any = stats.poisson(expected) if dispersion <= 1 else stats.nbinom(expected / (dispersion - 1), 1 / dispersion)
    half = 0.5 * float(law.pmf(count))
    lower, upper = float(law.cdf(count)) - half, float(law.sf(count)) + half
    return {"lower": lower, "upper": upper, "both": min(1.0, 2 * min(lower, upper))}[tail]


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """Adjusted p values in the given order."""
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i])
    adjusted, running = [0.0] * count, 1.0
    for rank in range(count, 0, -1):
        running = min(running, p_values[order[rank - 1]] * count / rank)
        adjusted[order[rank - 1]] = running
    return adjusted


def latency_share(age_h: float, p50: float, p95: float, p99: float) -> float:
    """Share of labels that arrived by an age: normal quantile linear in log age through the three points, ends extended."""
    if age_h <= 0:
        return 0.0
    points = [(math.log(age), z) for age, z in zip((p50, p95, p99), QUANTILES, strict=True)]
    (x0, z0), (x1, z1) = points[:2] if math.log(age_h) < points[1][0] else points[1:]
    return float(special.ndtr(z0 + (math.log(age_h) - x0) * (z1 - z0) / (x1 - x0)))
