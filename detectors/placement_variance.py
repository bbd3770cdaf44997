"""Variance of an area under the ROC curve from the placements of each class, steadied where a class is small."""

from __future__ import annotations

from detectors.arrays import Float

_CASES = 4.0
"""Weight of the prior, in cases of each class: by simulation the least that holds the level from ten cases on."""


def of_area(area: Float, spreads: tuple[Float, Float], sizes: tuple[Float, Float]) -> Float:
    """Variance of the area, (C,), from both classes: `spreads` about the area of their placements (divided by n), `sizes` n > 0.

    DeLong's variance (1988, Biometrics 44:837) is the sum of both spreads over their n - 1. A few cases whose placements lie
    close together by chance show too little of it, and just when the area is far from the truth. So each class is given four
    more cases with the variance area x (1 - area) / 3, which is that of placements where the classes are alike, 1/12: a
    variance moderated by a prior of that many degrees of freedom (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3).

    >>> import numpy as np
    >>> area, half = np.array([0.5]), np.array([1 / 12])
    >>> round(float(of_area(area, (half, half), (np.array([1e6]), np.array([1e6])))[0] * 6e6), 4)
    1.0
    """
    prior = area * (1.0 - area) * (_CASES / 3.0)
    terms = ((spread + prior / n) / (n + (_CASES - 1.0)) for spread, n in zip(spreads, sizes, strict=True))
    first, second = terms
    return first + second
