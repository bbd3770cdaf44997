"""Under CI a skip is a failure, but for what may be absent there."""

from __future__ import annotations

import pytest

from tests.run_rules import refuse_skip


def skipped(reason: str) -> pytest.TestReport:
    where = ("tests/test_x.py", 1, f"Skipped: {reason}")
    return pytest.TestReport("x", ("tests/test_x.py", 1, "x"), {}, "skipped", where, "setup")


@pytest.mark.parametrize(
    ("ci", "reason", "outcome"),
    [
        ("true", "no Kafka here", "failed"),
        ("true", "chDB is not installed", "failed"),
        ("true", "no real ClickHouse: PMS_TEST_CLICKHOUSE_DSN is not set", "skipped"),
        ("true", "no support2.csv: ../shared/data is not part of this clone", "skipped"),
        ("", "no Kafka here", "skipped"),
    ],
)
def test_a_skip_under_ci_is_a_failure(ci: str, reason: str, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    report = skipped(reason)
    refuse_skip(report)
    assert report.outcome == outcome
    assert reason in str(report.longrepr)
