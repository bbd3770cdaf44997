"""The benchmarks run, at sizes that measure nothing: every id ends, says what it measured, and leaves its file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.table import RESULTS
from tests.project_tree import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.chdb, pytest.mark.slow]


@pytest.fixture(scope="module")
def run(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, dict[str, Any]]]:
    """What a run prints, and the files it leaves, by id."""
    folder = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "benchmarks", "--scale", "0.001", "--rounds", "1", "--results", str(folder)]
    environment = os.environ | {"PMS_KAFKA_BOOTSTRAP": kafka_bootstrap}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout, {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in folder.glob("*.json")}


def test_every_id_leaves_a_file_and_a_row_of_the_table(run: tuple[str, dict[str, dict[str, Any]]]) -> None:
    printed, files = run
    assert set(files) == set(BENCHMARKS)
    assert [line.split("`")[1] for line in printed.splitlines() if line.startswith("| `")] == list(BENCHMARKS)


def test_each_contender_has_a_figure_or_says_that_it_is_missing(run: tuple[str, dict[str, dict[str, Any]]]) -> None:
    contenders = [(name, one) for file in run[1].values() for name, one in file["contenders"].items()]
    for name, one in contenders:
        may_be_zero = one["unit"].startswith("alarms")
        assert one["note"].startswith("not installed") if one["median"] is None else one["median"] > 0 or may_be_zero, name
        assert len(one["rounds"]) == (one["median"] is not None)


def test_each_target_stands_beside_its_figure(run: tuple[str, dict[str, dict[str, Any]]]) -> None:
    for name, file in run[1].items():
        assert file["claims"], name
        for claim in file["claims"]:
            assert (claim["value"] is None) == (claim["reached"] is None)
            assert claim.keys() & {"at_least", "at_most"}


def test_a_result_says_which_machine_it_is_of(run: tuple[str, dict[str, dict[str, Any]]]) -> None:
    for file in run[1].values():
        assert {"processor", "cores", "load_1m", "python", "versions"} <= file["machine"].keys()


def test_tracked_results_are_of_ids_that_exist() -> None:
    assert {file.stem for file in Path(RESULTS).glob("*.json")} <= set(BENCHMARKS)


def test_an_unknown_id_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["json-singel"])
    assert refused.value.code == 2
    assert "no such benchmark: json-singel" in capsys.readouterr().err
