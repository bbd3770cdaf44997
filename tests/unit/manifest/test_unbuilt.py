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
