"""Simulated looks are walked in part and windows extended at one blow: both say what all of them, one by one, would."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict, overall
from surveillance.foresight.course import Course
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Examiner, Look
from surveillance.incidents.history import History
from surveillance.incidents.step import step
from surveillance.manifest.manifest import Manifest
from surveillance.times import HOUR_MS
from tests.unit.foresight.field import Document, manifest_of, monitor, only_cell

VERDICTS = st.sampled_from([Verdict.BREACHED, Verdict.MET, Verdict.MET, Verdict.INCONCLUSIVE])
LIMITS: Document = {
    "investigate": {"rr_ci_lower_above": 1.2}, "pause": {"rr_ci_lower_above": 1.5},
    "rollback_or_field_safety": {"rr_ci_lower_above": 2.0, "sustained": "PT4H"},
}  # fmt: skip


def of_three_levels(k: int, of: int, clear_after: int, cooldown_h: int) -> Manifest:
    rule = {"k": k, "of": of, "clear_after": clear_after, "cooldown": f"PT{cooldown_h}H"}
    burden = monitor("poisson_rate_ratio", "hour", {}, numerator="alerts", exposure="encounters", persistence=rule)
    return manifest_of(burden | {"limits": LIMITS})


def one_by_one(manifest: Manifest, looks: list[Look], ends: Int, starts: Int) -> Counter[str]:
    """Every look through the rules of incidents."""
    (watching,) = manifest.surveillance.monitors
    found: Counter[str] = Counter()
    history, incident = History(), None
    for look, end, start in zip(looks, ends.tolist(), starts.tolist(), strict=True):
        evidence = Evidence(
            "", "", watching.id, (), start, end, Insufficient(Reason.NO_EXPOSURE), look.verdict, look.levels, {},
            extended=end - start > HOUR_MS,
        )  # fmt: skip
        history.put(evidence)
        change = step(incident, history, evidence, manifest, watching, end)
        if change is None:
            continue
        before, incident = incident, change.incident
        reopened = before is not None and (before.ordinal, before.level) == (incident.ordinal, incident.level)
        found[incident.level] += incident.resolved_at_ms is None and not reopened
    return +found


@given(
    st.lists(st.tuples(VERDICTS, VERDICTS, VERDICTS, st.integers(1, 3)), min_size=1, max_size=60),
    st.integers(1, 3), st.integers(0, 2), st.integers(1, 3), st.integers(0, 6),
)  # fmt: skip
def test_leaving_out_what_decides_nothing_changes_no_incident(
    drawn: list[tuple[Verdict, Verdict, Verdict, int]], k: int, more: int, clear_after: int, cooldown_h: int
) -> None:
    manifest = of_three_levels(k, k + more, clear_after, cooldown_h)
    looks = [Look(dict(zip(LIMITS, verdicts, strict=True)), overall(verdicts)) for *verdicts, _ in drawn]
    ends = np.arange(1, len(looks) + 1) * HOUR_MS
    starts = ends - np.array([spans for *_, spans in drawn]) * HOUR_MS
    starts[0] = ends[0] - HOUR_MS  # the first window has none to extend over
    found = incidents_by_level(manifest, manifest.surveillance.monitors[0], (), Course.of(looks), ends, starts)
    assert +found == one_by_one(manifest, looks, ends, starts)


@pytest.mark.parametrize(("stride", "a_window"), [(1, 3.0), (1, 150.0), (3, 30.0), (7, 90.0)])
def test_a_window_takes_as_few_earlier_ones_as_bring_its_minimum_sample(stride: int, a_window: float) -> None:
    strata = {"below_min": "accumulate", "min_sample": {"inferences": 200}}
    described: Document = monitor("missing_rate", "hour", {"abs": 0.04}, feature="px")
    manifest = manifest_of(described, strata=strata)
    cell, draws = only_cell(manifest), np.random.default_rng(stride)
    cases = draws.poisson(a_window, 400)
    counts = cell.world.draw(draws, cases, np.zeros(400))
    found = Examiner(manifest, cell.series, cell.scope.scope).extended(counts, stride)
    for at in range(400):
        taken = next((n for n in range(1, at // stride + 2) if cases[at - (n - 1) * stride : at + 1 : stride].sum() >= 200), 1)
        assert found.spans[at] == taken
        assert (found.counts[at] == counts[at - (taken - 1) * stride : at + 1 : stride].sum(axis=0)).all()


def test_windows_of_equal_counts_share_a_finding_and_each_has_its_own() -> None:
    manifest = manifest_of(monitor("missing_rate", "hour", {"abs": 0.04}, feature="px"))
    cell, draws = only_cell(manifest), np.random.default_rng(2)
    counts = cell.world.draw(draws, draws.poisson(20, 300), np.zeros(300))
    examiner = Examiner(manifest, cell.series, cell.scope.scope)
    together, (distinct, place) = examiner.findings(counts), examiner.distinct_findings(counts)
    assert len(distinct) < 200
    assert together == [distinct[at] for at in place.tolist()]
    assert together == [examiner.findings(counts[at : at + 1])[0] for at in range(300)]
    # Of numbers so far apart that they make no common number, too.
    counts[0] = 1 << 40
    assert examiner.findings(counts)[1:] == together[1:]
