import pytest

from surveillance.manifest.parse import parse_manifest


def test_digests_are_found_by_the_names_telemetry_uses(edited):
    edited("release.identities.threshold_config_digest", "sha256:t", "release.identities.firmware_digest", "sha256:f")
    edited("release.identities.source_commit", "abc", "release.identities.labeller", {"id": "x", "digest": "sha256:l"})
    digests = parse_manifest(edited("release.identities.model.digest", "sha256:m")).release.identities.digests
    assert digests == {
        "model_digest": "sha256:m",
        "threshold_config_digest": "sha256:t",
        "firmware_digest": "sha256:f",
        "labeller_digest": "sha256:l",
    }


def test_a_scope_has_its_own_reference_where_the_manifest_gives_one(small):
    manifest = parse_manifest(small)
    feature = manifest.baselines.feature("hr")
    own = feature.distribution_of("sex", "F")
    assert (own.edges, own.probs, own.n) == ((0, 60, 100, 300), (0.1, 0.7, 0.2), 500)
    assert feature.distribution_of("sex", "unknown") is None
    assert feature.distribution_of("age", "[18,65)") is None
    assert (feature.distribution.probs, feature.distribution.n, manifest.baseline_n) == ((0.2, 0.6, 0.2), None, 1000)


def test_categories_are_levels_in_the_order_written(small):
    distribution = parse_manifest(small).baselines.feature("rhythm").distribution
    assert (distribution.edges, distribution.levels, distribution.probs) == (None, ("sinus", "other"), (0.9, 0.1))
    assert parse_manifest(small).baselines.feature("rhythm").kind == "categorical"


def test_an_axis_names_its_levels(edited):
    edited("strata.axes[1].labels", ["young", "old"])
    manifest = parse_manifest(edited("strata.axes[2]", {"id": "site", "source": "site_id"}))
    assert [axis.levels for axis in manifest.strata.axes] == [("F", "M"), ("young", "old"), None]


def test_bins_without_labels_are_named_by_their_edges(small):
    assert parse_manifest(small).axis("age").levels == ("[18,65)", "[65,120)")


def test_levels_written_as_numbers_are_text(edited):
    assert parse_manifest(edited("strata.axes[0].values", [0, 1, True, "x"])).axis("sex").levels == ("0", "1", "true", "x")


def test_windows_slide_by_their_size_unless_they_say_otherwise(small):
    day, week = parse_manifest(small).surveillance.windows
    assert (day.size_ms, day.slide_ms, day.is_sliding) == (86_400_000, 86_400_000, False)
    assert (week.size_ms, week.slide_ms, week.is_sliding) == (604_800_000, 86_400_000, True)


def test_a_level_that_is_null_or_absent_is_never(edited):
    manifest = parse_manifest(edited("surveillance.monitors[0].limits.pause", None))
    assert list(manifest.surveillance.monitors[0].limits.by_level) == ["investigate"]


def test_conditions_leave_qualifiers_out(edited):
    edited(
        "surveillance.monitors[0].metric", {"type": "poisson_rate_ratio", "numerator": "alert_onsets", "exposure": "encounters"}
    )
    limits = {"pause": {"rr_ci_lower_above": 2, "sustained": "PT4H", "persistence": {"k": 1}}}
    limit = parse_manifest(edited("surveillance.monitors[0].limits", limits)).surveillance.monitors[0].limits.pause
    assert limit.conditions == {"rr_ci_lower_above": 2}
    assert limit.sustained_ms == 4 * 3_600_000


def test_two_way_axes_are_pairs(edited):
    monitor = parse_manifest(edited("surveillance.monitors[0].by", ["sex", "sex*age"])).surveillance.monitors[0]
    assert monitor.axes == (("sex",), ("sex", "age"))


