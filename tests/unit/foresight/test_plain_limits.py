"""A limit on a plain value that is too near gets one proposed that fits: family by family, and under another digest too."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from surveillance.foresight import false_alarms, quiet_time
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import false_alarms_of
from surveillance.foresight.fitting import Fit, budget_of, fits_of, over_budget
from surveillance.foresight.forecast import foresee
from surveillance.foresight.forecast_lines import forecast_body, forecast_text
from surveillance.foresight.plain_limits import PlainLimit, fitting_value, plain_limit
from surveillance.foresight.simulated_rate import Rate
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import parse_manifest
from tests.unit.foresight.field import DIGEST, FEATURE, Document, document, manifest_of, monitor

AT_ONCE = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}
BUDGET = 0.5
MIX = {"name": "sex", "kind": "categorical", "n": 50_000, "probs": {"F": 0.5, "M": 0.3, "X": 0.2}}
PLAIN = [
    monitor("prevalence", "day", {"above": 0.11}, persistence=AT_ONCE, min_n=50),
    monitor("prevalence", "day", {"below": 0.08}, persistence=AT_ONCE),
    monitor("ood_share", "day", {"above": 0.025}, persistence=AT_ONCE),
    monitor("quality_mean", "day", {"below": 0.897}, persistence=AT_ONCE),
    monitor("duplicate_rate", "hour", {"above": 0.05}, persistence={"k": 2, "of": 3}),
    monitor("mix_shift", "day", {"above": 0.02}, axis="sex", persistence=AT_ONCE),
    monitor("psi", "day", {"ge": 0.012}, feature="px", persistence=AT_ONCE),
    monitor("tv", "week", {"ge": 0.01}, feature="score", persistence=AT_ONCE, by=["site"]),
    monitor("subgroup_gap", "week", {"below": -0.005}, event="specificity", persistence=AT_ONCE, by=["site"]),
]
"""By the family of what is simulated: labels, rates, events, bins, and groups beside each other."""


@pytest.fixture(autouse=True)
def less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less is simulated than lint does: the limits lie a little farther out for it."""
    monkeypatch.setattr(false_alarms, "MOST_LOOKS", 20_000)
    monkeypatch.setattr(quiet_time, "LOOKS_TOGETHER", 400)
    monkeypatch.setattr(quiet_time, "LOOKS_ALONE", 1200)


def over_the_budget(described: Document) -> Document:
    axes = [{"id": "site", "source": "site_id"}, {"id": "sex", "source": "context.sex", "values": ["F", "M", "X"]}]
    whole = document([copy.deepcopy(described)], a_day=600.0, sites=3, strata={"axes": axes})
    whole["baselines"]["features"] = [FEATURE, MIX]
    whole["baselines"]["operational"]["duplicate_rate"] = 0.04
    whole["operating_point"] = {"abstain": {"ood_above": 0.9}}
    limits = whole["surveillance"]["monitors"][0]["limits"]
    if "ge" in limits["investigate"]:
        limits["mode"] = "raw"
    whole["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": BUDGET}}
    return whole


def proposed(whole: Document, digest: str) -> tuple[list[Fit], bool]:
    """Limits that would fit, and whether the budget is exceeded."""
    manifest = parse_manifest(whole)
    field = assumptions_of(manifest)
    alarms = [one for each in manifest.surveillance.monitors for one in false_alarms_of(manifest, digest, field, each)]
    lines = budget_of(manifest, alarms)
    return list(fits_of(manifest, digest, field, alarms, lines)), bool(over_budget(lines))


@pytest.mark.parametrize("described", PLAIN, ids=lambda one: f"{one['id']}-{next(iter(one['limits']['investigate']))}")
def test_the_proposed_value_put_into_the_manifest_keeps_the_budget(described: Document) -> None:
    whole = over_the_budget(described)
    (fit,), exceeded = proposed(whole, DIGEST)
    ((key, now),) = described["limits"]["investigate"].items()
    assert exceeded
    assert (fit.key, fit.now, fit.share) == (key, now, BUDGET)
    assert fit.value is not None
    assert (fit.value < now) if key == "below" else (fit.value > now)
    limit = whole["surveillance"]["monitors"][0]["limits"]["investigate"]
    limit[key] = fit.value
    assert not [problem for problem in lint(whole) if problem.severity == "error"]
    for digest in (DIGEST, "sha256:" + "1" * 64):
        assert proposed(whole, digest) == ([], False)
    # And it is no farther out than it must be: half the way there is too near.
    limit[key] = (now + fit.value) / 2
    assert proposed(whole, DIGEST)[1]


def rate_of_normal(shift: float = 0.0) -> Rate:
    """Upper tail of a standard normal, per 30 days of daily looks."""
    tail = 0.5 * math.erfc(shift / math.sqrt(2))
    return Rate(30 * tail, 0.0, tail)


def test_the_value_is_the_nearest_of_the_rarer_ones_that_fits() -> None:
    values = np.random.default_rng(3).standard_normal(100_000)
    above = fitting_value(PlainLimit("above", 1.0, 1, math.inf), values, rate_of_normal, 0.1)
    below = fitting_value(PlainLimit("below", -1.0, -1, -math.inf), values, lambda value: rate_of_normal(-value), 0.1)
    assert above is not None
    assert below is not None
    # 30 tails of 2.71 standard deviations are a tenth; the values tried halve the tail from one to the next.
    assert 2.71 <= above <= 2.95
    assert -2.95 <= below <= -2.71


def test_where_no_value_that_was_seen_fits_it_lies_beyond_them_or_there_is_none() -> None:
    values = np.linspace(0.0, 0.5, 101)

    def rate(value: float) -> Rate:
        return Rate(1.0, 0.0, 0.1) if value < 0.55 else Rate(0.0, 0.2, 0.0)

    assert fitting_value(PlainLimit("above", 0.1, 1, 1.0), values, rate, 0.01) == pytest.approx(0.563)
    assert fitting_value(PlainLimit("above", 0.1, 1, 0.56), values, rate, 0.01) is None
    assert fitting_value(PlainLimit("above", 0.5, 1, 1.0), values, rate, 0.01) is None


def test_only_what_compares_the_value_itself_is_a_plain_limit() -> None:
    def of(described: Document) -> PlainLimit | None:
        (found,) = manifest_of(described).surveillance.monitors
        return plain_limit(found.metric, found.limits.by_level["investigate"])

    assert of(monitor("prevalence", "day", {"above": 0.2})) == ("above", 0.2, 1, 1.0)
    assert of(monitor("clock_offset_s", "hour", {"above": 120})) == ("above", 120, 1, math.inf)
    assert of(monitor("prevalence", "day", {"ci_lower_above": 0.2})) is None


def test_where_no_number_of_a_level_can_be_moved_that_is_said() -> None:
    rule: Document = {
        "id": "means", "metric": {"type": "run_rule", "rule": 2, "period": "P1D", "mean": 0.01, "sd": 0.002},
        "window": "cumulative", "limits": {"investigate": {"hit": True}},
    }  # fmt: skip
    whole = document([rule], a_day=5000.0)
    whole["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 1e-4}}
    forecast = foresee(parse_manifest(whole), DIGEST)
    assert "of none of its limits can a value be foretold that would keep it" in "\n".join(forecast_text(forecast))
    assert forecast_body(forecast)["false_alarms"]["would_fit"] == [
        {"monitor_id": "means", "level": "investigate", "share": 1e-4}
    ]
