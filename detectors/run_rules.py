"""Run rules: patterns in a series of points that chance alone seldom makes.

Nelson 1984, J. Qual. Technol. 16:237. Points are z = (x - mean) / sd. A hit supports another ground; eight rules together
signal falsely about once in 90 points, so that none is a ground by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float, silent


@silent
def run_rule_hits(z: ArrayLike, rule: int) -> Bool:
    """Whether the pattern of a rule ends at each point, shape (points,). A point that is no number breaks every pattern.

    1 beyond 3 sd; 2 nine on one side; 3 six strictly rising (a tie breaks the run, as in contract/monitors.md: a fall is no
    sign of harm); 4 fourteen alternating; 5 two of three beyond 2 sd on one side; 6 four of five beyond 1 sd on one side;
    7 fifteen within 1 sd; 8 eight beyond 1 sd on both sides.

    Raises:
        KeyError: there is no such rule.

    >>> run_rule_hits([1, 2, 3, 4, 5, 6, 6, 7], 3).tolist()
    [False, False, False, False, False, True, False, False]
    """
    points = as_float(z)
    length, holds = RULES[rule]
    hits = np.zeros(len(points), np.bool_)
    if len(points) >= length:
        windows = np.lib.stride_tricks.sliding_window_view(points, length)
        hits[length - 1 :] = np.isfinite(windows).all(axis=1) & holds(windows)
    return hits


def points_needed(rule: int) -> int:
    """Points that the pattern of a rule takes. Raises KeyError: there is no such rule.

    >>> [points_needed(rule) for rule in range(1, 9)]
    [1, 9, 6, 14, 3, 5, 15, 8]
    """
    return RULES[rule][0]


def needs_centre(rule: int) -> bool:
    """Whether a rule asks where a point lies, and not only whether it lies above the one before."""
    return rule not in (3, 4)


def _same_side(points: Float, of: int, beyond: float) -> Bool:
    """At least `of` of the points beyond so many sd on one side, the newest among them."""
    above: Bool = ((points > beyond).sum(axis=1) >= of) & (points[:, -1] > beyond)
    below: Bool = ((points < -beyond).sum(axis=1) >= of) & (points[:, -1] < -beyond)
    return above | below


def _alternates(points: Float) -> Bool:
    steps = np.sign(np.diff(points, axis=1))
    return _all(steps[:, 1:] * steps[:, :-1] == -1)


def _around(points: Float) -> Bool:
    return _all(np.abs(points) > 1) & ~_all(points > 0) & ~_all(points < 0)


def _beyond_three(points: Float) -> Bool:
    found: Bool = np.abs(points[:, -1]) > 3
    return found


def _all(holds: Bool) -> Bool:
    """Whether it holds at every point of a window, shape (windows,)."""
    found: Bool = np.logical_and.reduce(holds, axis=1)
    return found


RULES: Mapping[int, tuple[int, Callable[[Float], Bool]]] = {
    1: (1, _beyond_three),
    2: (9, lambda points: _same_side(points, 9, 0.0)),
    3: (6, lambda points: _all(np.diff(points, axis=1) > 0)),
    4: (14, _alternates),
    5: (3, lambda points: _same_side(points, 2, 2.0)),
    6: (5, lambda points: _same_side(points, 4, 1.0)),
    7: (15, lambda points: _all(np.abs(points) < 1)),
    8: (8, _around),
}
"""Points looked at, and the pattern over windows of shape (windows, points)."""
