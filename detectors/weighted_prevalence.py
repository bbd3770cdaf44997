"""Share of positives when only part of the cases is labelled, by flag: weighted by inverse coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.effective_counts import CorrectedShare, VerifiedCounts
from detectors.estimate import Outcome
from detectors.outcomes import outcomes
from detectors.proportion import Method, share_bounds
from detectors.subgroup_gap import p_of_baseline


@silent
def prevalence(
    counts: VerifiedCounts,
    *,
    reference: ArrayLike = np.nan,
    reference_n: ArrayLike = np.nan,
    method: Method = "wilson",
    level: float = 0.95,
) -> list[Outcome]:
    """Shares of positives of the flagged and of the unflagged, each weighted by its inferences (Begg & Greenes 1983).

    Interval and `p` are those of `prevalence.prevalence` on effective counts, so with every
    case labelled they are the same. A confidence sequence of effective counts is an asymptotic one (Waudby-Smith et al. 2024,
    Ann. Stat. 52:2613). `n` counts labelled cases. Refusals as `VerifiedCounts.refusals`.

    >>> counts = VerifiedCounts.of([80], [20], [5], [95], flagged=[100], unflagged=[1000])
    >>> found = prevalence(counts, reference=[0.061], reference_n=[55_000])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), round(found.p, 4), found.n
    (0.118, 0.083, 0.168, 0.0003, 200)
    """
    share = CorrectedShare.of(counts, "prevalence")
    known, known_n = (np.broadcast_to(as_float(given), share.value.shape) for given in (reference, reference_n))
    lower, upper = share_bounds(*share.down, method, level)[0], share_bounds(*share.up, method, level)[1]
    p = np.where(known > share.value, p_of_baseline(*share.up, known, known_n), p_of_baseline(*share.down, known, known_n))
    named = f"inverse_coverage_{method}"
    return outcomes(share.value, lower, upper, share.verified, named, refusals=counts.refusals(), p=p)
