"""Each rule of lint, by an edit of a manifest that has nothing to mend."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from detectors.bernoulli_cusum import run_length
from surveillance.manifest.lint import RULES, lint
from surveillance.manifest.lint_view import view_of
from surveillance.manifest.parse import read_structure

MONITOR = "surveillance.monitors"
DRIFT, PROPORTION, IDENTITY = f"{MONITOR}[0]", f"{MONITOR}[1]", f"{MONITOR}[2]"
VOLUME = {"per": "overall", "hour_of_week": {"all": [1] * 168}, "dispersion": 2}
CHART = {"type": "cusum", "of": "feature_mean", "feature": "hr"}
RATIO = {"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"}
SPRT = {"type": "maxsprt_poisson", "expected_per_10k": 10.0, "T": 1.0, "alpha": 0.05}
CUSUM = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.2}
OVERRIDES = {"type": "rate", "numerator": "overrides", "denominator": "actioned_alerts"}
GAP = {"type": "subgroup_gap", "event": "specificity"}
SATURATION = {"type": "saturation_share", "side": "low"}
ARRIVALS = {"type": "label_arrivals_vs_expected"}
TWICE = {"id": "day", "size": "P1D"}


def monitor(metric: dict[str, Any], level: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "extra",
        "hazard_id": "HZ-1",
        "metric": metric,
        "window": "day",
        "limits": {"investigate": level},
        "playbook": "PB",
    } | more


def extra(metric: dict[str, Any], level: dict[str, Any], **more: Any) -> tuple[Any, ...]:
    return (f"{MONITOR}[3]", monitor(metric, level, **more))


def designed(hours: float | None = 1.0, arl0_days: float = 1.0, **metric: Any) -> tuple[Any, ...]:
    """A CUSUM of misses with h 3, its stated run length, and `hours` inferences in every hour, half of them positive."""
    chart = extra(CUSUM | metric, {"h": 3}, window="per_label", design={"arl0_days": {"investigate": arl0_days}})
    if hours is None:
        return chart
    volume = {"expected_volume": {"hour_of_week": {"all": [hours] * 168}, "dispersion": 1}}
    return (*chart, "baselines.operational", volume, "baselines.prevalence", 0.5)


# (edits, path, part of the message)
ERRORS: list[tuple[tuple[Any, ...], str, str]] = [
    # names that point nowhere
    ((f"{DRIFT}.window", "dya"), f"{DRIFT}.window", 'no window "dya"; the nearest is "day"'),
    ((f"{DRIFT}.playbook", "PC"), f"{DRIFT}.playbook", 'no playbook "PC"; the nearest is "PB"'),
    ((f"{DRIFT}.hazard_id", "HZ-2"), f"{DRIFT}.hazard_id", 'no hazard "HZ-2"'),
    ((f"{DRIFT}.by", ["sexe"]), f"{DRIFT}.by[0]", 'no axis "sexe"; the nearest is "sex"'),
    ((f"{DRIFT}.by", ["device"]), f"{DRIFT}.by[0]", 'no axis "device"'),
    ((f"{DRIFT}.by", ["sex*site"]), f"{DRIFT}.by[0]", 'no axis "site"'),
    ((f"{DRIFT}.by", ["sex*sex"]), f"{DRIFT}.by[0]", "expected one axis or two different ones"),
    ((f"{DRIFT}.by", ["sex", "sex"]), f"{DRIFT}.by[1]", 'axis "sex" stands twice'),
    ((f"{DRIFT}.metric.feature", "heart_rate"), f"{DRIFT}.metric.feature", 'no baseline feature "heart_rate"'),
    (("strata.two_way", [["sex", "site"]]), "strata.two_way[0][1]", 'no axis "site"'),
    (
        ("gates.must_not_regress", [{"id": "g", "metric": "auroc", "strata": ["site"]}]),
        "gates.must_not_regress[0].strata[0]",
        "no axis",
    ),
    (
        ("rollout.canary.stop_conditions", [{"id": "s", "metric": "m", "strata": ["site"]}]),
        "rollout.canary.stop_conditions[0].strata[0]",
        "no axis",
    ),
    (("baselines.features[0].strata.site", {"a": {"n": 1}}), "baselines.features[0].strata.site", 'no axis "site"'),
    (("baselines.score", {"strata": {"site": {}}}), "baselines.score.strata.site", 'no axis "site"'),
    (("baselines.operational.strata", {"site": {}}), "baselines.operational.strata.site", 'no axis "site"'),
    (("baselines.metrics", [{"id": "m", "strata": {"site": {}}}]), "baselines.metrics[0].strata.site", 'no axis "site"'),
    (("surveillance.levels.pause", {"owner": "nobody"}), "surveillance.levels.pause.owner", 'no owner "nobody"'),
    (("surveillance.levels.pause", {"notify": ["nobody"]}), "surveillance.levels.pause.notify[0]", 'no owner "nobody"'),
    (("surveillance.levels.pause", {"confirm_by": "nobody"}), "surveillance.levels.pause.confirm_by", 'no owner "nobody"'),
    (("escalation", [{"after": "PT0S", "to": "nobody"}]), "escalation[0].to", 'no owner "nobody"'),
    (("escalation", [{"after": "PT0S", "to": "owner", "levels": ["panic"]}]), "escalation[0].levels[0]", 'no level "panic"'),
    (
        ("surveillance.false_alarm_budget", {"per_30_days": {"panic": 1}}),
        "surveillance.false_alarm_budget.per_30_days.panic",
        "no level",
    ),
    ((f"{DRIFT}.design", {"arl0_days": {"panic": 1}}), f"{DRIFT}.design.arl0_days.panic", "no level"),
    (("rollback.approvers", ["nobody"]), "rollback.approvers[0]", 'no owner "nobody"'),
    (("rollback.initiators", ["nobody"]), "rollback.initiators[0]", 'no owner "nobody"'),
    (("rollback.notifications", [{"who": "nobody"}]), "rollback.notifications[0].who", 'no owner "nobody"'),
    (("rollback.triggers", ["identiti:pause"]), "rollback.triggers[0]", 'no monitor "identiti"; the nearest is "identity"'),
    (("rollback.triggers", ["identity:panic"]), "rollback.triggers[0]", 'no level "panic"'),
    (("rollback.triggers", ["identity"]), "rollback.triggers[0]", "no stop condition"),
    (
        ("rollback.auto_confirm", {"after": "PT1M", "monitors": ["none"]}),
        "rollback.auto_confirm.monitors[0]",
        'no monitor "none"',
    ),
    (("rollback.effectiveness", {"monitors": ["none"]}), "rollback.effectiveness.monitors[0]", 'no monitor "none"'),
    (("regulatory.trend_method", {"monitor": "none"}), "regulatory.trend_method.monitor", 'no monitor "none"'),
    (("regulatory.time_zone", "Europe/Belin"), "regulatory.time_zone", 'the nearest is "Europe/Berlin"'),
    (("waivers", [{"id": "w", "monitor": "none"}]), "waivers[0].monitor", 'no monitor "none"'),
    (("intended_use.claim_coverage", {"CL": ["drift"]}), "intended_use.claim_coverage.CL", 'no claim "CL"'),
    (
        ("intended_use", {"claims": [{"id": "CL"}], "claim_coverage": {"CL": ["none"]}}),
        "intended_use.claim_coverage.CL[0]",
        'no monitor "none"',
    ),
    # names that stand twice
    ((f"{IDENTITY}.id", "drift"), f"{IDENTITY}.id", f'monitor "drift" stands 2 times, first at {DRIFT}.id'),
    (("surveillance.windows[2]", TWICE), "surveillance.windows[2].id", 'window "day" stands 2 times'),
    (("strata.axes[2]", {"id": "sex", "source": "x"}), "strata.axes[2].id", 'axis "sex" stands 2 times'),
    (("hazards[1]", {"id": "HZ-1"}), "hazards[1].id", 'hazard "HZ-1" stands 2 times'),
    (("baselines.features[2]", {"name": "hr"}), "baselines.features[2].name", 'feature "hr" stands 2 times'),
    # digests
    (("release.identities.model.digest", "sha256:AB"), "release.identities.model.digest", "64 lower-case hexadecimal digits"),
    (("release.identities.threshold_config_digest", "v1"), "release.identities.threshold_config_digest", "64 lower-case"),
    # references that do not add up
    (
        ("baselines.features[0].bins.edges", [0, 60, 60, 300]),
        "baselines.features[0].bins.edges",
        "ascending edges, got 60 after 60",
    ),
    (
        ("baselines.features[0].bins.probs", [0.5, 0.5]),
        "baselines.features[0].bins.probs",
        "expected 3 shares for 4 edges, got 2",
    ),
    (
        ("baselines.features[0].bins.probs", [0.2, 0.6, 0.21]),
        "baselines.features[0].bins.probs",
        "add up to 1 within 0.005, got 1.01",
    ),
    (("baselines.features[0].strata.sex.F.probs", [0.1, 0.7, 0.1]), "baselines.features[0].strata.sex.F.probs", "add up to 1"),
    (("baselines.features[0].strata.sex.F.probs", [0.3, 0.7]), "baselines.features[0].strata.sex.F.probs", "expected 3 shares"),
    (("baselines.features[1].probs.sinus", 0.8), "baselines.features[1].probs", "add up to 1"),
    (("baselines.score", {"bins": {"edges": [0, 1], "probs": [0.5]}}), "baselines.score.bins.probs", "add up to 1"),
    (("baselines.output_class", {"probs": {"a": 0.5}}), "baselines.output_class.probs", "add up to 1"),
    (("baselines.features[1].probs", [0.5, 0.5]), "baselines.features[1].probs", "shares in order need bins.edges"),
    (("baselines.features[0].range", [3, 3]), "baselines.features[0].range", "expected lower < upper"),
    (("baselines.label_latency.p95_h", 0.5), "baselines.label_latency", "ascending p50_h, p95_h, p99_h"),
    (("strata.axes[1].bins", [65, 18]), "strata.axes[1].bins", "ascending edges"),
    (("strata.axes[1].bins", [65]), "strata.axes[1].bins", "at least two edges"),
    (("strata.axes[1].labels", ["young"]), "strata.axes[1].labels", "expected 2 labels for 3 edges, got 1"),
    (("strata.axes[1].values", ["young"]), "strata.axes[1].values", "bins or values, not both"),
    (("surveillance.windows[1].slide", "P2D"), "surveillance.windows[1].size", "whole number of slides of P2D, got P7D"),
    (("surveillance.windows[1].slide", "P14D"), "surveillance.windows[1].size", "whole number of slides"),
    # references that are not there
    (("baselines.features[0].bins.probs", None), f"{DRIFT}.metric", 'reference missing: distribution of "hr"'),
    ((f"{DRIFT}.metric.feature", "score"), f"{DRIFT}.metric", 'reference missing: distribution of "score"'),
    (
        extra({"type": "missing_rate", "feature": "rhythm"}, {"ratio_to_baseline": 5}),
        f"{MONITOR}[3].metric",
        'share "missing" of "rhythm"',
    ),
    (
        extra({"type": "missing_rate", "feature": "x"}, {"ratio_to_baseline": 5}),
        f"{MONITOR}[3].metric.feature",
        "no baseline feature",
    ),
    (extra({"type": "absent_rate", "feature": "x"}, {"abs": 0.1}), f"{MONITOR}[3].metric.feature", "no baseline feature"),
    (extra({"type": "out_of_range_rate", "feature": "hr"}, {"abs": 0.1}), f"{MONITOR}[3].metric", 'range of "hr"'),
    (extra(CHART | {"feature": "rhythm"}, {"h": 5}), f"{MONITOR}[3].metric", 'mean of "rhythm"'),
    (extra({"type": "ewma", "of": "score_mean"}, {"h": 5}), f"{MONITOR}[3].metric", 'sd of "score"'),
    (extra({"type": "cusum", "of": "rate", "mean": 0.1}, {"h": 5}), f"{MONITOR}[3].metric", "numerator and denominator"),
    (
        extra({"type": "cusum", "of": "rate", "numerator": "alerts", "denominator": "encounters"}, {"h": 5}),
        f"{MONITOR}[3].metric",
        "mean of the rate, or baselines.operational.alerts_per_100_encounters",
    ),
    (extra({"type": "mix_shift"}, {"p": 0.01}), f"{MONITOR}[3].metric", "reference missing: axis"),
    (extra({"type": "mix_shift", "axis": "sex"}, {"p": 0.01}), f"{MONITOR}[3].metric", 'reference missing: mix of "sex"'),
    (extra({"type": "mix_shift", "axis": "sexe"}, {"p": 0.01}), f"{MONITOR}[3].metric", 'reference missing: mix of "sexe"'),
    (extra({"type": "wasserstein", "feature": "rhythm"}, {"p": 0.01}), f"{MONITOR}[3].metric", 'bins.edges of "rhythm"'),
    (extra({"type": "cusum", "of": "feature_mean"}, {"h": 5}), f"{MONITOR}[3].metric", "reference missing: feature"),
    (extra(SATURATION, {"ratio_to_baseline": 5}), f"{MONITOR}[3].metric", "saturation_share.low"),
    (extra({"type": "variance_ratio"}, {"p": 0.01}), f"{MONITOR}[3].metric", "baselines.score.sd"),
    (extra({"type": "variance_ratio", "feature": "rhythm"}, {"p": 0.01}), f"{MONITOR}[3].metric", 'sd of "rhythm"'),
    (extra(RATIO, {"rr_ci_lower_above": 2}), f"{MONITOR}[3].metric", "baselines.operational.alerts_per_100_encounters"),
    (extra({"type": "volume_vs_expected"}, {"p": 0.01}), f"{MONITOR}[3].metric", "baselines.operational.expected_volume"),
    (
        ("baselines.label_latency.p99_h", None, *extra(ARRIVALS, {"p": 0.01})),
        f"{MONITOR}[3].metric",
        "baselines.label_latency with",
    ),
    (extra({"type": "subgroup_gap", "to": "baseline"}, {"below": 0}), f"{MONITOR}[3].metric", 'baselines.metrics "sensitivity"'),
    (extra({"type": "ood_share"}, {"above": 0.1}), f"{MONITOR}[3].metric", "operating_point.abstain.ood_above"),
    (extra({"type": "auroc"}, {"p": 0.1}), f"{MONITOR}[3].metric", 'baselines.metrics "auroc"'),
    (extra({"type": "brier"}, {"p": 0.1}), f"{MONITOR}[3].metric", 'baselines.metrics "brier"'),
    (extra({"type": "prevalence"}, {"p": 0.1}), f"{MONITOR}[3].metric", "baselines.prevalence"),
    (extra({"type": "quality_mean"}, {"p": 0.1}), f"{MONITOR}[3].metric", "input_quality_mean"),
    ((f"{IDENTITY}.metric.fields", []), f"{IDENTITY}.metric", "names no field to compare"),
    # windows, limits and designs that cannot work
    ((f"{DRIFT}.window", "per_label"), f"{DRIFT}.window", "per_label is for bernoulli_cusum, not for psi"),
    (extra(CHART, {"h": 5}, window=None), f"{MONITOR}[3].window", "charts one point per window"),
    ((f"{DRIFT}.persistence", {"k": 4, "of": 3}), f"{DRIFT}.persistence.k", "expected k <= of, got k 4 of 3"),
    ((f"{DRIFT}.persistence", {"of": 1}), f"{DRIFT}.persistence.k", "expected k <= of, got k 2 of 1"),
    (
        (f"{DRIFT}.limits.pause.persistence", {"k": 4, "of": 3}),
        f"{DRIFT}.limits.pause.persistence.k",
        "expected k <= of, got k 4 of 3",
    ),
    (("surveillance.persistence_default", {"k": 4}), "surveillance.persistence_default.k", "expected k <= of, got k 4 of 3"),
    (
        (f"{PROPORTION}.interval", {"method": "delong"}),
        f"{PROPORTION}.interval.method",
        "proportion_vs_floor takes one of wilson",
    ),
    ((f"{DRIFT}.interval", {"method": "wilson"}), f"{DRIFT}.interval.method", "psi takes no interval, got wilson"),
    (extra(CUSUM | {"p1": 0.1}, {"h": 5}, window="per_label"), f"{MONITOR}[3].metric.p1", "other than p0"),
    (
        extra({"type": "observed_expected"}, {"outside": [1.2, 0.8]}),
        f"{MONITOR}[3].limits.investigate.outside",
        "expected lower < upper",
    ),
    (("rollback.triggers", ["drift:pause"]), "rollback.triggers[0]", "drift alone never rolls back"),
    # numbers that cannot be
    (
        (f"{PROPORTION}.limits.investigate.ci_upper_below", 90),
        f"{PROPORTION}.limits.investigate.ci_upper_below",
        "lies between 0 and 1, got 90, which is breached whatever happens; write a share",
    ),
    (
        extra(OVERRIDES, {"ci_lower_above": 20}),
        f"{MONITOR}[3].limits.investigate.ci_lower_above",
        "got 20, which is never breached",
    ),
    (extra(GAP, {"below": -10}), f"{MONITOR}[3].limits.investigate.below", "lies between -1 and 1, got -10, which is never"),
    (("baselines.prevalence", 6.1), "baselines.prevalence", "expected a share from 0 to 1, got 6.1"),
    (("baselines.metrics", [{"id": "sensitivity", "overall": 91.2}]), "baselines.metrics[0].overall", "expected a share"),
    (
        ("baselines.metrics", [{"id": "auroc", "strata": {"sex": {"F": {"value": 95}}}}]),
        "baselines.metrics[0].strata.sex.F",
        "expected a share",
    ),
    (
        ("operating_point.thresholds", [{"name": "flag", "value": 42}]),
        "operating_point.thresholds[0].value",
        "expected a score of operating_point.score_range, 0 to 1, got 42",
    ),
    (
        ("surveillance.coverage_rules.every_subgroup_metric_detectable", {"effect": 10, "within": "P90D"}),
        "surveillance.coverage_rules.every_subgroup_metric_detectable.effect",
        "a change of a share, at most 1, got 10",
    ),
    # what nobody watches
    (
        ("hazards[1]", {"id": "HZ-2"}, "surveillance.coverage_rules", {"every_hazard_monitored": True}),
        "hazards[1]",
        'no monitor watches hazard "HZ-2"',
    ),
    (
        ("intended_use.claims", [{"id": "CL"}], "surveillance.coverage_rules", {"every_claim_monitored": True}),
        "intended_use.claims[0]",
        'no monitor covers claim "CL"',
    ),
]

WARNINGS: list[tuple[tuple[Any, ...], str, str]] = [
    (("status", "draft"), "status", "draft: not approved"),
    (("status", None), "status", "no status: not approved"),
    (
        extra(CUSUM | {"p1": 0.05}, {"h": 3}, window="per_label"),
        f"{MONITOR}[3].metric.p1",
        "0.05 is below p0 0.1: the chart sees when miss gets rarer",
    ),
    (
        (
            *extra(RATIO, {"rr_ci_lower_above": 0.5}),
            "baselines.operational.alerts_per_100_encounters",
            {"value": 10, "n": 1000},
        ),
        f"{MONITOR}[3].limits.investigate.rr_ci_lower_above",
        "0.5 is breached at the expected rate itself",
    ),
    (("strata.axes[0].source", "context.sexe"), "strata.axes[0].source", 'did you mean "context.sex"?'),
    (("strata.axes[0].source", "context"), "strata.axes[0].source", "which no inference carries"),
    (extra({"type": "min_value", "field": "uptime"}, {"below": 9}), f"{MONITOR}[3].metric.field", 'did you mean "uptime_s"?'),
    (
        extra({"type": "event_count", "filter": {"seriousnes": "death"}}, {"ge": 1}),
        f"{MONITOR}[3].metric.filter.seriousnes",
        'did you mean "seriousness"?',
    ),
    (("hazards[1]", {"id": "HZ-2"}), "hazards[1]", 'no monitor watches hazard "HZ-2"'),
    (("intended_use.claims", [{"id": "CL"}]), "intended_use.claims[0]", 'no monitor covers claim "CL"'),
    ((f"{DRIFT}.playbook", None), f"{DRIFT}.playbook", "names no playbook"),
    ((f"{DRIFT}.hazard_id", None), f"{DRIFT}.hazard_id", "names no hazard"),
    (("owners", {"clinical_lead": {"primary": "user-2"}}), "surveillance.levels.pause.owner", 'default owner "safety_officer"'),
    (("owners.safety_officer", {}), "owners.safety_officer", "nobody is called"),
    ((f"{DRIFT}.by", ["sex", "sex*age"], "strata.two_way", []), f"{DRIFT}.by[1]", "not listed in strata.two_way"),
    (("baselines.features[0].strata.sex.X", {"n": 1}), "baselines.features[0].strata.sex.X", 'has no level "X"'),
    (("rollback.triggers", ["sensitivity:rollback_or_field_safety"]), "rollback.triggers[0]", "this trigger can never fire"),
    (("supersedes_digest", "sha256:ab"), "supersedes_digest", "64 lower-case"),
    (("playbooks.PB.doc", "sha256:ab"), "playbooks.PB.doc", "64 lower-case"),
    (("strata.axes[0].labels", ["a"]), "strata.axes[0].labels", "labels without bins"),
    ((f"{IDENTITY}.metric.fields", ["firmware_digest"]), f"{IDENTITY}.metric", 'no digest for "firmware_digest"'),
    (extra({"type": "missing_rate", "feature": "x"}, {"abs": 0.1}), f"{MONITOR}[3].metric.feature", 'no baseline feature "x"'),
    (
        (
            *("baselines.features", [], f"{DRIFT}.by", []),
            *(f"{DRIFT}.metric", {"type": "missing_rate", "feature": "*"}, f"{DRIFT}.limits", {"pause": {"abs": 0.1}}),
        ),
        f"{DRIFT}.metric.feature",
        "watches nothing",
    ),
    (("release.datasets", {}), f"{DRIFT}.metric", '"hr" has no n'),
    (
        ("baselines.operational.expected_volume", VOLUME, *extra({"type": "volume_vs_expected"}, {"p": 0.01}, by=["sex"])),
        f"{MONITOR}[3].by",
        "expected volumes are per overall",
    ),
    (
        ("baselines.operational.expected_volume", VOLUME | {"per": "site"}, *extra({"type": "volume_vs_expected"}, {"p": 0.01})),
        f"{MONITOR}[3].by",
        "expected volumes are per site",
    ),
    (
        (
            "baselines.operational.expected_volume",
            {"hour_of_week": {"all": [1] * 168}},
            *extra({"type": "volume_vs_expected"}, {"p": 0.01}),
        ),
        f"{MONITOR}[3].metric",
        "expected_volume.dispersion is not set: 1 is assumed",
    ),
    (extra(ARRIVALS, {"p": 0.01}), f"{MONITOR}[3].metric", "label_latency.dispersion is not set: 1 is assumed"),
    (
        ("baselines.label_latency", {"p50_h": 1, "verification": {"flagged": 1}}),
        f"{PROPORTION}.metric",
        "says no coverage of unflagged cases",
    ),
    ((f"{PROPORTION}.metric.require_mature", True), f"{PROPORTION}.metric.require_mature", "no window ever matures"),
    (("surveillance.telemetry", {"schemas": ["inference/1"]}), f"{PROPORTION}.metric", "needs outcome events"),
    (extra(CUSUM, {"h": 5}), f"{MONITOR}[3].window", "expected per_label"),
    (extra(SPRT, {"llr": 2.8}), f"{MONITOR}[3].limits.investigate.llr", "more than alpha 0.05, which needs llr 2.85394"),
    (designed(arl0_days=1e6), f"{MONITOR}[3].design.arl0_days.investigate", "h 3 gives a false alarm every"),
    (designed(hours=None), f"{MONITOR}[3].design.arl0_days.investigate", "cannot be checked without"),
    ((f"{DRIFT}.limits", {}), f"{DRIFT}.limits", "never opens an incident"),
    ((f"{DRIFT}.limits.pause.p", 0.01), f"{DRIFT}.limits.pause.p", "looser than at investigate"),
    ((f"{DRIFT}.limits.pause.effect_min", 0.05), f"{DRIFT}.limits.pause.effect_min", "looser than at investigate"),
    (
        (f"{PROPORTION}.limits.pause.ci_upper_below", 0.95),
        f"{PROPORTION}.limits.pause.ci_upper_below",
        "looser than at investigate",
    ),
    ((f"{IDENTITY}.limits.pause.ge", 60), f"{IDENTITY}.limits.rollback_or_field_safety.ge", "looser than at pause"),
    (
        (
            f"{DRIFT}.limits",
            {"investigate": {"p": 0.001}},
            f"{DRIFT}.by",
            ["age"],
        ),
        f"{DRIFT}.limits.investigate.p",
        "age has no reference of its own",
    ),
    ((f"{DRIFT}.limits", {"mode": "raw", "pause": {"ge": 0.25}}), f"{DRIFT}.limits.mode", "raw distances depend on n"),
    ((f"{PROPORTION}.interval", {"method": "wilson"}), f"{PROPORTION}.interval", "wilson holds for one look at level 0.95"),
    (extra({"type": "auroc"}, {"ci_upper_below": 0.9}, window="week"), f"{MONITOR}[3].interval", "365 times a year"),
    (extra({"type": "auroc"}, {"ci_upper_below": 0.9}, window=None), f"{MONITOR}[3].interval", "cumulative series"),
    (
        extra({"type": "calibration_slope"}, {"outside": [1.1, 1.3]}),
        f"{MONITOR}[3].limits.investigate.outside",
        "lies outside it",
    ),
    (
        ("surveillance.telemetry", {"allowed_latenes": "PT1H"}),
        "surveillance.telemetry.allowed_latenes",
        'the nearest known one is "allowed_lateness"',
    ),
    (("surveillance.telemetry.allowed_lateness", "P2D"), f"{IDENTITY}.persistence", "told later than P1D after the last window"),
    (("relase", {}), "relase", 'the nearest known one is "release"'),
]


def test_the_small_manifest_has_nothing_to_mend(small):
    assert lint(small) == []


@pytest.mark.parametrize(("changes", "path", "message"), ERRORS)
def test_a_manifest_that_cannot_work_has_an_error_at_the_place(edited, changes, path, message):
    found = {problem.path: problem for problem in lint(edited(*changes)) if message in problem.message}
    assert found[path].severity == "error"


@pytest.mark.parametrize(("changes", "path", "message"), WARNINGS)
def test_a_manifest_that_may_not_be_meant_so_has_a_warning_at_the_place(edited, changes, path, message):
    problems = lint(edited(*changes))
    found = {problem.path: problem for problem in problems if message in problem.message}
    assert found[path].severity == "warning"
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_every_rule_has_an_example_here(written_small, apply_edits):
    silent = set(RULES)
    for changes, _, _ in ERRORS + WARNINGS:
        document = apply_edits(copy.deepcopy(written_small), *changes)
        view = view_of(document, *read_structure(document))
        silent -= {rule for rule in silent if view is not None and any(True for _ in rule(view))}
    assert {rule.__name__ for rule in silent} == set()


def test_the_example_of_the_contract_has_no_errors(example):
    assert [str(problem) for problem in lint(example) if problem.severity == "error"] == []


def test_the_example_is_warned_of_its_fixed_looks_and_of_what_is_told_late(example):
    assert [problem.path for problem in lint(example)] == [
        "surveillance.monitors[10].interval",
        "surveillance.monitors[11].interval",
        "surveillance.monitors[2].persistence",
        "surveillance.monitors[3].persistence",
    ]


def counted(*changes: Any, **window: str) -> tuple[Any, ...]:
    """Identities counted in a window of their own, with further edits."""
    lateness = "surveillance.telemetry.allowed_lateness", "P3D"
    return (*lateness, "surveillance.windows[2]", {"id": "own"} | window, f"{IDENTITY}.window", "own", *changes)


@pytest.mark.parametrize(("changes", "where", "parts"), [
    (
        counted(size="PT5M", slide="PT1M"), "persistence",
        ("later than PT1M", "up to P2DT23H56M", "{k: 1, of: 60} sees what is told within an hour",
         "{k: 1, of: 1024} sees what is told within PT17H4M", "wider slide"),
    ),
    (counted(size="PT1H"), "persistence", ("later than PT1H ", "up to P3D", "to mend: persistence {k: 1, of: 72} sees all")),
    (counted(f"{IDENTITY}.persistence", {"k": 2, "of": 3}, size="PT30M"), "persistence",
     ("later than PT1H ", "to mend: persistence {k: 2, of: 145} sees all")),
    (counted(f"{IDENTITY}.persistence", {"k": 1, "of": 10_000}, size="PT1M"), "persistence",
     ("later than PT17H4M", "to mend: a wider slide")),
    (counted(f"{IDENTITY}.persistence", {"of": 3}, f"{IDENTITY}.limits.pause.persistence", {"of": 2}, size="P1D"),
     "limits.pause.persistence", ("later than P2D ", "{k: 1, of: 3}")),
])  # fmt: skip
def test_a_count_that_looks_back_less_far_than_events_may_be_late_is_told_how_to(edited, changes, where, parts):
    (problem,) = lint(edited(*changes))
    assert (problem.path, problem.severity) == (f"{IDENTITY}.{where}", "warning")
    assert [part for part in parts if part not in problem.message] == []


@pytest.mark.parametrize("changes", [
    counted(f"{IDENTITY}.persistence", {"k": 1, "of": 72}, size="PT1H"),
    counted(size="P7D", slide="PT1H"),
    counted("surveillance.telemetry", {"allowed_lateness": "PT1M"}, size="PT1M"),
    counted(f"{IDENTITY}.limits", {}, size="PT1H"),
    counted(f"{IDENTITY}.dry_run", True, size="PT1H"),
    (f"{IDENTITY}.window", "cumulative"),
    (f"{IDENTITY}.window", None),
])  # fmt: skip
def test_a_count_that_sees_whatever_is_told_or_opens_nothing_at_all_is_not(edited, changes):
    assert [problem for problem in lint(edited(*changes)) if "told later" in problem.message] == []


def test_faults_of_one_monitor_do_not_hide_those_of_the_rest(edited):
    problems = lint(
        edited(f"{DRIFT}.limits.pause.p", "low", f"{PROPORTION}.window", "dya", "rollback.triggers", ["drift:pause", "x:pause"])
    )
    assert [problem.path for problem in problems] == [f"{DRIFT}.limits.pause.p", f"{PROPORTION}.window", "rollback.triggers[1]"]


def test_a_hazard_is_not_called_unwatched_while_its_monitor_cannot_be_read(edited):
    edited("hazards[1]", {"id": "HZ-2"}, "surveillance.coverage_rules", {"every_hazard_monitored": True})
    problems = lint(edited(f"{DRIFT}.hazard_id", "HZ-2", f"{DRIFT}.limits.pause.p", "low"))
    assert [problem.path for problem in problems] == [f"{DRIFT}.limits.pause.p"]


def test_a_dry_run_watches_no_hazard(edited):
    edited("hazards[1]", {"id": "HZ-2"}, f"{DRIFT}.hazard_id", "HZ-2")
    assert lint(edited()) == []
    assert [problem.path for problem in lint(edited(f"{DRIFT}.dry_run", True))] == ["hazards[1]"]


@pytest.mark.parametrize(
    "document", [None, 1, [], {}, {"surveillance": None}, {"surveillance": {"monitors": 1}}, {"surveillance": []}]
)
def test_what_is_no_manifest_is_an_answer_and_no_crash(document):
    assert any(problem.severity == "error" for problem in lint(document))


def test_errors_come_first(edited):
    problems = lint(edited("status", "draft", f"{DRIFT}.window", "dya"))
    assert [problem.severity for problem in problems] == ["error", "warning"]


@pytest.mark.parametrize("axis", ["device", "gateway"])
def test_monitors_of_devices_need_no_declared_axis(edited, axis):
    assert lint(edited(*extra({"type": "heartbeat_gap"}, {"missed": 3}, by=[axis], window=None))) == []


def test_a_drift_limit_with_an_effect_or_with_references_of_its_own_is_fine(edited):
    assert lint(edited(f"{DRIFT}.limits", {"investigate": {"p": 0.001}})) == []
    assert lint(edited(f"{DRIFT}.limits", {"investigate": {"p": 0.001, "effect_min": 0.1}}, f"{DRIFT}.by", ["age"])) == []


def test_a_fixed_look_in_a_tumbling_window_is_fine(edited):
    assert lint(edited(f"{PROPORTION}.interval", {"method": "wilson"}, f"{PROPORTION}.window", "day")) == []


def test_shares_may_be_written_rounded(edited):
    assert lint(edited("baselines.features[0].bins.probs", [0.333, 0.333, 0.33])) == []


def test_ppv_needs_no_unflagged_labels(edited):
    assert lint(edited("baselines.label_latency.verification", {}, f"{PROPORTION}.metric.event", "ppv")) == []


def test_a_stated_run_length_is_compared_with_that_of_the_labels_expected(edited):
    """12 positives a day; the small manifest labels half of the unflagged, so 12 (.1 / 2 + .9) = 11.4 labels."""
    labels = run_length(0.1, 0.2, 0.05 / 0.95, 3)
    assert lint(edited(*designed(arl0_days=labels / 11.4))) == []
    (problem,) = lint(edited(*designed(arl0_days=1.1 * labels / 11.4)))
    assert problem.path == f"{MONITOR}[3].design.arl0_days.investigate"


def test_a_corrected_chart_has_the_run_length_of_its_corrected_parameters(edited):
    corrected = {"verification_correction": "begg_greenes"}
    labels = run_length(0.05 / 0.95, 0.1 / 0.9, 0.05 / 0.95, 3)
    assert lint(edited(*designed(arl0_days=labels / 11.4, **corrected))) == []
    assert len(lint(edited(*designed(arl0_days=1.1 * labels / 11.4, **corrected)))) == 1


def test_a_sequential_test_that_holds_its_alpha_at_its_highest_level_is_as_it_should_be(edited):
    """Known answer: critical value 2.853937 for T = 1 and alpha .05 (Kulldorff et al. 2011, table 1)."""
    levels = {"investigate": {"llr": 1.0}, "pause": {"llr": 2.853937}, "rollback_or_field_safety": None}
    watched = monitor(SPRT, {"llr": 1.0}) | {"limits": levels}
    assert [one for one in lint(edited(f"{MONITOR}[3]", watched)) if "alpha" in one.message] == []


@pytest.mark.parametrize(("metric", "level"), [({}, {"llr": 1e9}), ({"T": 1e9}, {"llr": 3.0}), ({"alpha": 1e-60}, {"llr": 3.0})])
def test_numbers_that_no_test_has_take_no_time_and_raise_nothing(edited, metric, level):
    assert all(problem.severity == "warning" for problem in lint(edited(*extra(SPRT | metric, level))))
