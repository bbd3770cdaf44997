"""Sites against the funnel of all sites when only part of the cases is verified, by flag: weighted by inverse coverage."""

from __future__ import annotations

import numpy as np

from detectors.arrays import silent
from detectors.effective_counts import CorrectedShare, Event, VerifiedCounts
from detectors.estimate import Outcome, Reason
from detectors.outcomes import Refusal, outcomes
from detectors.site_outlier import METHOD, funnel


@silent
def site_outlier(counts: VerifiedCounts, *, event: Event, level: float = 0.95) -> list[Outcome]:
    """Each site's corrected share, drawn towards that of all sites; one cell per site, all of them one family.

    The funnel is that of `site_outlier.site_outlier`, over-dispersion included, with corrected shares in the place of shares
    and effective cases (`CorrectedShare`, the fewer of both sides) in the place of cases: arcsines then have the variance
    1/(4n) again (Kish 1965). The target is the share of all sites' weighted cases. A site whose few verified unflagged cases
    showed none of a kind would lie at the very end of the scale, where the arcsine takes chance for certainty: half a case
    among those not verified keeps it off (`CorrectedShare.filled`). With every case verified all numbers are those of
    `site_outlier`. `n` counts verified cases of the event.

    Refusals as `VerifiedCounts.refusals`; `no_exposure` where no case of the event is verified, `unknown_reference` where
    fewer than three sites have any.

    >>> counts = VerifiedCounts.of([88, 91, 90, 87, 40], [20] * 5, [2, 1, 1, 2, 9], [198, 199, 199, 198, 191],
    ...                            flagged=[108, 111, 110, 107, 60], unflagged=[1000] * 5)
    >>> sites = site_outlier(counts, event="sensitivity")
    >>> [(round(site.value, 3), round(site.p, 3), site.n) for site in sites[-2:]]
    [(0.893, 0.553, 89), (0.499, 0.002, 49)]
    """
    share = CorrectedShare.of(counts, event)
    used = share.whole > 0
    size = np.where(used, np.minimum(share.size_down, share.size_up), 1.0)
    whole = float(share.whole.sum())
    target = float(share.inside.sum()) / whole if whole > 0 else 0.0
    placed = funnel(share.filled, size, min(target, 1.0), used, kind="share", level=level)
    refusals: list[Refusal] = [
        *counts.refusals(),
        (~used, Reason.NO_EXPOSURE),
        (placed.too_few, Reason.UNKNOWN_REFERENCE),
    ]
    named = f"inverse_coverage_{METHOD}"
    return outcomes(placed.value, placed.lower, placed.upper, share.verified, named, refusals=refusals, p=placed.p)
