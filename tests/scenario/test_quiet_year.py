"""A year in which all is well stays inside the budget that its manifest states, when lint says that it would."""

from __future__ import annotations

import pytest

from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import false_alarms_of
from surveillance.foresight.fitting import budget_of
from surveillance.incidents.lines import Line
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.parse import parse_manifest
from tests.scenario.quiet_fleet import Harm, incidents_of, manifest, raised

DAYS = 364


@pytest.fixture(scope="module")
def quiet_year() -> list[Line]:
    return incidents_of(manifest(), DAYS, seed=7)


def foretold() -> dict[str, float]:
    document = manifest()
    parsed = parse_manifest(document)
    field, digest = assumptions_of(parsed), manifest_digest(document)
    alarms = [one for each in parsed.surveillance.monitors for one in false_alarms_of(parsed, digest, field, each)]
    lines = budget_of(parsed, alarms)
    assert all(line.fits for line in lines)
    assert all(one.per_30_days is not None for one in alarms)
    return {line.level: line.expected for line in lines}


def test_a_quiet_year_stays_inside_the_budget_and_near_what_lint_foretells(quiet_year: list[Line]) -> None:
    budget = manifest()["surveillance"]["false_alarm_budget"]["per_30_days"]
    expected, seen = foretold(), raised(quiet_year)
    assert expected["investigate"] > 0.05, "a manifest that can raise nothing would prove nothing"
    for level, share in budget.items():
        assert seen[level] <= share * DAYS / 30
    # A Poisson count of the year, three standard deviations to each side.
    mean = expected["investigate"] * DAYS / 30
    assert mean - 3 * mean**0.5 <= seen["investigate"] <= mean + 3 * mean**0.5


def test_the_same_fleet_with_a_harm_in_it_is_not_quiet() -> None:
    lines = incidents_of(manifest(), 90, seed=7, harm=Harm(day=45, sensitivity=0.7))
    opened = [line for line in lines if line["monitor_id"] == "sensitivity" and line["state"] == "open"]
    assert [line["scope"] for line in opened][:1] == [{"site": "site-0"}]
    assert opened[-1]["level"] == "pause"