@pytest.mark.parametrize(
    ("window", "cumulative", "per_label", "repeated"),
    [
        (None, True, False, True),
        ("cumulative", True, False, True),
        ("per_label", False, True, False),
        ("day", False, False, False),
        ("week", False, False, True),
    ],
)
def test_windows_by_name(edited, window, cumulative, per_label, repeated):
    manifest = parse_manifest(edited("surveillance.monitors[1].window", window))
    monitor = manifest.surveillance.monitors[1]
    assert (monitor.is_cumulative, monitor.is_per_label, manifest.is_looked_at_repeatedly(monitor)) == (
        cumulative,
        per_label,
        repeated,
    )


@pytest.mark.parametrize(
    ("window", "method"),
    [("week", "confidence_sequence"), ("cumulative", "confidence_sequence"), (None, "confidence_sequence"), ("day", "wilson")],
)
def test_proportions_have_an_interval_that_suits_how_often_they_are_looked_at(edited, window, method):
    manifest = parse_manifest(edited("surveillance.monitors[1].window", window))
    assert manifest.interval_of(manifest.surveillance.monitors[1]).method == method


def test_an_interval_that_is_asked_for_is_taken(edited):
    manifest = parse_manifest(edited("surveillance.monitors[1].interval", {"method": "clopper_pearson", "level": 0.99}))
    interval = manifest.interval_of(manifest.surveillance.monitors[1])
    assert (interval.method, interval.level) == ("clopper_pearson", 0.99)


@pytest.mark.parametrize(
    ("metric", "method"),
    [("observed_expected", "exact_poisson"), ("calibration_slope", "wald"), ("auroc", "delong"), ("duplicate_rate", None)],
)
def test_other_metrics_have_the_interval_of_their_kind(edited, metric, method):
    edited("surveillance.monitors[1].limits", {})
    manifest = parse_manifest(edited("surveillance.monitors[1].metric", {"type": metric}))
    assert manifest.interval_of(manifest.surveillance.monitors[1]).method == method


def held(manifest, index, level):
    persistence = manifest.persistence_of(manifest.surveillance.monitors[index], level)
    return persistence.k, persistence.of, persistence.clear_after, persistence.cooldown_ms


SIX_HOURS = 6 * 3_600_000


def test_a_count_opens_at_the_first_crossing_and_a_window_metric_by_the_default(small):
    manifest = parse_manifest(small)
    assert held(manifest, 0, "pause") == (2, 3, 3, SIX_HOURS)
    assert held(manifest, 2, "pause") == (1, 1, 3, SIX_HOURS)


def test_a_monitors_own_persistence_goes_before_the_default(edited):
    edited("surveillance.monitors[2].persistence", {"k": 2, "of": 4})
    manifest = parse_manifest(edited("surveillance.monitors[0].persistence", {"clear_after": 5, "cooldown": "PT0S"}))
    assert held(manifest, 2, "pause") == (2, 4, 3, SIX_HOURS)
    assert held(manifest, 0, "pause") == (2, 3, 5, 0)


def test_a_levels_own_persistence_goes_before_the_monitors(edited):
    edited("surveillance.monitors[0].persistence", {"k": 2, "of": 4})
    manifest = parse_manifest(edited("surveillance.monitors[0].limits.pause.persistence", {"k": 1}))
    assert held(manifest, 0, "investigate") == (2, 4, 3, SIX_HOURS)
    assert held(manifest, 0, "pause") == (1, 4, 3, SIX_HOURS)


def test_k_alone_beyond_the_inherited_span_means_k_windows_in_a_row(edited):
    manifest = parse_manifest(edited("surveillance.monitors[0].persistence", {"k": 5}))
    assert held(manifest, 0, "pause")[:2] == (5, 5)


def test_an_unknown_level_has_no_persistence(small):
    manifest = parse_manifest(small)
    with pytest.raises(KeyError):
        manifest.persistence_of(manifest.surveillance.monitors[0], "panic")
    with pytest.raises(KeyError):
        manifest.surveillance.levels.of("panic")


