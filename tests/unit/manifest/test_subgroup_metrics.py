import pytest

from surveillance.errors import InvalidManifest
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import parse_manifest

PLACE = "surveillance.monitors[1]"
LIMITS = {"investigate": {"p": 0.001}}


def edited_metric(edited, **metric):
    return edited(f"{PLACE}.metric", metric, f"{PLACE}.limits", LIMITS)


@pytest.mark.parametrize(
    "of",
    [
        {"numerator": "alerts"},
        {"denominator": "encounters"},
        {"event": "ppv", "numerator": "alerts", "denominator": "encounters"},
    ],
)
def test_a_site_outlier_is_of_a_proportion_or_of_a_whole_rate(edited, of):
    with pytest.raises(InvalidManifest, match="expected either event, or numerator and denominator"):
        parse_manifest(edited_metric(edited, type="site_outlier", **of))


@pytest.mark.parametrize(
    ("of", "proportion"),
    [({}, "sensitivity"), ({"event": "npv"}, "npv"), ({"numerator": "alerts", "denominator": "encounters"}, None)],
)
def test_a_site_outlier_without_an_event_is_of_sensitivity_unless_it_names_a_rate(edited, of, proportion):
    manifest = parse_manifest(edited_metric(edited, type="site_outlier", **of))
    assert manifest.surveillance.monitors[1].metric.proportion == proportion


def test_a_rate_of_sites_has_no_labels_to_correct(edited):
    rate = {"numerator": "alerts", "denominator": "encounters"}
    with pytest.raises(InvalidManifest, match="expected no verification_correction of a rate, which knows no labels"):
        parse_manifest(edited_metric(edited, type="site_outlier", verification_correction="begg_greenes", **rate))


@pytest.mark.parametrize(
    ("baselines", "missing"),
    [
        ({}, ['reference missing: baselines.prevalence or baselines.metrics "prevalence"']),
        ({"prevalence": 0.1}, []),
        ({"metrics": [{"id": "prevalence", "overall": {"value": 0.1}}]}, []),
        (
            {"metrics": [{"id": "brier", "overall": {"value": 0.1}}]},
            ['reference missing: baselines.prevalence or baselines.metrics "prevalence"'],
        ),
    ],
)
def test_a_p_of_prevalence_rests_on_either_baseline_that_states_it(edited, baselines, missing):
    places = [part for key, stated in baselines.items() for part in (f"baselines.{key}", stated)]
    document = edited(f"{PLACE}.metric", {"type": "prevalence"}, f"{PLACE}.limits", LIMITS, *places)
    assert [one.message for one in lint(document) if one.path == f"{PLACE}.metric" and one.severity == "error"] == missing
