import pytest

from surveillance.errors import InvalidManifest
from surveillance.manifest.parse import parse_manifest
from surveillance.manifest.unbuilt import unbuilt_parts
from surveillance.panes.readings import BUILT_TYPES

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


@pytest.mark.parametrize("kind", ["site_outlier"])
def test_a_correction_for_verification_that_is_not_computed_is_refused_by_name(edited, kind):
    manifest = parse_manifest(edited_metric(edited, type=kind, verification_correction="begg_greenes"))
    (problem,) = unbuilt_parts(manifest, BUILT_TYPES)
    assert problem.path == f"{PLACE}.metric.verification_correction"
    assert kind in problem.message
