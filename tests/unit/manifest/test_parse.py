from pathlib import Path
from typing import Any

import pytest

from surveillance.errors import InvalidInput, InvalidManifest
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.model_metrics import METRIC_CLASSES
from surveillance.manifest.parse import load_manifest, parse_manifest


def faults(document: Any) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        parse_manifest(document, "m.yaml")
    assert all(problem.severity == "error" for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def test_the_small_manifest_is_read(small):
    assert parse_manifest(small).release.release_id == "small-1"


def test_the_example_of_the_contract_is_read(example):
    manifest = parse_manifest(example)
    assert len(manifest.surveillance.monitors) == 24
    assert {monitor.metric.type for monitor in manifest.surveillance.monitors} <= METRIC_CLASSES.keys()


def test_a_wrong_value_is_named_with_path_expectation_and_value(edited):
    document = edited("surveillance.monitors[2].limits.pause.ge", "high")
    assert faults(document) == ['surveillance.monitors[2].limits.pause.ge: expected number > 0, got "high"']


def test_every_fault_is_named_at_once(edited):
    document = edited("revision", "1", "release.release_id", "", "surveillance.windows[0].size", "1d")
    document = edited("surveillance.monitors[0].metric.type", "pis", "surveillance.monitors[1].limits.pause.h", 4)
    assert faults(document) == [
        'revision: expected whole number >= 0, got "1"',
        'release.release_id: expected text, got ""',
        'surveillance.windows[0].size: expected ISO 8601 duration such as PT5M, got "1d": not an ISO 8601 duration',
        'surveillance.monitors[0].metric.type: expected a metric type, the nearest is psi, got "pis"',
        "surveillance.monitors[1].limits.pause.h: not a limit of proportion_vs_floor, which takes ci_lower_above, ci_upper_below",
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("revision", True, "expected whole number >= 0, got true"),
        ("revision", 1.5, "expected whole number >= 0, got 1.5"),
        ("kind", "Release", 'expected ReleaseManifest, got "Release"'),
        (
            "status",
            "ok",
            'expected one of draft, validation_passed, clinically_reviewed, approved_limited, approved, withdrawn, got "ok"',
        ),
        ("release", [1], "expected map, got [1]"),
        ("owners", "x", 'expected map, got "x"'),
        ("strata.two_way[0]", ["sex"], 'expected list of 2 x text, got ["sex"]'),
        ("strata.below_min", "pass", 'expected one of accumulate, pool_to_parent, got "pass"'),
        ("strata.min_sample", {"inferences": -1}, None),
        ("baselines.prevalence", "x", 'expected number or map, got "x"'),
        ("baselines.features[1].probs.sinus", 1.5, "expected number >= 0 and <= 1, got 1.5"),
        ("baselines.operational", {"override_rate": [1]}, None),
        ("surveillance.effective_from", "2026-05-06", None),
        ("surveillance.effective_from", "2026-05-06T00:00:00", None),
        ("surveillance.windows[0].size", "P1M", None),
        ("surveillance.windows[0].size", "PT0S", None),
        ("surveillance.monitors", {}, "expected list of map, got {}"),
        ("surveillance.monitors[0].by", "sex", 'expected list of text, got "sex"'),
        ("surveillance.monitors[0].min_n", "many", 'expected whole number >= 0, got "many"'),
        ("surveillance.monitors[0].dry_run", "yes", 'expected true or false, got "yes"'),
        ("surveillance.monitors[0].metric", "psi", 'expected map, got "psi"'),
        ("surveillance.monitors[0].metric.concentration", 0, "expected number > 0, got 0"),
        ("surveillance.monitors[0].limits.pause.p", 0, "expected number > 0 and <= 1, got 0"),
        ("surveillance.monitors[0].limits.mode", "normal", 'expected one of null_scaled_chi2, raw, got "normal"'),
        ("surveillance.monitors[0].persistence", {"k": 0}, None),
        ("surveillance.monitors[0].persistence", {"of": 10**308}, None),
        ("surveillance.telemetry", {"heartbeat_interval_s": 1e-9}, None),
        ("surveillance.telemetry", {"heartbeat_interval_s": 1e17}, None),
        ("surveillance.telemetry", {"max_clock_skew_s": 1e308}, None),
        ("surveillance.telemetry", {"allowed_lateness": "P99999999999D"}, None),
        ("surveillance.windows[0].size", "PT9999999999999999999S", None),
        ("surveillance.monitors[1].interval", {"method": "wilsn"}, None),
        ("surveillance.monitors[1].interval", {"level": 95}, None),
        ("playbooks.PB.reportability_form", "maybe", None),
    ],
)
def test_a_value_of_another_kind_is_refused(edited, path, value, message):
    (fault,) = faults(edited(path, value))
    assert fault.startswith(path)
    if message is not None:
        assert fault == f"{path}: {message}"


