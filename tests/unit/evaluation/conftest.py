"""The stream of a module that judges it again: `WATCHED` are its monitors, `lines_of(HOURS)` all of its lines."""

from __future__ import annotations

import pytest

from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from tests.unit.evaluation.test_folding_again import rows_of
from tests.unit.evaluation.test_periods_again import registry_of


@pytest.fixture(scope="module")
def registry(request: pytest.FixtureRequest) -> Registry:
    return registry_of(*request.module.WATCHED)


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest, registry: Registry) -> list[PaneRow]:
    return rows_of(registry, request.module.lines_of(request.module.HOURS))
