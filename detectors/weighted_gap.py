"""Gap of a proportion in a subgroup when only part of the cases is verified, by flag: weighted by inverse coverage.

Both shares are corrected (`effective_counts.CorrectedShare`), and their effective counts take the place of counts in
`subgroup_gap`: Newcombe's interval is built of the bounds of single shares and serves where these come from unequal weights,
too (Zou & Donner 2008, Stat. Med. 27:1693). Each bound and `p` take the size that holds for the side on which they lie. With
every case verified all numbers are those of `subgroup_gap`. PPV, which mixes no flagged and unflagged cases, needs none of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.effective_counts import CorrectedShare, Event, VerifiedCounts
from detectors.estimate import Outcome, Reason
from detectors.outcomes import Refusal, impossible_share, outcomes
from detectors.proportion import Method
from detectors.share_difference import DIFFERENCE_METHODS, difference_bounds, score_p
from detectors.subgroup_gap import bounds_to_baseline, p_of_baseline


@silent
def gap_to_overall(
    counts: VerifiedCounts,
    *,
    event: Event,
    method: Method = "wilson",
    level: float = 0.95,
) -> list[Outcome]:
    """Corrected share of each subgroup less that of all subgroups together, its own included; in [-1, 1].

    The cells are the subgroups of all cases. In the share of all, each case has the
    weight that it has in its own subgroup, so that subgroups may be verified to different degrees; one with a flag that nobody
    verified adds nothing to it. The gap is 1 - w times the difference to the other subgroups, w being the subgroup's part of
    the weighted cases. `n` counts the subgroup's verified cases of the event.

    Refusals as `VerifiedCounts.refusals`; `no_exposure` where no case of the event is verified, `unknown_reference` where there
    is none beside the subgroup.

    >>> counts = VerifiedCounts.of([70, 160], [50, 90], [3, 1], [97, 99], flagged=[120, 250], unflagged=[600, 900])
    >>> found = gap_to_overall(counts, event="sensitivity")[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), round(found.p, 3), found.n
    (-0.099, -0.252, 0.049, 0.16, 73)
    """
    own = CorrectedShare.of(counts, event)
    rest = own.others
    both = own.whole + rest.whole
    factor = rest.whole / np.where(both > 0, both, 1.0)
    difference = own.value - rest.value
    lower = difference_bounds(own.down, rest.up, method, level)[0]
    upper = difference_bounds(own.up, rest.down, method, level)[1]
    p = np.where(difference < 0, score_p(own.up, rest.down), score_p(own.down, rest.up))
    refusals: list[Refusal] = [
        *counts.refusals(),
        (own.whole == 0, Reason.NO_EXPOSURE),
        (rest.whole == 0, Reason.UNKNOWN_REFERENCE),
    ]
    named = f"inverse_coverage_{DIFFERENCE_METHODS[method]}"
    return outcomes(factor * difference, factor * lower, factor * upper, own.verified, named, refusals=refusals, p=p)


@silent
def gap_to_baseline(
    counts: VerifiedCounts,
    *,
    event: Event,
    share: ArrayLike,
    share_n: ArrayLike,
    method: Method = "wilson",
    level: float = 0.95,
) -> list[Outcome]:
    """Corrected share of each subgroup less its baseline, which is given as in `subgroup_gap`.

    Refusals as `VerifiedCounts.refusals`; `no_exposure` where no case of the event is verified, `unknown_reference` where the
    share is NaN or rests on no case, `degenerate_outcomes` where it is none.

    >>> counts = VerifiedCounts.of([70], [50], [3], [97], flagged=[120], unflagged=[600])
    >>> found = gap_to_baseline(counts, event="sensitivity", share=[0.95], share_n=[640])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), round(found.p, 3)
    (-0.155, -0.383, -0.028, 0.004)
    """
    own = CorrectedShare.of(counts, event)
    base, base_n = (np.broadcast_to(as_float(given), own.value.shape) for given in (share, share_n))
    value = own.value - base
    lower = bounds_to_baseline(*own.down, base, base_n, method, level)[0]
    upper = bounds_to_baseline(*own.up, base, base_n, method, level)[1]
    p = np.where(value < 0, p_of_baseline(*own.up, base, base_n), p_of_baseline(*own.down, base, base_n))
    refusals: list[Refusal] = [
        (np.isnan(base) | (base_n == 0), Reason.UNKNOWN_REFERENCE),
        (impossible_share(base, np.ones_like(base)) | (base_n < 0), Reason.DEGENERATE_OUTCOMES),
        *counts.refusals(),
        (own.whole == 0, Reason.NO_EXPOSURE),
    ]
    named = f"inverse_coverage_{DIFFERENCE_METHODS[method]}"
    return outcomes(value, lower, upper, own.verified, named, refusals=refusals, p=p)