@pytest.mark.parametrize(
    "section", ["api_version", "kind", "manifest_id", "revision", "release", "strata", "baselines", "surveillance", "owners"]
)
def test_a_required_section_is_required(edited, removed, section):
    (fault,) = faults(edited(section, removed))
    assert fault.startswith(f"{section}: required, but missing")


def test_everything_else_has_a_default():
    bare = {
        "api_version": "pms.manifest/v1",
        "kind": "ReleaseManifest",
        "manifest_id": "m",
        "revision": 0,
        "release": {"release_id": "r"},
    }
    manifest = parse_manifest(bare | {"strata": None, "baselines": None, "surveillance": {}, "owners": None})
    telemetry = manifest.surveillance.telemetry
    assert (telemetry.out_of_orderness_ms, telemetry.allowed_lateness_ms, telemetry.retransmit_window_ms) == (
        60_000,
        72 * 3_600_000,
        7 * 86_400_000,
    )
    assert (telemetry.heartbeat_interval_ms, telemetry.max_clock_skew_ms) == (60_000, 120_000)
    default = manifest.surveillance.persistence_default
    assert (default.k, default.of, default.clear_after, default.cooldown_ms) == (2, 3, 3, 6 * 3_600_000)
    assert manifest.surveillance.levels.pause.auto_emit is None
    assert manifest.rollback.auto_confirm is None
    assert manifest.rollback.triggers == ()


@pytest.mark.parametrize(
    "path",
    ["surveillance.monitors[0].by", "surveillance.monitors[0].limits.pause", "surveillance.telemetry", "hazards", "rollback"],
)
def test_a_key_with_nothing_after_it_is_not_there(edited, path):
    parse_manifest(edited(path, None))


def test_a_null_inside_a_list_or_a_map_of_numbers_is_no_zero(edited):
    assert faults(edited("baselines.features[1].probs.other", None)) == [
        "baselines.features[1].probs.other: expected number >= 0 and <= 1, got null"
    ]


@pytest.mark.parametrize(
    ("path", "key", "nearest"),
    [
        ("surveillance.monitors[0]", "hazzard_id", "hazard_id"),
        ("surveillance.monitors[0].metric", "featur", "feature"),
        ("surveillance.monitors[0].limits", "investigat", "investigate"),
        ("surveillance.monitors[0].persistence", "K", "k"),
        ("surveillance.monitors[0].limits.pause.persistence", "cooldwn", "cooldown"),
        ("surveillance.monitors[0].interval", "methd", "method"),
    ],
)
def test_a_misspelt_key_in_a_monitor_is_refused_and_the_nearest_named(edited, path, key, nearest):
    assert faults(edited(f"{path}.{key}", 1)) == [f'{path}.{key}: unknown key; the nearest known one is "{nearest}"']


def test_a_misspelt_limit_is_refused_and_the_nearest_of_its_type_named(edited):
    (fault,) = faults(edited("surveillance.monitors[0].limits.pause.effect_mn", 1))
    assert fault.endswith('not a limit of psi, which takes e, effect_min, p; the nearest is "effect_min"')


