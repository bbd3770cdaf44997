"""The gap of a subgroup of whose cases only part is verified, by flag, to different degrees in different subgroups."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import subgroup_gap
from detectors.effective_counts import VerifiedCounts
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.weighted_gap import gap_to_baseline, gap_to_overall

EVENTS = {"sensitivity": ("tp", "fn"), "specificity": ("tn", "fp"), "npv": ("tn", "fn")}
METHODS = ["wilson", "clopper_pearson", "confidence_sequence"]


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def drawn(rng, sensitivity, verified, size=3000):
    """Counts by flag of one subgroup per entry; all flagged cases are verified, and such a part of the unflagged ones."""
    found = np.array([rng.multinomial(size, [0.2 * one, 0.08, 0.2 * (1 - one), 0.72]) for one in sensitivity])
    fn, tn = (rng.binomial(found[:, at], verified) for at in (2, 3))
    flagged, unflagged = found[:, 0] + found[:, 1], found[:, 2] + found[:, 3]
    return {"tp": found[:, 0], "fp": found[:, 1], "fn": fn, "tn": tn, "flagged": flagged, "unflagged": unflagged}


def assert_same(found: list[Outcome], plain: list[Outcome]) -> None:
    for one, other in zip(map(number, found), map(number, plain), strict=True):
        assert (one.value, one.lower, one.upper, one.p) == pytest.approx(
            (other.value, other.lower, other.upper, other.p), abs=1e-12
        )
        assert (one.n, one.method) == (other.n, f"inverse_coverage_{other.method}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("event", EVENTS)
def test_with_every_case_verified_the_gap_is_the_unweighted_one(event, method):
    counts = drawn(np.random.default_rng(1), [0.8, 0.9, 0.85, 1.0], 1.0, size=90)
    inside, outside = (counts[name] for name in EVENTS[event])
    k, n, options = inside, inside + outside, {"method": method}
    every = np.full(4, k.sum()), np.full(4, n.sum())
    verified = VerifiedCounts.of(**counts)
    assert_same(gap_to_overall(verified, event=event, **options), subgroup_gap.gap_to_overall(k, n, *every, **options))
    for share_n in (np.nan, 300.0):
        baseline = np.full(4, 0.87), np.full(4, share_n)
        found = gap_to_baseline(verified, event=event, share=baseline[0], share_n=baseline[1], **options)
        assert_same(found, subgroup_gap.gap_to_baseline(k, n, *baseline, **options))


def test_a_subgroup_is_not_behind_because_more_of_its_unflagged_cases_are_verified():
    """All miss one positive in ten. Where all unflagged cases are verified that shows, where a tenth is, it hardly does."""
    rng, coverage = np.random.default_rng(2), np.array([1.0, 0.1, 0.1])
    gaps, naive = [], []
    for _ in range(200):
        counts = drawn(rng, [0.9] * 3, coverage)
        k, n = counts["tp"], counts["tp"] + counts["fn"]
        gaps.append(number(gap_to_overall(VerifiedCounts.of(**counts), event="sensitivity")[0]).value)
        every = np.full(3, k.sum()), np.full(3, n.sum())
        naive.append(number(subgroup_gap.gap_to_overall(k, n, *every)[0]).value)
    assert np.mean(naive) < -0.04
    assert np.mean(gaps) == pytest.approx(0.0, abs=0.005)


def test_a_subgroup_that_finds_less_is_found_behind():
    counts = drawn(np.random.default_rng(3), [0.6, 0.9, 0.9], 0.2)
    behind, ahead, _ = map(number, gap_to_overall(VerifiedCounts.of(**counts), event="sensitivity"))
    assert behind.upper < 0
    assert behind.p < 0.001
    assert ahead.lower > 0


def test_the_share_of_all_is_one_for_all_subgroups():
    """The weighted gaps cancel, as gaps to a common mean do."""
    counts = VerifiedCounts.of(**drawn(np.random.default_rng(4), [0.6, 0.8, 0.9], np.array([0.1, 0.4, 1.0])))
    weighted = counts.inferences / (counts.positives + counts.negatives) * counts.positives
    gaps = [number(one).value for one in gap_to_overall(counts, event="sensitivity")]
    assert float((weighted.sum(axis=1) * gaps).sum()) == pytest.approx(0.0, abs=1e-9)


def test_a_subgroup_nobody_verified_has_no_gap_and_changes_that_of_no_other():
    counts = drawn(np.random.default_rng(5), [0.7, 0.9, 0.9], np.array([0.3, 0.3, 0.0]))
    without = {name: cell[:2] for name, cell in counts.items()}
    found = gap_to_overall(VerifiedCounts.of(**counts), event="sensitivity")
    assert found[2] == Insufficient(Reason.VERIFICATION_BIAS)
    assert found[:2] == gap_to_overall(VerifiedCounts.of(**without), event="sensitivity")


def test_what_cannot_be_compared_is_named():
    counts = VerifiedCounts.of([0, 8, 0], [5, 5, 0], [0, 2, 0], [20, 20, 0], flagged=[5, 13, 0], unflagged=[50, 50, 0])
    lacking, alone, empty = gap_to_overall(counts, event="sensitivity")
    assert (lacking, empty) == (Insufficient(Reason.NO_EXPOSURE), Insufficient(Reason.NO_EXPOSURE))
    assert alone == Insufficient(Reason.UNKNOWN_REFERENCE, 10)
    baselines = {"share": np.array([0.9, np.nan, 0.9]), "share_n": np.full(3, 100.0)}
    found = gap_to_baseline(counts, event="specificity", **baselines)
    assert isinstance(found[0], Estimate)
    assert found[1:] == [Insufficient(Reason.UNKNOWN_REFERENCE, 25), Insufficient(Reason.NO_EXPOSURE)]
    beyond = gap_to_baseline(counts, event="specificity", share=np.full(3, 1.5), share_n=np.full(3, 100.0))
    assert beyond[0] == Insufficient(Reason.DEGENERATE_OUTCOMES, 25)
