"""Chains of run rules and trend tests against numbers that are known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.arrays import Float
from detectors.poisson_trend_chain import PoissonTrendChain
from detectors.run_rule_chain import AlternatingChain, RisingChain, ZoneChain
from detectors.series_cells import NormalPoint, PoissonPoint, normal_cells, poisson_cells

ZIGZAG_14 = 199_360_981
"""Alternating permutations of fourteen that begin with a rise (Andre 1881)."""


def held_at(chain: RisingChain | AlternatingChain, state: Float, points: int) -> float:
    """Probability that the rule holds at the last of so many points, and at none before; `state` = after the first."""
    held = state
    for number in range(points - 1):
        state, held = chain.look(state, number)
    return float(held.sum())


def test_six_points_rise_once_in_720_and_fourteen_alternate_as_often_as_permutations_do():
    cells = normal_cells(lambda number: 0.0, 1)
    rising, alternating = np.zeros((6, len(cells.before))), np.zeros((2, 14, len(cells.before)))
    rising[0], alternating[0, 0] = cells.before, cells.before
    assert held_at(RisingChain(cells), rising, 6) == pytest.approx(1 / 720, rel=0.005)
    assert held_at(AlternatingChain(cells), alternating, 14) == pytest.approx(2 * ZIGZAG_14 / math.factorial(14), rel=0.005)


def test_of_counts_only_zeros_tie():
    cells = poisson_cells(0.5, lambda number: 0.5, 1)
    state = np.zeros((6, len(cells.before)))
    state[0] = cells.before
    zero = math.exp(-0.5)
    # Of two points one is higher, or both are zero.
    after, _ = RisingChain(cells).look(state, 0)
    assert after[1].sum() == pytest.approx((1 - zero**2) / 2, rel=0.01)


@pytest.mark.parametrize(
    ("rule", "chance"),
    [
        (1, 2 * 0.00134990), (2, 2 * 0.5**9), (5, 2 * (2 * 0.0227501**2 * 0.9772499 + 0.0227501**3)), (7, 0.6826895**15),
        (8, 0.3173105**8 - 2 * 0.1586553**8),
    ],
)  # fmt: skip
def test_a_zone_rule_holds_with_the_chance_of_its_zones(rule: int, chance: float):
    chain = ZoneChain(rule, NormalPoint(), NormalPoint())
    shares = NormalPoint().below(-1.0), NormalPoint().below(1.0)
    assert shares == pytest.approx((0.1586553, 0.8413447))
    state, total = chain.start(), 0.0
    for number in range(400):
        quiet, held = chain.look(state, number)
        state, total = quiet + held, total + float(held.sum())
    assert total / 400 == pytest.approx(chance, rel=0.03)


def test_a_point_of_counts_per_use_lies_where_drawn_ones_do():
    draws = np.random.default_rng(2)
    rates = draws.poisson(9.0, 200_000) / draws.poisson(2000.0, 200_000)
    for z in (-1.0, 0.0, 2.0):
        found = PoissonPoint(9.0, 2000.0, 0.0045, 0.0015).below(z)
        assert found == pytest.approx(float((rates < 0.0045 + z * 0.0015).mean()), abs=0.004)


def test_sums_of_a_period_are_carried_from_look_to_look_and_begin_again_after_the_last():
    chain = PoissonTrendChain(3.0, 2, 0.025, 2.0)
    first, second = chain.critical
    assert (first, second) == (8, 12)

    def upper(n: int, mean: float) -> float:
        return 1.0 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(n))

    quiet, breached = chain.look(chain.start(), 0)
    assert breached.sum() == pytest.approx(upper(8, 6.0))
    _, later = chain.look(quiet + breached, 1)
    assert later.sum() == pytest.approx(upper(12, 12.0))
    _, again = chain.look(quiet, 2)
    assert again.sum() == pytest.approx(quiet.sum() * upper(8, 6.0))
