"""`pms manifest power`, and what `pms manifest lint` foretells: JSON fields and text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from surveillance.cli.main import run
from tests.unit.foresight.field import Document, document, monitor

MONITORS = [
    monitor("proportion_vs_floor", "month", {"ci_upper_below": 0.88}, event="sensitivity", by=["site"]),
    monitor("missing_rate", "day", {"abs": 0.05}, feature="px"),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return written(tmp_path, document(MONITORS, a_day=600.0, sites=2))


def written(folder: Path, described: Document) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(described), encoding="utf-8")
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    assert run(["manifest", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_power_tells_days_and_the_smallest_harm_by_monitor_and_scope(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "power", manifest)
    assert (found["power"], found["within_days"]) == (0.8, 90)
    assert [(one["monitor_id"], one["scope"], one["alike"]) for one in found["monitors"]] == [
        ("proportion_vs_floor", {"site": "1"}, 2), ("missing_rate", {}, 1),
    ]  # fmt: skip
    for one in found["monitors"]:
        assert one["days"] > 0
        assert 0 < one["minimum_detectable"] < 1


def test_a_larger_effect_is_seen_sooner_and_more_power_takes_longer(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def days(*options: object) -> float:
        return float(printed(capsys, "power", *options, manifest)["monitors"][0]["days"])

    assert days("--effect", 0.2) < days("--effect", 0.1) <= days("--effect", 0.1, "--power", 0.95)


@pytest.mark.parametrize("options", [["--effect", "0"], ["--power", "1"], ["--effect", "much"]])
def test_impossible_harms_are_wrong_usage(options: list[str], manifest: Path) -> None:
    assert run(["manifest", "power", *options, str(manifest)]) == 2


def test_text_is_a_table(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "power", str(manifest)]) == 0
    head, columns, *rows = capsys.readouterr().out.splitlines()
    assert re.split("  +", columns.strip()) == ["monitor", "where", "harm", "seen after", "smallest harm seen within 90 days"]
    assert "power 0.8" in head
    assert "site 1 (each of 2)" in rows[0]
    assert "sensitivity falls by 0.1" in rows[0]


def test_lint_adds_the_forecast_beside_the_problems(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "lint", manifest)
    assert {"assumptions", "false_alarms", "detection", "over_budget", "blind_spots", "problems"} <= found.keys()
    assert {one["name"]: one["value"] for one in found["assumptions"]}["inferences_a_day"] == 600
    levels = {one["level"]: one for one in found["false_alarms"]["per_30_days"]}
    assert levels["investigate"]["expected"] >= 0
    assert "budget" not in levels["investigate"]


def test_lint_says_so_where_the_sum_is_above_the_budget_and_what_would_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy = document([monitor("psi", "day", {"p": 0.3}, feature="px")])
    noisy["surveillance"]["false_alarm_budget"] = {"per_30_days": {"investigate": 0.2}}
    path = written(tmp_path, noisy)
    assert run(["manifest", "lint", str(path)]) == 0
    text = capsys.readouterr().out
    assert "ABOVE the budget of 0.2" in text
    assert "surveillance.false_alarm_budget.per_30_days.investigate" in text
    (fit,) = printed(capsys, "lint", path)["false_alarms"]["would_fit"]
    assert (fit["monitor_id"], fit["key"], fit["now"]) == ("psi", "p", 0.3)
    assert fit["value"] < 0.3


def test_without_a_forecast_lint_says_what_it_said_before(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "lint", "--no-forecast", manifest).keys() == {"source", "problems"}


def test_a_faulty_manifest_gets_its_problems_and_no_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faulty = document(MONITORS)
    faulty["surveillance"]["monitors"][0]["window"] = "moon"
    assert run(["manifest", "lint", "--json", str(written(tmp_path, faulty))]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out).keys() == {"source", "problems"}
    assert "is not simulated while it has errors" in said.err


@pytest.mark.parametrize("command", ["lint", "power"])
def test_what_takes_seconds_says_what_it_is_at(command: str, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", command, str(manifest)]) == 0
    assert capsys.readouterr().err.startswith(f"{manifest}: simulating what its monitors ")


def lint_text(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["manifest", "lint", str(path)]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_manifest_that_only_the_forecast_warns_of_is_not_said_to_have_no_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = monitor("missing_rate", "day", {"abs": 0.05}, feature="px", min_n=1_000_000)
    path = written(tmp_path, document([small], a_day=60.0))
    assert printed(capsys, "lint", path)["problems"] == []
    text = lint_text(path, capsys)
    start = f"{path}: warning: surveillance.monitors[0]: blind spot at the whole field: share of missing values rises by 0.1"
    assert [line.startswith(start) for line in text].count(True) == 1
    assert not any("no problem found" in line for line in text)


def test_a_warning_names_the_monitor_that_its_path_only_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched = [monitor("missing_rate", "day", {"abs": 0.05}, feature="px")]
    described = document([*watched, {**watched[0], "id": "dq.second", "hazard_id": None}])
    (warning,) = [line for line in lint_text(written(tmp_path, described), capsys) if "monitors[1]" in line]
    assert warning.endswith("[dq.second]")


def test_a_hazard_that_nobody_watches_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = document(MONITORS, a_day=600.0, sites=2, hazards=[{"id": "HZ-1"}, {"id": "HZ-2"}])
    path = written(tmp_path, described)
    assert len([line for line in lint_text(path, capsys) if "HZ-2" in line]) == 1
    assert [one["path"] for one in printed(capsys, "lint", path)["blind_spots"]] == ["hazards[1]"]


def test_a_monitor_of_which_nothing_can_be_said_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waits = monitor("quantile", "day", {"above": 900.0}, q=0.95, field="latency_ms")
    text = lint_text(written(tmp_path, document([*MONITORS, waits], a_day=600.0)), capsys)
    assert [line for line in text if line.startswith("  of quantile nothing is said")]


def test_every_number_that_is_assumed_has_a_unit(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert all(one["unit"] for one in printed(capsys, "lint", manifest)["assumptions"])
    assert "  inferences_a_day          600   a day" in "\n".join(lint_text(manifest, capsys))
