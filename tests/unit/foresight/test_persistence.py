"""Persistence as a chain of states, on paths, and by the rule that makes incidents: three ways, one answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.verdict import Verdict
from surveillance.foresight.course import Course
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Look
from surveillance.foresight.persistence_chain import chance_within, first_hits, first_look
from surveillance.foresight.window_overlap import shared_noise, verdict_paths
from tests.unit.foresight.field import manifest_of, monitor

VERDICTS = [Verdict.BREACHED, Verdict.MET, Verdict.INCONCLUSIVE]


@given(st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=30), st.integers(1, 4), st.integers(0, 3))
def test_paths_open_where_the_rule_of_incidents_opens(verdicts: list[Verdict], k: int, more: int) -> None:
    of = k + more
    described = monitor("missing_rate", "day", {"abs": 0.1}, feature="px", persistence={"k": k, "of": of, "clear_after": 99})
    manifest = manifest_of(described)
    looks = [Look({"investigate": verdict}, verdict) for verdict in verdicts]
    ends = np.arange(1, len(looks) + 1) * 86_400_000
    opened = [
        bool(
            incidents_by_level(
                manifest, manifest.surveillance.monitors[0], (), Course.of(looks[:at]), ends[:at], ends[:at] - 86_400_000
            )
        )
        for at in range(1, len(looks) + 1)
    ]
    said = np.array([[verdict is Verdict.BREACHED for verdict in verdicts]])
    met = np.array([[verdict is Verdict.MET for verdict in verdicts]])
    (hit,) = first_hits(said, met, k, of).tolist()
    assert hit == (opened.index(True) if True in opened else len(verdicts))


@pytest.mark.parametrize(("breach", "met", "k", "of"), [(0.3, 0.7, 2, 3), (0.1, 0.4, 2, 3), (0.5, 0.2, 3, 5), (0.05, 0.95, 1, 1)])
def test_the_chain_gives_the_chances_of_independent_paths(breach: float, met: float, k: int, of: int) -> None:
    draws = np.random.default_rng(3).random((4000, 60))
    hits = first_hits(draws < breach, draws > 1 - met, k, of)
    assert chance_within(breach, met, k, of, 60) == pytest.approx((hits < 60).mean(), abs=0.03)
    looks = first_look(breach, met, k, of, 0.5)
    assert looks is not None
    middle = np.sort(hits)[2000] + 1
    assert middle == 61 or abs(looks - middle) <= max(1, 0.1 * middle)


def test_a_look_that_never_breaches_never_opens_and_one_that_always_does_opens_at_the_kth() -> None:
    assert first_look(0.0, 1.0, 2, 3, 0.8) is None
    assert first_look(1.0, 0.0, 3, 5, 0.8) == 3


def test_the_tail_of_the_chain_is_worked_out_and_not_walked() -> None:
    # One look in a million breaches: 80 % need ln 5 / 1e-6 looks.
    assert first_look(1e-6, 0.5, 1, 1, 0.8) == pytest.approx(np.log(5) * 1e6, rel=1e-3)


def test_looks_that_share_events_count_once() -> None:
    breached, met = np.ones((1, 6), np.bool_), np.zeros((1, 6), np.bool_)
    assert first_hits(breached, met, 2, 2).tolist() == [1]
    assert first_hits(breached, met, 2, 2, apart=3).tolist() == [3]


def test_neighbouring_looks_share_the_part_of_their_events_that_the_window_keeps() -> None:
    noise = shared_noise(10, 50)
    assert np.corrcoef(noise[:, 20], noise[:, 21])[0, 1] == pytest.approx(0.9, abs=0.03)
    assert np.corrcoef(noise[:, 20], noise[:, 30])[0, 1] == pytest.approx(0.0, abs=0.1)
    breached, met = verdict_paths(np.full(50, 0.2), np.full(50, 0.3), 10)
    assert breached.mean() == pytest.approx(0.2, abs=0.02)
    assert met.mean() == pytest.approx(0.3, abs=0.02)
