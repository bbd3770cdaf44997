"""Prevalence, the gap of a subgroup and sites in a funnel, from lines of telemetry to status and incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, replayed_lines, tick

Line = dict[str, Any]
ONCE = {"persistence": {"k": 1, "of": 1}}


class Cases:
    """Labelled cases of consecutive hours, in order of time."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def add(self, hour: int, count: int, *, found: int, label: int = 1, site: str = "s", **fields: Any) -> Cases:
        """`count` cases with that label, of which `found` raised an alert."""
        for at in range(count):
            number, at_ms = len(self.lines), hour * HOUR_MS + MINUTE_MS + len(self.lines)
            score = 0.8 if at < found else 0.2
            self.lines.append(inference(number, at_ms, score, site_id=site, **fields))
            self.lines.append(outcome(number, label, at_ms, site_id=site))
        return self


def told(watched: Iterable[Line], cases: Cases, hours: int = 1, amend: Callable[[Line], None] | None = None) -> list[Line]:
    document = release(*watched)
    document["strata"]["multiplicity"] = {"method": "none"}
    if amend is not None:
        amend(document)
    return replayed_lines([document], [*cases.lines, tick(hours * HOUR_MS + 2 * MINUTE_MS)])


def status(lines: list[Line], name: str, **scope: str) -> Line:
    (line,) = [line for line in lines if line["kind"] == "status" and line["monitor_id"] == name and line["scope"] == scope]
    return line


def opened(lines: list[Line]) -> list[tuple[str, dict[str, str]]]:
    return [(line["monitor_id"], line["scope"]) for line in lines if line["kind"] == "incident" and line["state"] == "open"]


def test_a_prevalence_unlike_the_baseline_opens_an_incident_and_one_like_it_does_not():
    watched = monitor("prev", {"type": "prevalence"}, {"investigate": {"p": 0.001}}, window="w1h", **ONCE)

    def amend(document: Line) -> None:
        document["baselines"]["prevalence"] = {"value": 0.1, "ci95": [0.094, 0.106]}

    usual = told([watched], Cases().add(0, 20, found=18).add(0, 180, found=10, label=0), amend=amend)
    higher = told([watched], Cases().add(0, 50, found=45).add(0, 150, found=10, label=0), amend=amend)
    assert status(usual, "prev")["verdict"] == "met"
    assert opened(usual) == []
    found = status(higher, "prev")["estimate"]
    assert (found["value"], found["n"]) == (0.25, 200)
    assert found["lower"] < 0.25 < found["upper"]
    assert opened(higher) == [("prev", {})]


def test_prevalence_is_compared_with_the_season_of_its_own_scope():
    """The stream is of March: twice the usual prevalence is what the manifest foresees for that month."""

    def amend(document: Line) -> None:
        own = {"vendor": {"Alpha": {"value": 0.25, "n": 900}}}
        factors = [1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1]
        document["baselines"]["metrics"] = [
            {"id": "prevalence", "overall": {"value": 0.1}, "strata": own, "month_factor": factors}
        ]

    watched = monitor("prev", {"type": "prevalence"}, {"investigate": {"p": 0.001}}, by=["vendor"], window="w1h", **ONCE)
    cases = Cases()
    for vendor in ("Alpha", "Beta"):
        cases.add(0, 50, found=45, device_context={"vendor": vendor}).add(
            0, 50, found=4, label=0, device_context={"vendor": vendor}
        )
    lines = told([watched], cases, amend=amend)
    assert opened(lines) == [("prev", {"vendor": "Beta"})]
    assert status(lines, "prev", vendor="Alpha")["estimate"]["p"] == pytest.approx(1.0)


def test_without_a_baseline_prevalence_has_a_number_and_no_verdict_on_p():
    watched = monitor("prev", {"type": "prevalence"}, {"investigate": {"p": 0.001}}, window="w1h")
    found = status(told([watched], Cases().add(0, 10, found=9).add(0, 10, found=1, label=0)), "prev")
    assert found["estimate"]["value"] == 0.5
    assert found["verdict"] == "inconclusive"


GAP = {"type": "subgroup_gap", "event": "sensitivity"}


def test_a_subgroup_that_falls_behind_all_opens_an_incident_of_its_own():
    cases = Cases()
    for vendor, found in (("Alpha", 190), ("Beta", 60)):
        cases.add(0, 200 if vendor == "Alpha" else 100, found=found, device_context={"vendor": vendor})
    watched = monitor("gap", GAP, {"investigate": {"ci_upper_below": -0.05}}, by=["vendor"], window="w1h", **ONCE)
    lines = told([watched], cases)
    behind, ahead = (status(lines, "gap", vendor=vendor) for vendor in ("Beta", "Alpha"))
    assert behind["estimate"]["value"] == pytest.approx(0.6 - 250 / 300)
    assert behind["estimate"]["n"] == 100
    assert behind["estimate"]["upper"] < -0.05
    assert ahead["estimate"]["value"] == pytest.approx(0.95 - 250 / 300)
    assert ahead["verdict"] == "met"
    assert opened(lines) == [("gap", {"vendor": "Beta"})]