@pytest.mark.parametrize(
    "key",
    [
        "x-note",
        "surveillance.x-note",
        "surveillance.monitors[0].x-note",
        "surveillance.monitors[0].limits.pause.x-note",
        "baselines.operational.x-note",
        "release.identities.x-note",
        "extensions",
    ],
)
def test_extensions_are_free(edited, key):
    parse_manifest(edited(key, {"anything": [1]}))


@pytest.mark.parametrize(
    "section", ["", "release.", "strata.", "baselines.", "surveillance.", "surveillance.telemetry.", "rollback."]
)
def test_unknown_keys_outside_monitors_do_not_stop_use(edited, section):
    parse_manifest(edited(f"{section}unheard_of", 1))


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ({}, "states no condition; expected ge, or null for never"),
        ({"ge": None}, "states no condition; expected ge, or null for never"),
        ({"persistence": {"k": 1}}, "states no condition; expected ge, or null for never"),
    ],
)
def test_a_level_without_a_condition_would_always_be_breached_and_is_refused(edited, level, message):
    assert faults(edited("surveillance.monitors[2].limits.pause", level)) == [f"surveillance.monitors[2].limits.pause: {message}"]


def test_a_qualifier_alone_is_no_condition(edited):
    edited("surveillance.monitors[2].metric", {"type": "heartbeat_gap"})
    (fault,) = faults(edited("surveillance.monitors[2].limits", {"pause": {"gateways": 2}}))
    assert "states no condition; expected missed" in fault


# The last column of contract/monitors.md.
ROWS: list[tuple[str, set[str]]] = [
    ("psi js ks wasserstein tv", {"p", "effect_min", "e"}),
    ("missing_rate absent_rate out_of_range_rate", {"abs", "ratio_to_baseline", "abs_min"}),
    ("cusum ewma bernoulli_cusum", {"h"}),
    ("saturation_share", {"abs", "ratio_to_baseline"}),
    ("variance_ratio", {"p", "identical_windows"}),
    ("mismatch_count identity_mismatch", {"ge"}),
    ("proportion_vs_floor rate", {"ci_upper_below", "ci_lower_above"}),
    ("auroc brier spiegelhalter calibration_error", {"ci_upper_below", "ci_lower_above", "p"}),
    ("observed_expected calibration_slope calibration_intercept", {"outside"}),
    ("poisson_rate_ratio", {"rr_ci_lower_above", "sustained"}),
    ("quantile duplicate_rate clock_offset_s", {"above"}),
    ("label_arrivals_vs_expected", {"p", "coverage_mature_below"}),
    ("heartbeat_gap", {"missed", "gateways"}),
    ("volume_vs_expected trend_test", {"p"}),
    ("maxsprt_poisson", {"llr"}),
    ("event_count", {"ge", "confirmed_causal"}),
    ("run_rule", {"hit"}),
    ("min_value", {"below"}),
    (
        "prevalence subgroup_gap site_outlier mix_shift ood_share quality_mean",
        {"ci_upper_below", "ci_lower_above", "p", "above", "below"},
    ),
]
LIMIT_KEYS = {metric_type: keys for types, keys in ROWS for metric_type in types.split()}
PARAMETERS: dict[str, dict[str, Any]] = {
    **{
        key: {"feature": "hr"}
        for key in ("psi", "js", "ks", "wasserstein", "tv", "missing_rate", "absent_rate", "out_of_range_rate")
    },
    "bernoulli_cusum": {"event": "miss", "p0": 0.1, "p1": 0.2},
    "proportion_vs_floor": {"event": "ppv"},
    "poisson_rate_ratio": {"numerator": "alerts", "exposure": "encounters"},
    "rate": {"numerator": "overrides", "denominator": "actioned_alerts"},
    "quantile": {"q": 0.95, "field": "latency_ms"},
    "maxsprt_poisson": {"expected_per_10k": 0.8, "T": 200, "M": 4},
    "trend_test": {"baseline_frequency_per_1000": 0.4},
    "min_value": {"field": "cert_days_left"},
}
VALUES: dict[str, Any] = {"outside": [0.5, 2], "sustained": "PT4H", "confirmed_causal": True, "hit": True, "exhausted": True}
WHOLE = {"identical_windows": 3, "missed": 3, "gateways": 2}


