"""Label-free performance: what accuracy the scores themselves promise, if every score is the probability it claims to be.

Confidence-based performance estimation: with independent outcomes, case i being positive with probability score_i, every cell
of the confusion matrix is a Poisson-binomial count, its mean a sum of scores (Kivimaki et al. 2024, arXiv:2407.08649). The
value is the ratio of expected counts; the bounds hold what the labels of these very cases would show, with probability
`level`: those of shares from quantiles of the Poisson-binomial by its normal approximation refined for skewness (Hong 2013,
CSDA 59:41), with continuity correction. An estimate in place of an observation: where the scores are not calibrated it is
wrong, and nothing in it says so.

Cases come as counts and sums of score in millionths per bin of the sketch, by flag: (C, 2, B), unflagged first, and rising in
score. Within a bin every case has the bin's mean score, and counts as tied. `n` is the number of cases.

Refused everywhere: `no_exposure` where there is no case, `degenerate_outcomes` where counts and sums are none that cases give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds, normal_quantile
from detectors.outcomes import Refusal, outcomes

METHOD = "cbpe"
Share = Literal["sensitivity", "specificity", "ppv", "npv"]


@silent
def share(of: Share, count: ArrayLike, sum_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Sensitivity, specificity, PPV or NPV at the flag.

    `no_positives`, `no_negatives` where the scores expect none; `no_exposure` where PPV or NPV have no case.

    >>> found = share("sensitivity", [[[90, 0], [0, 10]]], [[[4_500_000, 0], [0, 8_000_000]]])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.64, 0.417, 0.956)
    """
    cases = _Cases.of(count, sum_micro)
    inside, outside, none = _parts(of, cases)
    whole = inside.mean + outside.mean
    if of in ("ppv", "npv"):
        # The denominator is known: only the count inside is random.
        low, high = inside.bounds(level)
        lower, upper = low / np.where(whole > 0, whole, 1.0), high / np.where(whole > 0, whole, 1.0)
    else:
        lower, upper = _ratio_bounds(inside, outside, level)
    value = inside.mean / np.where(whole > 0, whole, 1.0)
    lower, upper = np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)
    return outcomes(value, lower, upper, cases.n, METHOD, refusals=[*cases.refusals(), (~(whole > 0), none)])