def test_a_subgroup_that_always_differed_is_compared_with_its_own_baseline():
    def amend(document: Line) -> None:
        own = {"vendor": {"Beta": {"value": 0.6, "n_pos": 400}}}
        document["baselines"]["metrics"] = [{"id": "sensitivity", "overall": {"value": 0.95, "n_pos": 900}, "strata": own}]

    cases = Cases()
    for vendor, found in (("Alpha", 190), ("Beta", 60)):
        cases.add(0, 200 if vendor == "Alpha" else 100, found=found, device_context={"vendor": vendor})
    metric = GAP | {"to": "baseline"}
    watched = monitor("gap", metric, {"investigate": {"ci_upper_below": -0.05, "p": 0.001}}, by=["vendor"], window="w1h", **ONCE)
    lines = told([watched], cases, amend=amend)
    assert opened(lines) == []
    assert status(lines, "gap", vendor="Beta")["estimate"]["value"] == pytest.approx(0.0)
    assert status(lines, "gap", vendor="Alpha")["estimate"]["value"] == pytest.approx(0.0)


def test_a_gap_of_one_group_alone_is_an_unknown_reference():
    watched = monitor("gap", GAP, {"investigate": {"ci_upper_below": -0.05}}, by=["vendor"], window="w1h")
    cases = Cases().add(0, 30, found=20, device_context={"vendor": "Beta"})
    assert status(told([watched], cases), "gap", vendor="Beta")["reason"] == "unknown_reference"


@pytest.mark.parametrize("below_min", ["accumulate", "pool_to_parent"])
def test_a_small_group_is_neither_extended_nor_pooled_because_all_must_be_of_the_same_time(below_min: str):
    watched = monitor("gap", GAP, {"investigate": {"ci_upper_below": -0.05}}, by=["vendor"], window="w1h", min_n=20)
    cases = Cases()
    for hour in (0, 1):
        cases.add(hour, 100, found=90 - 40 * hour, device_context={"vendor": "Alpha"})
        cases.add(hour, 15, found=12, device_context={"vendor": "Beta"})
    lines = told([watched], cases, hours=2, amend=lambda document: document["strata"].update({"below_min": below_min}))
    small = status(lines, "gap", vendor="Beta")
    assert small["reason"] == "below_minimum_n"
    assert small["estimate"] == {"n": 15, "needed": 20}
    assert status(lines, "gap", vendor="Alpha")["estimate"]["value"] == pytest.approx(50 / 100 - 62 / 115)


def test_the_positives_that_the_strata_ask_for_govern_a_gap_in_sensitivity():
    watched = monitor("gap", GAP, {"investigate": {"ci_upper_below": -0.05}}, by=["vendor"], window="w1h")
    cases = Cases().add(0, 30, found=28, device_context={"vendor": "Alpha"}).add(0, 9, found=3, device_context={"vendor": "Beta"})
    lines = told(
        [watched], cases, amend=lambda document: document["strata"].update({"min_sample": {"positives": 10, "labelled": 1}})
    )
    assert status(lines, "gap", vendor="Beta")["estimate"] == {"n": 9, "needed": 10}
    assert status(lines, "gap", vendor="Alpha")["verdict"] == "met"


def test_the_site_outside_the_funnel_is_named_and_small_ones_inside_it_are_not():
    cases = Cases()
    for number in range(7):
        cases.add(0, 60, found=54 + number % 3, site=f"site-{number}")
    cases.add(0, 60, found=30, site="site-bad").add(0, 8, found=5, site="site-small")
    watched = monitor("sites", {"type": "site_outlier", "event": "sensitivity"}, {"investigate": {"p": 0.001}}, by=["site"],
                      window="w1h", **ONCE)  # fmt: skip
    lines = told([watched], cases)
    assert opened(lines) == [("sites", {"site": "site-bad"})]
    small = status(lines, "sites", site="site-small")
    assert small["verdict"] == "met"
    assert 5 / 8 < small["estimate"]["value"] < 0.95, "drawn towards all sites"


def test_a_funnel_of_a_rate_of_use():
    cases = Cases()
    for number in range(6):
        cases.add(0, 100, found=20 + number % 2, site=f"site-{number}")
    cases.add(0, 100, found=70, site="site-loud")
    metric = {"type": "site_outlier", "numerator": "alerts", "denominator": "encounters"}
    lines = told([monitor("sites", metric, {"investigate": {"p": 0.001}}, by=["site"], window="w1h", **ONCE)], cases)
    assert opened(lines) == [("sites", {"site": "site-loud"})]
    assert status(lines, "sites", site="site-loud")["estimate"]["n"] == 100
