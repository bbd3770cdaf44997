"""Waits and label arrivals are foretold by a simpler monitor that alarms when they do."""

from __future__ import annotations

import pytest

from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import false_alarms_of
from surveillance.foresight.forecast import power_of
from surveillance.foresight.foreseen_harm import ForeseenHarm
from surveillance.foresight.stand_ins import share_longer
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_operational import Figure
from surveillance.manifest.parse import parse_manifest
from tests.unit.foresight.field import DIGEST, Document, document, monitor

LATENCY = {
    "p50_h": 10, "p95_h": 40, "p99_h": 80, "expected_coverage": 0.9, "dispersion": 1.5,
    "maturity": {"coverage_min": 0.85, "or_age": "P10D"},
}  # fmt: skip


def manifest_with(described: Document, **baselines: object) -> Manifest:
    whole = document([described], a_day=2400.0)
    whole["baselines"]["operational"] |= {"ack_latency_s": {"p50": 100, "p95": 500}}
    whole["baselines"] |= baselines
    return parse_manifest(whole)


def waits(above: float) -> Manifest:
    return manifest_with(monitor("quantile", "day", {"above": above}, q=0.95, field="ack_latency_s", censored=True))


def rate(manifest: Manifest) -> float:
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    assert found.per_30_days is not None
    return found.per_30_days


def foreseen(manifest: Manifest) -> ForeseenHarm:
    _, (found,) = power_of(manifest, DIGEST)
    return found


def test_waits_are_log_normal_through_the_stated_quantiles() -> None:
    stated = Figure(p50=100.0, p95=500.0)
    assert share_longer(stated, 100.0) == pytest.approx(0.5)
    assert share_longer(stated, 500.0) == pytest.approx(0.05)


def test_a_limit_far_above_the_stated_quantile_is_quiet_and_one_at_it_is_not() -> None:
    assert rate(waits(2000.0)) == 0.0
    assert rate(waits(480.0)) > 0


def test_a_limit_that_the_quiet_field_never_leaves_is_told_as_such() -> None:
    manifest = waits(200.0)
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    assert "100% of the looks at a quiet field breach it" in found.how


def test_waits_that_get_three_times_as_long_are_seen_and_sooner_by_a_closer_limit() -> None:
    near, far = foreseen(waits(700.0)), foreseen(waits(1200.0))
    assert near.days is not None
    assert far.days is not None
    assert near.days <= far.days
    assert near.smallest is not None
    assert far.smallest is not None
    assert 1 < near.smallest < far.smallest


def test_without_stated_waits_nothing_is_foretold_of_them() -> None:
    described = document([monitor("quantile", "day", {"above": 900.0}, q=0.95, field="latency_ms")])
    assert power_of(parse_manifest(described), DIGEST)[1] == ()


def test_labels_that_fail_to_come_are_seen_by_their_number_or_by_the_coverage_of_what_is_mature() -> None:
    by_number = manifest_with(monitor("label_arrivals_vs_expected", "day", {"p": 0.001}), label_latency=LATENCY)
    assert foreseen(by_number).days == pytest.approx(2.0)
    described = monitor("label_arrivals_vs_expected", "hour", {"p": 1e-12}, min_n=0)
    described["limits"]["pause"] = {"coverage_mature_below": 0.6}
    found = foreseen(manifest_with(described, label_latency=LATENCY))
    # Ten days until a window is mature, and two looks.
    assert found.days is not None
    assert found.days <= 10 + 2 / 24 + 1e-9
    assert found.smallest is not None
    assert found.smallest <= 1 - 0.6 / 0.9 + 1e-9


def test_arrivals_within_their_dispersion_raise_what_their_test_allows() -> None:
    at_once = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}
    described = monitor("label_arrivals_vs_expected", "day", {"p": 0.05}, persistence=at_once)
    assert rate(manifest_with(described, label_latency=LATENCY)) == pytest.approx(30 * 0.05 * 0.95, rel=0.2)


def arrivals(by: list[str]) -> Manifest:
    described = document([monitor("label_arrivals_vs_expected", "day", {"p": 0.001}, by=by)], a_day=2400.0, sites=2)
    described["baselines"]["label_latency"] = LATENCY
    described["strata"]["axes"].append({"id": "sex", "source": "context.sex", "values": ["F", "M"]})
    feature = described["baselines"]["features"][0]
    described["baselines"]["features"] = [feature | {"strata": {"sex": {"F": {"n": 10_000}, "M": {"n": 40_000}}}}]
    return parse_manifest(described)


def test_arrivals_of_any_axis_are_seen_like_those_of_sites() -> None:
    _, of_sex = power_of(arrivals(["sex"]), DIGEST)
    assert [one.scope for one in of_sex] == [(("sex", "F"),), (("sex", "M"),)]
    assert [one.days for one in of_sex] == pytest.approx([2.0, 2.0])
    smaller, larger = (one.smallest for one in of_sex)
    assert smaller is not None
    assert larger is not None
    # A fifth of the labels, so the same test sees a loss about twice as large as that of four fifths.
    assert 1.5 * larger < smaller < 2.5 * larger
    assert rate(arrivals(["sex"])) < 0.1


def test_arrivals_of_two_axes_together_are_judged_cell_by_cell() -> None:
    _, found = power_of(arrivals(["site*sex", "site"]), DIGEST)
    assert {(tuple(axis for axis, _ in one.scope), one.alike) for one in found} == {(("sex", "site"), 2), (("site",), 2)}
    assert all(one.days == pytest.approx(2.0) for one in found)


def told(manifest: Manifest) -> tuple[float | None, str]:
    (found,) = false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])
    return found.per_30_days, found.how


def test_false_alarms_of_waits_that_are_not_stated_are_unknown_and_not_none() -> None:
    described = document([monitor("quantile", "day", {"above": 1.0}, q=0.95, field="latency_ms")])
    per_30_days, how = told(parse_manifest(described))
    assert per_30_days is None
    assert how.startswith("not estimated: baselines.operational.latency_ms")


@pytest.mark.parametrize(
    ("latency", "known"), [(LATENCY, True), (LATENCY | {"expected_coverage": 0.5}, False), ({"p50_h": 10}, False)]
)
def test_a_coverage_is_quiet_only_where_more_of_it_is_expected(latency: Document, known: bool) -> None:
    described = monitor("label_arrivals_vs_expected", "hour", {"coverage_mature_below": 0.6})
    per_30_days, how = told(manifest_with(described, label_latency=latency))
    assert per_30_days == (0.0 if known else None)
    assert how.startswith("none expected" if known else "not estimated")
