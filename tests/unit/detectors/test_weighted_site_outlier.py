"""The funnel of sites of whose cases only part is verified, by flag."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import site_outlier as unweighted
from detectors.effective_counts import VerifiedCounts
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.weighted_site_outlier import site_outlier

EVENTS = {"sensitivity": ("tp", "fn"), "specificity": ("tn", "fp"), "npv": ("tn", "fn")}


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def drawn(rng, sensitivity, verified, sizes):
    """Counts by flag of one site per entry; all flagged cases are verified, and such a part of the unflagged ones."""
    shares = np.broadcast_to(sensitivity, sizes.shape)
    found = np.array([rng.multinomial(n, [0.2 * s, 0.08, 0.2 * (1 - s), 0.72]) for n, s in zip(sizes, shares, strict=True)])
    fn, tn = (rng.binomial(found[:, at], verified) for at in (2, 3))
    flagged, unflagged = found[:, 0] + found[:, 1], found[:, 2] + found[:, 3]
    return {"tp": found[:, 0], "fp": found[:, 1], "fn": fn, "tn": tn, "flagged": flagged, "unflagged": unflagged}


@pytest.mark.parametrize("event", EVENTS)
def test_with_every_case_verified_the_funnel_is_the_unweighted_one(event):
    counts = drawn(np.random.default_rng(1), np.array([0.5, 0.9, 0.85, 1.0, 0.9]), 1.0, np.array([900, 400, 80, 60, 300]))
    inside, outside = (counts[name] for name in EVENTS[event])
    plain = unweighted.site_outlier(inside, inside + outside)
    for one, other in zip(map(number, site_outlier(VerifiedCounts.of(**counts), event=event)), map(number, plain), strict=True):
        assert (one.value, one.lower, one.upper, one.p) == pytest.approx(
            (other.value, other.lower, other.upper, other.p), abs=1e-12
        )
        assert (one.n, one.method) == (other.n, "inverse_coverage_funnel_hierarchical_bayes")


@pytest.mark.parametrize(("event", "verified"), [("sensitivity", 0.2), ("sensitivity", 0.1), ("npv", 0.1), ("specificity", 0.2)])
def test_quiet_sites_are_called_outliers_no_oftener_than_stated(event, verified):
    """At a tenth there are sites with two missed cases to be expected among the verified, and sites with none found."""
    rng = np.random.default_rng(2)
    sizes = rng.integers(600, 3000, 20)
    windows = [VerifiedCounts.of(**drawn(rng, 0.85, verified, sizes)) for _ in range(120)]
    p = np.array([number(one).p for window in windows for one in site_outlier(window, event=event)])
    assert (p < 0.05).mean() < 0.06
    assert (p < 0.01).mean() < 0.015
    assert (p < 0.001).mean() < 0.003


def test_a_site_that_misses_more_is_named_and_one_that_verifies_more_is_not():
    coverage = np.array([1.0, *[0.1] * 7, 0.1])
    sensitivity = np.array([0.85] * 8 + [0.5])
    counts = drawn(np.random.default_rng(3), sensitivity, coverage, np.full(9, 3000))
    naive = unweighted.site_outlier(counts["tp"], counts["tp"] + counts["fn"])
    assert number(naive[0]).p < 0.05, "its misses are found, those of others are not"
    found = [number(one).p for one in site_outlier(VerifiedCounts.of(**counts), event="sensitivity")]
    assert [at for at, p in enumerate(found) if p < 0.001] == [8]
    assert found[0] > 0.2


def test_differences_that_all_sites_show_widen_the_funnel():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        sensitivity = 1 / (1 + np.exp(-rng.normal(1.7, 0.5, 20)))
        counts = VerifiedCounts.of(**drawn(rng, sensitivity, 0.3, np.full(20, 6000)))
        found += [number(one).p for one in site_outlier(counts, event="sensitivity")]
    assert np.mean(np.array(found) < 0.01) < 0.04


def test_a_site_nobody_verified_has_no_place_and_changes_that_of_no_other():
    counts = drawn(np.random.default_rng(5), 0.85, np.array([0.3, 0.3, 0.3, 0.3, 0.0]), np.full(5, 2000))
    without = {name: cell[:4] for name, cell in counts.items()}
    found = site_outlier(VerifiedCounts.of(**counts), event="sensitivity")
    assert found[4] == Insufficient(Reason.VERIFICATION_BIAS)
    assert found[:4] == site_outlier(VerifiedCounts.of(**without), event="sensitivity")


def test_two_sites_are_no_funnel():
    counts = drawn(np.random.default_rng(6), 0.85, 0.3, np.array([2000, 2000, 0]))
    pair = site_outlier(VerifiedCounts.of(**counts), event="specificity")
    assert [one.reason for one in pair] == ["unknown_reference", "unknown_reference", "no_exposure"]
