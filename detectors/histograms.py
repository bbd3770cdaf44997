"""A window's bins beside those of its reference, as counts: one smoothing and one set of refusals for every distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float
from detectors.estimate import Reason
from detectors.outcomes import Refusal

_PROBABILITY_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Histograms:
    """Counts of a window and of its reference over the same bins, both (C, B), with their totals `n` and `m`, both (C,).

    Cells that are refused hold harmless numbers in place of what came in.
    """

    counts: Float
    reference: Float
    n: Float
    m: Float
    refusals: Sequence[Refusal]

    @property
    def degrees(self) -> int:
        """Degrees of freedom of a comparison of the two."""
        return max(int(self.counts.shape[1]) - 1, 1)

    @property
    def field_shares(self) -> Float:
        """Shares of the window, (c + 1/2) / (n + B/2): posterior means under the prior of Jeffreys (1946, Proc. R. Soc. A
        186:453).
        """
        return _smooth(self.counts, self.n)

    @property
    def reference_shares(self) -> Float:
        """Shares of the reference, smoothed in the same way."""
        return _smooth(self.reference, self.m)

    @property
    def scale(self) -> Float:
        """The size nm / (n + m) by which a squared distance of two samples is multiplied to have its null distribution."""
        return self.m * (self.n / (self.n + self.m))

    def upper_tail(self, statistic: Float) -> Float:
        """P(chi2 with B-1 degrees of freedom >= statistic)."""
        found: Float = special.chdtrc(self.degrees, statistic)
        return found

    @property
    def pearson_p(self) -> Float:
        """Upper tail of the chi2 of the 2 x B table of the counts as they are (Pearson 1911, Biometrika 8:250).

        A bin that is empty in both adds nothing.
        """
        total = self.counts + self.reference
        weight = np.sqrt(self.m / np.where(self.n > 0, self.n, self.m))[:, None]
        gap = self.counts * weight - self.reference / weight
        return self.upper_tail((gap**2 / np.where(total > 0, total, 1.0)).sum(axis=1))


def histograms(counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike) -> Histograms:
    """The two histograms from a window's counts (C, B) and a reference of `reference_n` rows (C,) with shares (C, B).

    `no_exposure` where the window is empty; `unknown_reference` where reference_n <= 0, where there are fewer than two bins
    or the probabilities are none; `degenerate_outcomes` where a count is negative.

    >>> found = histograms([[3, 1], [0, 0]], [[0.5, 0.5]] * 2, [8, 8])
    >>> found.reference[0].tolist(), found.field_shares[0].tolist(), found.pearson_p[0].round(4)
    ([4.0, 4.0], [0.7, 0.3], np.float64(0.4076))
    """
    c, probs, m = np.atleast_2d(as_float(counts)), np.atleast_2d(as_float(reference_probs)), np.atleast_1d(as_float(reference_n))
    known = _known_reference(probs, m)
    impossible = ~np.all(np.isfinite(c) & (c >= 0), axis=1)
    c = np.where(impossible[:, None], 0.0, c)
    n, size = c.sum(axis=1), np.where(known, m, 1.0)
    shares = np.where(known[:, None], probs, 1.0 / max(c.shape[1], 1))
    refusals = [
        (impossible, Reason.DEGENERATE_OUTCOMES),
        (n == 0, Reason.NO_EXPOSURE),
        (~known, Reason.UNKNOWN_REFERENCE),
    ]
    return Histograms(c, shares * size[:, None], n, size, refusals)


def _known_reference(probs: Float, m: Float) -> Bool:
    if probs.shape[1] < 2:
        return np.zeros(len(m), dtype=np.bool_)
    proper: Bool = np.all(np.isfinite(probs) & (probs >= 0), axis=1)
    total = np.where(proper[:, None], np.minimum(probs, 2.0), 0.0).sum(axis=1)
    known: Bool = proper & np.isfinite(m) & (m > 0) & (m <= 2.0**63) & (np.abs(total - 1.0) <= _PROBABILITY_TOLERANCE)
    return known


def _smooth(counts: Float, total: Float) -> Float:
    smoothed: Float = (counts + 0.5) / (total + counts.shape[1] / 2.0)[:, None]
    return smoothed
