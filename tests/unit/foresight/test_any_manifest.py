"""A forecast is made of any manifest that lint lets pass, however odd its numbers: finite, and without a fault of ours."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.foresight.forecast import foresee
from surveillance.foresight.forecast_lines import forecast_body, forecast_text
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import parse_manifest
from tests.unit.foresight.field import DIGEST, Document, document, monitor

SHARES = st.sampled_from([0.0, 1e-9, 0.01, 0.5, 1.0])
SMALL = st.sampled_from([1e-12, 1e-3, 0.05, 0.5, 1.0])
WINDOWS = st.sampled_from(["hour", "day", "week", "month", "minute", "cumulative"])
LATENCIES: list[Document] = [
    {"maturity": {"or_age": "P10D"}},
    {"p50_h": 1e-3, "maturity": {"coverage_min": 0.85}},
    {"p50_h": 18, "p95_h": 96, "p99_h": 240, "expected_coverage": 0.5, "maturity": {"coverage_min": 0.85, "or_age": "P10D"}},
    {"p50_h": 18, "p95_h": 96, "p99_h": 1e5, "expected_coverage": 1.0, "maturity": {"coverage_min": 1.0}},
]


@st.composite
def monitors(draw: st.DrawFn) -> Document:
    window = draw(WINDOWS)
    fields = {"by": draw(st.sampled_from([[], ["site"]])), "min_n": draw(st.sampled_from([0, 10, 10**9]))}
    fields["persistence"] = draw(st.sampled_from([{}, {"k": 1, "of": 1}, {"k": 20, "of": 40}]))
    event = draw(st.sampled_from(["ppv", "npv"]))
    series = draw(
        st.sampled_from([{}, {"mean": 0.01, "sd": 0.002}, {"of": "feature_mean", "feature": "px", "mean": 0.0, "sd": 1}])
    )
    rule = {"rule": draw(st.integers(1, 8)), "period": draw(st.sampled_from(["month", "P1D", "PT1H"]))} | series
    test = {"baseline_frequency_per_1000": draw(st.sampled_from([1e-9, 0.4, 1e3])), "looks": draw(st.sampled_from([1, 12]))}
    odds = {"p0": draw(st.sampled_from([1e-9, 0.1, 1 - 1e-9])), "p1": draw(st.sampled_from([1e-6, 0.2, 0.999]))}
    folding = {"require_mature": draw(st.booleans()), "verification_correction": draw(st.sampled_from(["none", "begg_greenes"]))}
    of_labels = odds | folding | {"event": draw(st.sampled_from(["miss", "false_alert", "override"]))}
    kinds = [
        monitor("bernoulli_cusum", "per_label", {"h": draw(st.sampled_from([1e-6, 4, 1e4]))}, **of_labels),
        monitor("missing_rate", window, {"abs": draw(SHARES)}, feature="px", **fields),
        monitor("psi", window, {"p": draw(SMALL), "effect_min": draw(SHARES)}, feature="px", **fields),
        monitor("proportion_vs_floor", window, {"ci_upper_below": draw(SHARES)}, event=event, **fields),
        monitor("auroc", window, {"ci_upper_below": draw(SHARES)}, **fields),
        monitor("observed_expected", window, {"outside": [0.5, 2]}, **fields),
        monitor("rate", window, {"ci_lower_above": draw(SHARES)}, numerator="undelivered", denominator="alerts", **fields),
        monitor("saturation_share", window, {"ratio_to_baseline": 2}, **fields),
        monitor("variance_ratio", window, {"p": draw(SMALL)}, **fields),
        monitor("identity_mismatch", window, {"ge": 1}, fields=["model_digest"]),
        monitor("duplicate_rate", window, {"above": draw(SHARES)}, **fields),
        monitor("clock_offset_s", window, {"above": draw(st.sampled_from([-1, 0, 120, 1e12]))}, **fields),
        monitor("trend_test", "cumulative", {"p": draw(SMALL)}, **test, **fields),
        monitor("run_rule", "cumulative", {"hit": True}, **rule, **fields),
        monitor("min_value", "cumulative", {"below": 21}, field="cert_days_left", **fields),
    ]  # fmt: skip
    return draw(st.sampled_from(kinds))


@st.composite
def manifests(draw: st.DrawFn) -> Document:
    described = document(
        [draw(monitors())], a_day=draw(st.sampled_from([0.0, 0.01, 50.0, 1e12])), sites=draw(st.sampled_from([1, 300]))
    )
    described["surveillance"]["windows"].append({"id": "minute", "size": "P28D", "slide": "PT1M"})
    described["baselines"]["prevalence"] = draw(SHARES)
    described["baselines"]["operational"]["expected_volume"]["dispersion"] = draw(st.sampled_from([0.5, 1.0, 1e9]))
    described["baselines"]["label_latency"] = draw(st.sampled_from(LATENCIES))
    if draw(st.booleans()):
        described["strata"]["below_min"] = "accumulate"
    if draw(st.booleans()):
        described["strata"]["multiplicity"] = {"method": "benjamini_hochberg"}
    described["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": draw(st.sampled_from([1e-9, 1.0]))}}
    return described


@settings(max_examples=25)
@given(manifests())
def test_any_manifest_has_a_forecast(described: Document) -> None:
    assert not [problem for problem in lint(described) if problem.severity == "error"]
    forecast = foresee(parse_manifest(described), DIGEST)
    assert all(one.per_30_days is None or 0 <= one.per_30_days < math.inf for one in forecast.false_alarms)
    assert all(one.days is None or 0 < one.days < math.inf for one in forecast.foreseen)
    assert forecast_body(forecast)
    assert list(forecast_text(forecast))
