"""The funnel: names the site that differs by more than sites do, and none in a year of quiet ones."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.site_outlier import site_outlier


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def ps(outcomes: list[Outcome]) -> list[float]:
    return [p for one in outcomes if (p := number(one).p) is not None]


def test_a_site_far_from_the_others_is_named_and_none_else() -> None:
    found = ps(site_outlier([180, 178, 183, 179, 181, 177, 130, 182], [200] * 8))
    assert [at for at, p in enumerate(found) if p < 0.001] == [6]


def test_quiet_sites_are_called_outliers_no_oftener_than_stated() -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(80, 600, 20)
    found = [p for _ in range(300) for p in ps(site_outlier(rng.binomial(sizes, 0.9), sizes))]
    assert np.mean(np.array(found) < 0.01) < 0.015


def test_differences_that_all_sites_show_widen_the_funnel() -> None:
    rng = np.random.default_rng(4)
    sizes = np.full(20, 1000)
    shares = 1 / (1 + np.exp(-rng.normal(2.0, 0.3, (200, 20))))
    found = [p for share in shares for p in ps(site_outlier(rng.binomial(sizes, share), sizes))]
    assert np.mean(np.array(found) < 0.01) < 0.04, "without over-dispersion more than a third would be"


def test_a_small_site_is_drawn_further_towards_all_than_a_large_one_of_the_same_share() -> None:
    small, large = site_outlier([30, 600, 180, 150, 165, 190], [40, 800, 200, 200, 200, 200])[:2]
    assert 0.75 < number(large).value < number(small).value


def test_sites_that_do_not_differ_have_the_share_of_all() -> None:
    found = [number(one) for one in site_outlier([90, 91, 90, 89], [100] * 4)]
    assert [one.value for one in found] == pytest.approx([0.9] * 4, abs=0.0099), "drawn together"
    assert all(one.lower < 0.9 < one.upper for one in found)


@pytest.mark.parametrize("sites", [4, 12, 40])
@pytest.mark.parametrize("differ", [0.0, 0.03, 0.1])
def test_bounds_hold_a_site_s_own_share_however_little_or_much_sites_differ(sites: int, differ: float) -> None:
    """Bounds that took the estimated variance between sites as known held it in 50 to 80 of a hundred."""
    rng = np.random.default_rng(5)
    held = []
    for _ in range(4_000 // sites):
        share = np.sin(np.clip(np.arcsin(np.sqrt(0.85)) + differ * rng.standard_normal(sites), 0.0, np.pi / 2)) ** 2
        sizes = rng.integers(60, 180, sites)
        found = map(number, site_outlier(rng.binomial(sizes, share), sizes))
        held += [one.lower <= truth <= one.upper for one, truth in zip(found, share, strict=True)]
    assert np.mean(held) > 0.93


def test_many_quiet_sites_are_known_better_than_each_of_them_by_itself() -> None:
    rng = np.random.default_rng(6)
    found = [number(one) for one in site_outlier(rng.binomial(100, 0.9, 40), np.full(40, 100))]
    alone = 2 * 1.96 * np.sqrt(0.9 * 0.1 / 100)
    assert np.mean([one.upper - one.lower for one in found]) < 0.7 * alone


def test_rates_may_exceed_one() -> None:
    found = site_outlier([150, 140, 155, 145, 300], [100] * 5, kind="rate")
    assert number(found[4]).value > 2.0
    assert (number(found[4]).p or 1.0) < 0.01
    assert (number(found[0]).p or 0.0) > 0.01


def test_two_sites_are_no_funnel() -> None:
    assert site_outlier([9, 8], [10, 10])[0] == Insufficient(Reason.UNKNOWN_REFERENCE, 10)
    assert site_outlier([9, 8, 0], [10, 10, 0])[2] == Insufficient(Reason.NO_EXPOSURE)
