"""Shares of cases that are verified in part: what weighting by inverse coverage gives, and how sure of it one may be."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import begg_greenes
from detectors.effective_counts import CorrectedShare, VerifiedCounts
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.prevalence import prevalence
from detectors.weighted_prevalence import prevalence as weighted_prevalence

METHODS = ["wilson", "clopper_pearson", "confidence_sequence"]


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def drawn(rng, cells, *, verified, size=2000, positives=0.1):
    """Counts by flag; flagged cases are all verified, unflagged ones in part."""
    counts = rng.multinomial(size, [positives * 0.8, (1 - positives) * 0.1, positives * 0.2, (1 - positives) * 0.9], cells)
    fn, tn = (rng.binomial(counts[:, at], verified) for at in (2, 3))
    flagged, unflagged = counts[:, 0] + counts[:, 1], counts[:, 2] + counts[:, 3]
    return {"tp": counts[:, 0], "fp": counts[:, 1], "fn": fn, "tn": tn, "flagged": flagged, "unflagged": unflagged}


@pytest.mark.parametrize("event", ["sensitivity", "specificity", "npv"])
def test_the_share_is_that_of_begg_and_greenes(event):
    counts = drawn(np.random.default_rng(1), 50, verified=0.3)
    expected = [number(one).value for one in getattr(begg_greenes, event)(**counts)]
    assert CorrectedShare.of(VerifiedCounts.of(**counts), event).value == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("event", "shares"), [("prevalence", ("tp", "fn", "fp", "tn")), ("sensitivity", ("tp", "fn")), ("specificity", ("tn", "fp")),
                          ("npv", ("tn", "fn"))]
)  # fmt: skip
def test_with_every_case_verified_the_effective_cases_are_the_cases(event, shares):
    counts = drawn(np.random.default_rng(2), 50, verified=1.0, size=60)
    share = CorrectedShare.of(VerifiedCounts.of(**counts), event)
    cases = sum(counts[name] for name in shares)
    assert share.size_down == pytest.approx(cases, rel=1e-12)
    assert share.size_up == pytest.approx(cases, rel=1e-12)
    assert share.verified.tolist() == cases.tolist()


@pytest.mark.parametrize("event", ["prevalence", "sensitivity", "specificity", "npv"])
def test_the_variance_is_that_of_repeated_samples(event):
    counts = drawn(np.random.default_rng(3), 20_000, verified=0.2, size=10_000)
    share = CorrectedShare.of(VerifiedCounts.of(**counts), event)
    claimed = share.value * (1 - share.value) / share.size_up
    assert np.mean(claimed) == pytest.approx(np.var(share.value), rel=0.04)


def test_all_other_cells_are_the_cells_without_this_one():
    counts = drawn(np.random.default_rng(4), 6, verified=0.3)
    share = CorrectedShare.of(VerifiedCounts.of(**counts), "sensitivity")
    for cell in range(6):
        rest = [at for at in range(6) if at != cell]
        assert share.others.sums[cell] == pytest.approx(share.sums[rest].sum(axis=0), rel=1e-12)
        assert share.others.largest[cell].tolist() == share.largest[rest].max(axis=0).tolist()
    alone = CorrectedShare(share.sums[:1], share.largest[:1]).others
    assert alone.whole.tolist() == [0.0]


@pytest.mark.parametrize("method", METHODS)
def test_prevalence_with_every_case_labelled_is_the_unweighted_one(method):
    counts = drawn(np.random.default_rng(5), 40, verified=1.0, size=150)
    options = {"reference": np.full(40, 0.07), "method": method}
    for measured in (np.nan, 900.0):
        plain = prevalence(counts["tp"] + counts["fn"], np.full(40, 150), reference_n=np.full(40, measured), **options)
        for one, other in zip(
            weighted_prevalence(VerifiedCounts.of(**counts), reference_n=np.full(40, measured), **options),
            map(number, plain),
            strict=True,
        ):
            found = number(one)
            assert (found.value, found.lower, found.upper, found.p) == pytest.approx(
                (other.value, other.lower, other.upper, other.p), abs=1e-12
            )
            assert found.n == other.n


def test_prevalence_of_labels_that_follow_the_flag_is_far_too_high_until_it_is_corrected():
    counts = drawn(np.random.default_rng(6), 400, verified=0.1)
    k, n = counts["tp"] + counts["fn"], counts["tp"] + counts["fp"] + counts["fn"] + counts["tn"]
    assert np.mean([number(one).value for one in prevalence(k, n)]) > 0.3
    assert np.mean([number(one).value for one in weighted_prevalence(VerifiedCounts.of(**counts))]) == pytest.approx(
        0.1, abs=0.003
    )


def test_p_of_prevalence_keeps_its_level_and_finds_a_reference_that_is_not_the_truth():
    counts = drawn(np.random.default_rng(7), 4000, verified=0.2)
    found = {
        reference: np.array(
            [number(one).p for one in weighted_prevalence(VerifiedCounts.of(**counts), reference=np.full(4000, reference))]
        )
        for reference in (0.1, 0.05, 0.16)
    }
    assert (found[0.1] < 0.05).mean() == pytest.approx(0.05, abs=0.012)
    assert (found[0.05] < 0.05).mean() > 0.9
    assert (found[0.16] < 0.05).mean() > 0.9


def test_a_flag_that_showed_no_positive_among_few_may_hold_some_all_the_same():
    """20 of 1000 unflagged cases were looked at, and none was positive: up to a sixth of them might be."""
    found = number(weighted_prevalence(VerifiedCounts.of([50], [50], [0], [20], flagged=[100], unflagged=[1000]))[0])
    assert found.value == pytest.approx(50 / 1100)
    assert found.upper > 0.12
    assert found.lower > 0.02


def test_who_was_never_looked_at_is_named():
    counts = VerifiedCounts.of([5, 5, 0, 5, 5], [5, 5, 0, 5, 5], [1, 0, 0, 1, 0], [4, 0, 0, 4, 0],
                               flagged=[10, 10, 0, 9, 10], unflagged=[50, 50, 0, 50, 0])  # fmt: skip
    found = weighted_prevalence(counts)
    assert found[1] == Insufficient(Reason.VERIFICATION_BIAS)
    assert found[2] == Insufficient(Reason.NO_EXPOSURE)
    assert found[3] == Insufficient(Reason.DEGENERATE_OUTCOMES)
    assert number(found[4]).value == 0.5, "nothing is unflagged, so nothing is unverified"
    assert number(found[0]).n == 15
