"""Sites against the funnel of all sites, with over-dispersion: which one differs by more than sites do."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import impossible_share, outcomes

_WINSORISED = 0.1
"""Share of the sites at each end that are drawn in, so that an outlier does not widen the funnel that it is judged by."""
_FEWEST_SITES = 3

Kind = Literal["share", "rate"]
METHOD = "funnel_empirical_bayes"


@silent
def site_outlier(k: ArrayLike, n: ArrayLike, *, kind: Kind = "share", level: float = 0.95) -> list[Outcome]:
    """Each site's share (or rate) k/n, both (C,), drawn towards that of all sites as far as its own n leaves open.

    On the scale that makes the variance 1/(4n) (arcsine of the root of a share, root of a rate) z = 2 sqrt(n) (y - target).
    Where the mean square phi of the winsorised z exceeds 1 - 1/C, sites differ by more than chance, with variance tau^2 by the
    method of moments, which widens the funnel: `p` is two-sided, of (y - target) / sqrt(1/(4n) + tau^2) (Spiegelhalter 2005,
    Stat. Med. 24:1185, and Qual. Saf. Health Care 14:347). Value and bounds are the empirical Bayes estimate of the site under
    the same model with the uncertainty of the target (Morris 1983, JASA 78:47), so that a small site cannot look extreme by
    chance; of sites that do not differ they are the target. Winsorising makes phi a little small, so that the funnel errs to the
    narrow side. All cells are one family: each result rests on all of them.

    `no_exposure` where n is 0, `unknown_reference` where fewer than three sites have any case, `degenerate_outcomes` where
    k is not between 0 and n (of a rate: negative).

    >>> sites = site_outlier([88, 91, 90, 87, 93, 60], [100, 100, 100, 100, 100, 100])
    >>> [(round(site.value, 2), round(site.p, 4)) for site in sites[-2:]]
    [(0.9, 0.0792), (0.72, 0.0002)]
    """
    part, whole = np.atleast_1d(as_float(k)), np.atleast_1d(as_float(n))
    wrong = impossible_share(part, whole) if kind == "share" else ~((part >= 0) & (whole >= 0))
    wrong |= ~np.isfinite(part + whole)
    used = ~wrong & (whole > 0)
    size = np.where(used, whole, 1.0)
    placed = funnel(np.where(used, part, 0.0) / size, size, _target(part, whole, used, kind), used, kind=kind, level=level)
    refusals = [
        (wrong, Reason.DEGENERATE_OUTCOMES),
        (whole == 0, Reason.NO_EXPOSURE),
        (placed.too_few, Reason.UNKNOWN_REFERENCE),
    ]
    return outcomes(placed.value, placed.lower, placed.upper, whole, METHOD, refusals=refusals, p=placed.p)


class Funnel(NamedTuple):
    """Empirical Bayes estimates and p of each site, (C,); `too_few` = there are too few sites for a funnel."""

    value: Float
    lower: Float
    upper: Float
    p: Float
    too_few: Bool


def funnel(ratio: Float, size: Float, target: float, used: Bool, *, kind: Kind, level: float) -> Funnel:
    """The funnel of `site_outlier` from each site's ratio (C,), the cases that it rests on (C,) and the ratio of all sites.

    Sites that are not `used` get a place in the funnel and have no part in it.
    """
    sites = int(used.sum())
    centre, y = float(_forth(np.array([target]), kind)[0]), _forth(ratio, kind)
    own = 0.25 / size
    tau2 = _between(y, own, centre, used) if sites >= _FEWEST_SITES else 0.0
    p = np.minimum(2.0 * special.ndtr(-np.abs(y - centre) / np.sqrt(own + tau2)), 1.0)
    kept = tau2 / (tau2 + own)
    of_centre = 1.0 / max(float((used / (own + tau2)).sum()), 1e-300)
    mean = centre + kept * (y - centre)
    reach = normal_quantile(level) * np.sqrt(own * kept + (1.0 - kept) ** 2 * of_centre)
    value, lower, upper = (_back(scaled, kind) for scaled in (mean, mean - reach, mean + reach))
    return Funnel(value, lower, upper, p, np.full(len(size), sites < _FEWEST_SITES))


def _target(part: Float, whole: Float, used: Bool, kind: Kind) -> float:
    """The ratio of all sites together."""
    scale = max(float(np.max(whole, where=used, initial=0.0)), 1e-300)
    total = float(np.sum(whole / scale, where=used))
    ratio = float(np.sum(part / scale, where=used)) / total if total > 0 else 0.0
    return min(ratio, 1.0) if kind == "share" else ratio


def _between(y: Float, own: Float, target: float, used: Bool) -> float:
    """Variance between sites by moments (DerSimonian & Laird 1986) on winsorised z."""
    weight = 1.0 / own[used]
    z = np.sort((y[used] - target) * np.sqrt(weight))
    sites = len(z)
    last = int((1.0 - _WINSORISED) * (sites - 1))
    phi = float(np.mean(np.clip(z, z[sites - 1 - last], z[last]) ** 2))
    scale = float(weight.max())
    weight = weight / scale
    spread = float(weight.sum() - (weight**2).sum() / weight.sum()) * scale
    return max(0.0, (sites * phi - (sites - 1)) / spread) if spread > 0 else 0.0


def _forth(ratio: Float, kind: Kind) -> Float:
    return np.asarray(np.arcsin(np.sqrt(ratio)) if kind == "share" else np.sqrt(ratio))


def _back(scaled: Float, kind: Kind) -> Float:
    if kind == "share":
        return np.asarray(np.sin(np.clip(scaled, 0.0, np.pi / 2.0)) ** 2)
    return np.asarray(np.maximum(scaled, 0.0) ** 2)
