"""What holds for every run: examples are found the same way each time, and under CI nothing that must run is skipped.

Loaded by pytest's options in pyproject.toml.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# Only these may be absent under CI: a real ClickHouse server, and the data that lies beside the repository.
MAY_BE_ABSENT = ("PMS_TEST_CLICKHOUSE_DSN", "shared/data", "contract's example")

settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    print_blob=True,
    max_examples=int(os.environ.get("PMS_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("deterministic")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that skips under CI fails, expected failures apart."""
    report = yield
    if not hasattr(report, "wasxfail"):
        refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So does a whole file."""
    report = yield
    refuse_skip(report)
    return report


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes a skip a failure under CI, unless its reason names what may be absent."""
    if not report.skipped or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not any(name in reason for name in MAY_BE_ABSENT):
        report.outcome = "failed"
        report.longrepr = f"a skip under CI is a failure: {reason}"
