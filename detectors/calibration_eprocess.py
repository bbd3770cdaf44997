"""E-process against calibration: bets on the outcomes at the odds that the scores name, valid at every look at once."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, Float, as_float, silent
from detectors.estimate import LARGEST_E, Outcome, Reason
from detectors.occupied import Occupied
from detectors.outcomes import outcomes
from detectors.score_sketch import SKETCH_BINS, sketch_logit

_LARGEST_LOG_E = np.log(LARGEST_E)

_SHIFTS = (0.0, 0.1, 0.25, 0.6, 1.5)
_TILTS = (0.0, 0.1, 0.25, 0.6)


@silent
def calibration_eprocess(neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike) -> list[Outcome]:
    """`e` against "every outcome is 1 with the probability that its score names"; the value and both bounds are its logarithm.

    Counts of both labels and sums of score in millionths per bin of the sketch, all (C, SKETCH_BINS). A fixed bet says that
    in bin b the odds are those of the score times e^l_b with l_b = shift + tilt x logit_b. On one outcome it wins
    e^(l y) / (1 + p (e^l - 1)), which is 1 on average where p is right, so its product over the rows is a martingale, and so
    is the mean over a fixed grid of shifts and tilts (betting: Waudby-Smith & Ramdas 2024, JRSS B 86:1; mixtures of fixed
    bets: Shafer et al. 2011, Stat. Sci. 26:84). -ln(1 + p c) is convex in p, so the mean score of a bin's rows gives at most
    the rows' own product: what is returned never exceeds that martingale, needs no row and no order of rows, and by Ville's
    inequality P(e >= 1/alpha at any time) <= alpha.

    `no_exposure` where there is no row, `degenerate_outcomes` where counts or sums are none that rows can give.

    >>> from detectors.score_sketch import SKETCH_BINS
    >>> neg, pos, total = np.zeros((3, 1, SKETCH_BINS), dtype=np.int64)
    >>> neg[0, 129], pos[0, 129], total[0, 129] = 60, 40, 50_000_000
    >>> found = calibration_eprocess(neg, pos, total)[0]
    >>> round(found.value, 3), round(found.e, 3)
    (0.46, 1.583)
    """
    negatives, positives = np.atleast_2d(as_float(neg)), np.atleast_2d(as_float(pos))
    scores, total = np.atleast_2d(as_float(sum_micro)) / MICRO, negatives + positives
    wrong = ~((negatives >= 0) & (positives >= 0) & np.isfinite(total) & (scores >= 0) & (scores <= total * (1 + 1e-9)))
    bins = Occupied.of(negatives, positives)
    rows, events = bins.pick(total), bins.pick(positives)
    mean = np.minimum(bins.pick(scores) / rows, 1.0)
    column = bins.pick(np.arange(SKETCH_BINS)).astype(np.intp)
    won = [bins.sum(events * bet[column] - rows * np.log1p(mean * np.expm1(bet)[column])) for bet in _bets()]
    log_e = special.logsumexp(np.stack(won, axis=-1), axis=-1) - np.log(len(won))
    n = total.sum(axis=1)
    refusals = [(wrong.any(axis=1), Reason.DEGENERATE_OUTCOMES), (n == 0, Reason.NO_EXPOSURE)]
    e = np.exp(np.minimum(log_e, _LARGEST_LOG_E))
    return outcomes(log_e, log_e, log_e, n, "calibration_eprocess", refusals=refusals, e=e)


@cache
def _bets() -> Float:
    """Log odds ratio of each bet at each bin, (bets, SKETCH_BINS): every shift with every tilt, but for none of either."""
    shifts, tilts = (np.array([sign * size for size in sizes for sign in (1, -1)]) for sizes in (_SHIFTS, _TILTS))
    grid = {(shift, tilt) for shift in shifts.tolist() for tilt in tilts.tolist()} - {(0.0, 0.0)}
    bets = np.array([shift + tilt * sketch_logit() for shift, tilt in sorted(grid)])
    bets.flags.writeable = False
    return bets