@silent
def brier(count: ArrayLike, sum_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Mean of p (1 - p), what the mean of (p - y)^2 is expected to be.

    >>> found = brier([[[90, 0], [0, 10]]], [[[4_500_000, 0], [0, 8_000_000]]])[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.0587, 0.0194, 0.0981)
    """
    cases = _Cases.of(count, sum_micro)
    size = np.where(cases.n > 0, cases.n, 1.0)
    spread = cases.p * (1.0 - cases.p)
    mean = (cases.count * spread).sum(axis=(1, 2)) / size
    variance = (cases.count * spread * (1.0 - 2.0 * cases.p) ** 2).sum(axis=(1, 2)) / size**2
    reach = normal_quantile(level) * np.sqrt(variance)
    lower, upper = np.maximum(mean - reach, 0.0), np.minimum(mean + reach, 1.0)
    return outcomes(mean, lower, upper, cases.n, METHOD, refusals=cases.refusals())


@silent
def auroc(count: ArrayLike, sum_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Expected pairs in the right order over expected pairs, ties counting half; no case is a pair with itself.

    Its interval is normal on the logit scale, the variance that of the ratio's first-order (Hajek) projection on the outcomes.
    `no_positives`, `no_negatives` where the scores expect none, `degenerate_outcomes` where there is no pair of cases.

    >>> found = auroc([[[60, 20], [0, 20]]], [[[3_000_000, 6_000_000], [0, 14_000_000]]])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.807, 0.713, 0.875)
    """
    cases = _Cases.of(count, sum_micro)
    n, positives = cases.count.sum(axis=1), (cases.count * cases.p).sum(axis=1)
    negatives = n - positives
    self_pairs = (cases.count * cases.p * (1.0 - cases.p)).sum(axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    ordered = (positives * (below + negatives / 2.0) - self_pairs / 2.0).sum(axis=1)
    total_pos, total_neg = positives.sum(axis=1), negatives.sum(axis=1)
    pairs = total_pos * total_neg - self_pairs.sum(axis=1)
    some = pairs > 0
    area = np.where(some, ordered / np.where(some, pairs, 1.0), 0.5)
    variance = _area_variance(cases, positives, negatives, area, np.where(some, pairs, 1.0))
    lower, upper = _logit_bounds(area, variance, normal_quantile(level))
    refusals = [
        *cases.refusals(),
        (total_pos <= 0, Reason.NO_POSITIVES),
        (total_neg <= 0, Reason.NO_NEGATIVES),
        (~some, Reason.DEGENERATE_OUTCOMES),
    ]
    return outcomes(np.clip(area, 0.0, 1.0), lower, upper, cases.n, METHOD, refusals=refusals)


@dataclass(frozen=True, slots=True)
class _Count:
    """A Poisson-binomial count in each cell (C,): its first three central moments and its largest value."""

    mean: Float
    variance: Float
    third: Float
    most: Float

    @staticmethod
    def of(count: Float, p: Float) -> _Count:
        spread = count * p * (1.0 - p)
        return _Count((count * p).sum(axis=1), spread.sum(axis=1), (spread * (1.0 - 2.0 * p)).sum(axis=1), count.sum(axis=1))

    def bounds(self, level: float) -> Bounds:
        """Quantiles at both ends of the level."""
        z = normal_quantile(level)
        sd = np.sqrt(self.variance)
        certain = self.variance <= 0
        skew = np.where(certain, 0.0, self.third / np.where(certain, 1.0, sd**3))
        # Beyond one sd of shift the expansion is no quantile any more: so few events are expected that 0 is the lower end.
        shift = np.clip(skew * (z * z - 1.0) / 6.0, -1.0, 1.0)
        half = np.where(certain, 0.0, 0.5)
        lower = np.clip(self.mean + sd * (shift - z) - half, 0.0, self.mean)
        upper = np.clip(self.mean + sd * (shift + z) + half, self.mean, np.maximum(self.most, self.mean))
        return lower, upper


@dataclass(frozen=True, slots=True)
class _Cases:
    """Cases by flag and bin (C, 2, B) and the mean score of each bin's; `n` (C,)."""

    count: Float
    p: Float
    n: Float
    unsound: Bool

    @staticmethod
    def of(count: ArrayLike, sum_micro: ArrayLike) -> _Cases:
        rows, scores = as_float(count), as_float(sum_micro) / MICRO
        wrong = ~((rows >= 0) & np.isfinite(rows) & (scores >= 0) & (scores <= rows * (1.0 + 1e-9)))
        p = np.where(rows > 0, np.clip(scores / np.where(rows > 0, rows, 1.0), 0.0, 1.0), 0.0)
        return _Cases(rows, p, rows.sum(axis=(1, 2)), np.any(wrong, axis=(1, 2)))

    def refusals(self) -> tuple[Refusal, ...]:
        return ((self.unsound, Reason.DEGENERATE_OUTCOMES), (self.n == 0, Reason.NO_EXPOSURE))

    def positives(self, flag: int) -> _Count:
        return _Count.of(self.count[:, flag], self.p[:, flag])

    def negatives(self, flag: int) -> _Count:
        return _Count.of(self.count[:, flag], 1.0 - self.p[:, flag])


def _parts(of: Share, cases: _Cases) -> tuple[_Count, _Count, Reason]:
    """The counts inside and outside of a share, and the reason where both are nothing."""
    if of == "sensitivity":
        return cases.positives(1), cases.positives(0), Reason.NO_POSITIVES
    if of == "specificity":
        return cases.negatives(0), cases.negatives(1), Reason.NO_NEGATIVES
    if of == "ppv":
        return cases.positives(1), cases.negatives(1), Reason.NO_EXPOSURE
    return cases.negatives(0), cases.positives(0), Reason.NO_EXPOSURE


def _ratio_bounds(inside: _Count, outside: _Count, level: float) -> Bounds:
    """Bounds of inside / (inside + outside), both random: the bounds of both counts joined on the logarithmic scale of their
    ratio (MOVER, Donner & Zou 2012, Stat. Methods Med. Res. 21:347)."""
    logs = [np.log(np.stack([*one.bounds(level), one.mean])) for one in (inside, outside)]
    (low, high, log_in), (other_low, other_high, log_out) = logs
    odds = log_in - log_out
    down = np.hypot(np.where(np.isfinite(log_in), log_in - low, 0.0), np.where(np.isfinite(log_out), other_high - log_out, 0.0))
    up = np.hypot(np.where(np.isfinite(log_in), high - log_in, 0.0), np.where(np.isfinite(log_out), log_out - other_low, 0.0))
    return 1.0 / (1.0 + np.exp(-(odds - down))), 1.0 / (1.0 + np.exp(-(odds + up)))


def _area_variance(cases: _Cases, positives: Float, negatives: Float, area: Float, pairs: Float) -> Float:
    """Sum of p (1 - p) x the squared change of ordered / pairs when one case turns from negative to positive."""
    count = np.where(cases.count > 0, cases.count, 0.0)
    below = np.cumsum(negatives, axis=1) - negatives / 2.0
    above = positives.sum(axis=1, keepdims=True) - np.cumsum(positives, axis=1) + positives / 2.0
    # The case itself is in its bin's sums with p and 1 - p, at half weight as a tie.
    ordered = below[:, None] - above[:, None] + (2.0 * cases.p - 1.0) / 2.0
    balance = (negatives.sum(axis=1) - positives.sum(axis=1))[:, None, None] + (2.0 * cases.p - 1.0)
    change = (ordered - area[:, None, None] * balance) / pairs[:, None, None]
    found: Float = (count * cases.p * (1.0 - cases.p) * change**2).sum(axis=(1, 2))
    return found


def _logit_bounds(area: Float, variance: Float, z: float) -> Bounds:
    inner = (area > 0) & (area < 1)
    safe = np.where(inner, area, 0.5)
    logit = np.log(safe / (1.0 - safe))
    reach = np.minimum(z * np.sqrt(np.maximum(variance, 0.0)) / (safe * (1.0 - safe)), 700.0)
    lower, upper = 1.0 / (1.0 + np.exp(-(logit - reach))), 1.0 / (1.0 + np.exp(-(logit + reach)))
    return np.where(inner, lower, np.clip(area, 0.0, 1.0)), np.where(inner, upper, np.clip(area, 0.0, 1.0))