def value_of(key: str) -> Any:
    return VALUES.get(key, WHOLE.get(key, 0.5))


def test_every_metric_type_of_the_contract_is_known():
    assert METRIC_CLASSES.keys() == LIMIT_KEYS.keys()


@pytest.mark.parametrize("metric_type", LIMIT_KEYS)
def test_a_metric_type_takes_the_limit_keys_of_its_row(edited, metric_type):
    edited("surveillance.monitors[0].metric", {"type": metric_type, **PARAMETERS.get(metric_type, {})})
    level = {key: value_of(key) for key in LIMIT_KEYS[metric_type]}
    manifest = parse_manifest(edited("surveillance.monitors[0].limits", {"pause": level}))
    assert manifest.surveillance.monitors[0].limits.by_level["pause"].keys.keys() == level.keys()


EVERY_KEY = set().union(*LIMIT_KEYS.values()) | {"e", "exhausted"}
ALSO_TAKEN = {"e": {"mix_shift", "spiegelhalter", "calibration_error"}, "exhausted": {"maxsprt_poisson"}}
ALSO_TAKEN |= {"abs_min": {"saturation_share"}, "effect_min": {"mix_shift"}}


@pytest.mark.parametrize("metric_type", LIMIT_KEYS)
def test_a_metric_type_refuses_the_limit_keys_of_other_rows(edited, metric_type):
    edited("surveillance.monitors[0].metric", {"type": metric_type, **PARAMETERS.get(metric_type, {})})
    foreign = {key for key in EVERY_KEY - LIMIT_KEYS[metric_type] if metric_type not in ALSO_TAKEN.get(key, ())}
    edited("surveillance.monitors[0].limits", {"pause": {key: value_of(key) for key in foreign}})
    named = {fault.split(":")[0].rpartition(".")[2] for fault in faults(edited())}
    assert foreign <= named


def test_a_raw_distance_has_ge_and_no_p(edited):
    raw = {"mode": "raw", "pause": {"ge": 0.25}}
    assert parse_manifest(edited("surveillance.monitors[0].limits", raw)).surveillance.monitors[0].limits.mode == "raw"
    (fault,) = faults(edited("surveillance.monitors[0].limits", {"mode": "raw", "pause": {"p": 0.01}}))
    assert "pause.p: not a limit of psi" in fault
    (fault,) = faults(edited("surveillance.monitors[0].limits", {"pause": {"ge": 0.25}}))
    assert "pause.ge: not a limit of psi" in fault


def test_a_metric_without_a_type_is_named(edited, removed):
    assert faults(edited("surveillance.monitors[0].metric.type", removed)) == [
        "surveillance.monitors[0].metric.type: required, but missing: expected the type of the metric"
    ]


def test_one_and_one_point_zero_are_read_alike_as_they_have_one_digest(edited):
    whole = parse_manifest(edited("revision", 3))
    point = parse_manifest(edited("revision", 3.0))
    assert whole == point


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_map_is_refused(document):
    (fault,) = faults(document)
    assert fault.startswith("expected a map of sections")


def test_a_document_json_cannot_write_is_refused(edited):
    (fault,) = faults(edited("x-note", float("nan")))
    assert fault == "x-note: expected a finite number, got nan"


def test_a_file_gives_manifest_document_and_digest(tmp_path: Path, small):
    path = tmp_path / "m.yaml"
    path.write_bytes((Path(__file__).parent / "small.yaml").read_bytes())
    manifest, document, digest = load_manifest(path)
    assert (manifest, document, digest) == (parse_manifest(small), small, manifest_digest(small))


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path):
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_manifest(tmp_path / "none.yaml")


def test_the_error_of_a_file_names_the_file(tmp_path: Path):
    path = tmp_path / "m.yaml"
    path.write_text("a: 1")
    with pytest.raises(InvalidManifest, match=r"m\.yaml: 9 problem"):
        load_manifest(path)


def test_unknown_identities_do_not_stop_use(edited):
    parse_manifest(edited("release.identities.notes", ["a"], "release.identities.labeller", {"id": 1}))
