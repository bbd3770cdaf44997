"""Months in which all is well at the fleet that the contract's example describes: no more incidents than its budget allows.

The whole manifest is watched as it stands: label charts, MaxSPRT, volume, heartbeats, certificates and all windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from surveillance.manifest.yaml12 import load_document
from tests.scenario.quiet_example import SITES, Told, told_of
from tests.scenario.quiet_fleet import raised

EXAMPLE = Path(__file__).resolve().parents[3] / "shared" / "contract" / "manifest.example.yaml"
if not EXAMPLE.exists():
    pytest.skip("the contract's example is not here: ../shared is not part of this clone", allow_module_level=True)

pytestmark = pytest.mark.slow

DAYS = 35
"""Five weeks: the windows of 28 days fill up, and labels mature in ten days."""
SELDOM = 0.999
"""A budget that is kept is exceeded by chance in one run of a thousand."""


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    return load_document(EXAMPLE.read_bytes(), EXAMPLE.name)


@pytest.fixture(scope="module")
def told(example: dict[str, Any]) -> Told:
    return told_of(example, DAYS, seed=1)


def test_quiet_months_raise_no_more_incidents_of_any_level_than_the_budget(example: dict[str, Any], told: Told) -> None:
    budget = example["surveillance"]["false_alarm_budget"]["per_30_days"]
    assert set(budget) == {"investigate", "pause", "rollback_or_field_safety"}
    seen = raised(told.incidents)
    for level, share in budget.items():
        allowed = stats.poisson.ppf(SELDOM, share * DAYS / 30)
        assert seen[level] <= allowed, [(one["monitor_id"], one["scope"], one["opened_at"]) for one in told.incidents]


def test_they_are_quiet_because_every_monitor_looked_and_not_because_it_was_blind(example: dict[str, Any], told: Told) -> None:
    assert (told.ledger.events, told.ledger.quarantined, told.ledger.late) == (told.ledger.counted, {}, 0)
    assert told.ledger.counted > 10_000 * DAYS
    looked = {one["monitor_id"] for one in told.status if one["verdict"] != "inconclusive" or "last_conclusive" in one}
    # Of the calendar month that has ended by then, the trend has a verdict as well.
    assert looked == {one["id"] for one in example["surveillance"]["monitors"]}
    by_site = {one["scope"]["site"] for one in told.status if one["monitor_id"] == "drift.px_mean" and "site" in one["scope"]}
    assert by_site == set(SITES)
