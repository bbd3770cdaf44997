"""Variable life-adjusted display: bad outcomes avoided, or suffered, beyond what the risks of the cases foretold.

Lovegrove, Valencia, Treasure, Sherlaw-Johnson & Gallivan 1997, Lancet 350:1128.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, Float, as_float


def vlad(events: ArrayLike, sum_risk_micro: ArrayLike) -> Float:
    """Expected minus observed events after each pane, shape (panes,): risks are sums in millionths; it rises with good results.

    For people to look at; it has no limit, because its spread grows with the number of cases.

    >>> vlad([0, 1, 0], [100_000, 250_000, 100_000]).round(2).tolist()
    [0.1, -0.65, -0.55]
    """
    return np.cumsum(as_float(sum_risk_micro) / MICRO - as_float(events))
