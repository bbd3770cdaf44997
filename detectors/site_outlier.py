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
METHOD = "funnel_hierarchical_bayes"
_STEPS = 48
"""Values of tau^2 that are summed over, evenly spaced in how far they draw a typical site towards the centre."""
_LARGEST_SIZE = 1e15
"""Cases of a site from which on more of them change no digit shown."""


@silent
def site_outlier(k: ArrayLike, n: ArrayLike, *, kind: Kind = "share", level: float = 0.95) -> list[Outcome]:
    """Each site's share (or rate) k/n, both (C,), drawn towards that of all sites as far as its own n leaves open.

    On the scale that makes the variance 1/(4n) (arcsine of the root of a share, root of a rate) z = 2 sqrt(n) (y - target).
    Where the mean square phi of the winsorised z exceeds 1 - 1/C, sites differ by more than chance, with variance tau^2 by the
    method of moments, which widens the funnel: `p` is two-sided, of (y - target) / sqrt(1/(4n) + tau^2) (Spiegelhalter 2005,
    Stat. Med. 24:1185, and Qual. Saf. Health Care 14:347). Winsorising makes phi a little small, so that the funnel errs to the
    narrow side. Value and bounds are the site's mean and normal interval under the normal model of sites, over all that the
    centre and tau^2 may be (flat prior; Morris 1983, JASA 78:47, sec. 4; Gelman et al. 2013, Bayesian Data Analysis, sec. 5.4):
    a small site cannot look extreme by chance, and bounds that took tau^2 as known would miss the truth of every third site.
    All cells are one family: each result rests on all of them.

    `no_exposure` where n is 0, `unknown_reference` where fewer than three sites have any case, `degenerate_outcomes` where
    k is not between 0 and n (of a rate: negative).

    >>> sites = site_outlier([88, 91, 90, 87, 93, 60], [100, 100, 100, 100, 100, 100])
    >>> [(round(site.value, 2), round(site.p, 4)) for site in sites[-2:]]
    [(0.93, 0.0792), (0.62, 0.0002)]
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
    """Estimates and p of each site, (C,); `too_few` = there are too few sites for a funnel."""

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
    own = 0.25 / np.minimum(size, _LARGEST_SIZE)
    tau2 = _between(y, own, centre, used) if sites >= _FEWEST_SITES else 0.0
    p = np.minimum(2.0 * special.ndtr(-np.abs(y - centre) / np.sqrt(own + tau2)), 1.0)
    mean, sd = _posterior(y, own, used)
    reach = normal_quantile(level) * sd
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


def _posterior(y: Float, own: Float, used: Bool) -> tuple[Float, Float]:
    """Mean and sd of each site over all values of the centre and of the variance between sites, both with a flat prior."""
    typical = float(np.exp(np.mean(np.log(own[used])))) if used.any() else 1.0
    drawn = (np.arange(_STEPS) + 0.5) / _STEPS
    between = ((1.0 - drawn) / drawn)[:, None]
    weight = used / (own / typical + between)
    total = np.maximum(weight.sum(axis=1), 1e-300)
    centre = (weight * y).sum(axis=1) / total
    squares = (weight * (y - centre[:, None]) ** 2).sum(axis=1) / typical
    logs = np.log(weight, where=used, out=np.zeros_like(weight)).sum(axis=1)
    log_density = 0.5 * (logs - np.log(total) - squares) - 2.0 * np.log(drawn)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    kept = between / (own / typical + between)
    means = centre[:, None] + kept * (y - centre[:, None])
    variances = typical * (own / typical * kept + (1.0 - kept) ** 2 / total[:, None])
    mean = (density[:, None] * means).sum(axis=0)
    return mean, np.sqrt((density[:, None] * (variances + (means - mean) ** 2)).sum(axis=0))


def _forth(ratio: Float, kind: Kind) -> Float:
    return np.asarray(np.arcsin(np.sqrt(ratio)) if kind == "share" else np.sqrt(ratio))


def _back(scaled: Float, kind: Kind) -> Float:
    if kind == "share":
        return np.asarray(np.sin(np.clip(scaled, 0.0, np.pi / 2.0)) ** 2)
    return np.asarray(np.maximum(scaled, 0.0) ** 2)