def test_operational_figures_are_numbers_or_maps(edited):
    operational = {
        "alerts_per_100_encounters": {"value": 11.8, "ci95": [11, 12], "n": 100},
        "input_quality_mean": 0.87,
        "overrides_per_100_alerts": {"value": 3, "strata": {"sex": {"F": 2}}},
        "strata": {"sex": {"M": {"alerts_per_100_encounters": {"value": 9}}}},
    }
    found = parse_manifest(edited("baselines.operational", operational)).baselines.operational
    assert found.figure("alerts_per_100_encounters").n == 100
    assert found.figure("input_quality_mean").value == 0.87
    assert found.figure("overrides_per_100_alerts", "sex", "F").value == 2
    assert found.figure("alerts_per_100_encounters", "sex", "M").value == 9
    assert found.figure("alerts_per_100_encounters", "sex", "F") is None
    assert found.figure("nothing") is None


def test_a_volume_per_site_is_never_taken_from_another_site(edited):
    volume = {"per": "site", "hour_of_week": {"site-1": [1] * 168}}
    per_site = parse_manifest(edited("baselines.operational", {"expected_volume": volume})).baselines.operational.expected_volume
    assert per_site.hours("site-1") == (1,) * 168
    assert per_site.hours("site-2") is None
    assert per_site.hours() is None
    overall = parse_manifest(edited("baselines.operational.expected_volume.per", "overall")).baselines.operational.expected_volume
    assert overall.hours() == (1,) * 168
    assert overall.hours("site-1") is None


def test_filters_take_one_value_or_several(edited):
    edited("surveillance.monitors[2].metric", {"type": "event_count", "filter": {"seriousness": ["death"], "malfunction": True}})
    event_filter = parse_manifest(edited()).surveillance.monitors[2].metric.filter
    assert event_filter.kind == "adverse_event"
    assert event_filter.where == {"seriousness": ("death",), "malfunction": (True,)}


def test_rollback_triggers_are_monitors_at_levels_or_stop_conditions(edited):
    rollback = parse_manifest(edited("rollback.triggers", ["a:b:pause", "stop.miss"])).rollback
    assert rollback.parsed_triggers == (("a:b", "pause"), ("stop.miss", None))
    assert rollback.triggers_at("a:b", "pause")
    assert not rollback.triggers_at("a:b", "investigate")
    assert not rollback.triggers_at("stop.miss", "pause")


def test_a_rate_ratio_falls_back_on_alerts_per_100_encounters_for_alerts_alone(edited):
    edited("surveillance.monitors[2].limits", {})
    metric = {"type": "poisson_rate_ratio", "numerator": "alert_onsets", "exposure": "encounters"}
    onsets = parse_manifest(edited("surveillance.monitors[2].metric", metric)).surveillance.monitors[2].metric
    assert onsets.baseline_keys == ("alert_onsets_per_100_encounters", "alerts_per_100_encounters")
    overrides = parse_manifest(edited("surveillance.monitors[2].metric.numerator", "overrides")).surveillance.monitors[2].metric
    assert overrides.baseline_keys == ("overrides_per_100_encounters",)


def test_the_tree_is_frozen(small):
    with pytest.raises(ValueError, match="frozen"):
        parse_manifest(small).revision = 2


def test_the_example_gives_what_the_evaluator_reads(example):
    manifest = parse_manifest(example)
    assert manifest.baseline_n == 48210
    assert manifest.release.identities.digests["preprocessing_digest"].startswith("sha256:a6393e")
    assert manifest.surveillance.effective_from_ms == 1_778_025_600_000
    assert manifest.strata.min_sample.positives == 15
    assert manifest.baselines.label_latency.maturity.or_age_ms == 240 * 3_600_000
    assert manifest.monitor("safety.ae").metric.horizon == 200
    assert manifest.monitor("safety.ae").metric.minimum_events == 4
    assert manifest.monitor("cal.oe").limits.pause.outside == (0.70, 1.40)
    assert manifest.surveillance.levels.pause.auto_emit == "pause_rollout"
    assert manifest.playbooks["PB-LABEL"].reportability_form == "no"
    assert manifest.rollback.auto_confirm.after_ms == 600_000
    assert manifest.regulatory.psur_interval.months == 12
