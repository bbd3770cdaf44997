import pytest

from surveillance.manifest.parse import parse_manifest
from surveillance.manifest.unbuilt import unbuilt_parts


def test_types_that_cannot_be_computed_are_named_with_monitor_and_path(small):
    (problem,) = unbuilt_parts(parse_manifest(small), frozenset({"psi", "identity_mismatch"}))
    assert str(problem) == (
        'surveillance.monitors[1].metric.type: monitor "sensitivity" uses metric type "proportion_vs_floor", '
        "which this version does not compute yet"
    )
    assert problem.severity == "error"


def test_types_that_are_built_are_not_named(small):
    assert unbuilt_parts(parse_manifest(small), frozenset({"psi", "identity_mismatch", "proportion_vs_floor"})) == []


BUILT = frozenset({"psi", "identity_mismatch", "proportion_vs_floor", "auroc", "brier", "calibration_error"})
CORRECTED = {"verification_correction": "begg_greenes"}


@pytest.mark.parametrize(
    ("metric", "limit", "path"),
    [
        ({"type": "calibration_error"} | CORRECTED, {"ci_lower_above": 0.1}, "metric.verification_correction"),
    ],
)
def test_what_a_built_type_cannot_do_yet_is_named_too(edited, metric, limit, path):
    place = "surveillance.monitors[0]"
    manifest = parse_manifest(edited(f"{place}.metric", metric, f"{place}.limits", {"investigate": limit}))
    assert [problem.path for problem in unbuilt_parts(manifest, BUILT)] == [f"{place}.{path}"]


def test_a_corrected_proportion_and_a_p_value_of_drift_are_built(edited):
    place = "surveillance.monitors[1].metric"
    assert unbuilt_parts(parse_manifest(edited(f"{place}.verification_correction", "begg_greenes")), BUILT) == []
