"""Whatever stands in a document: reading and linting answer, and never crash."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surveillance.errors import InvalidManifest, Problem
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import parse_manifest

SCALARS = (None, True, 0, -1, 1.5, 1e300, 2**53, "", "x", "*", "a*b*c", "PT1H", "psi", "sensitivity")
ODD = st.sampled_from([*SCALARS, [], [None], ["x"], {}, {"x": 1}, {"type": []}])


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if steps:
        yield steps
    for step, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(child, (*steps, step))


def put(document: Any, steps: tuple[Any, ...], value: Any) -> None:
    for step in steps[:-1]:
        document = document[step]
    document[steps[-1]] = value


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_an_odd_value_anywhere_is_read_or_refused(written_small: dict[str, Any], data: st.DataObject) -> None:
    document = copy.deepcopy(written_small)
    for _ in range(data.draw(st.integers(1, 3))):
        put(document, data.draw(st.sampled_from(list(places(document)))), copy.deepcopy(data.draw(ODD)))
    _answers(document)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_an_odd_value_anywhere_in_the_example_is_read_or_refused(written_example: dict[str, Any], data: st.DataObject) -> None:
    document = copy.deepcopy(written_example)
    put(document, data.draw(st.sampled_from(list(places(document)))), copy.deepcopy(data.draw(ODD)))
    _answers(document)


def _answers(document: dict[str, Any]) -> None:
    errors = {problem for problem in lint(document) if problem.severity == "error"}
    assert all(problem.message for problem in errors)
    assert _refusals(document) <= errors


def _refusals(document: dict[str, Any]) -> set[Problem]:
    try:
        parse_manifest(document)
    except InvalidManifest as invalid:
        return set(invalid.problems)
    return set()
