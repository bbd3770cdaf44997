"""SUPPORT2 through `pms replay`: the published figures come out, and a model that turns over-confident is found by its slope."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from surveillance.cli.main import run
from tests.scenario.support2_stream import MANIFEST, read_patients

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "support2" / "support2.csv"
if not DATA.exists():
    pytest.skip(f"no {DATA.name}: ../shared/data is not part of this clone", allow_module_level=True)

WITHOUT_CERTAIN = ("--multiply", "1")
HALF = ("--multiply", "1.4")
WHOLE = ("--multiply", "1.4", "--begin", "0")
FROM_THE_MIDDLE_ON = "2025-07-24T00:00:00.000Z"


@dataclass(frozen=True)
class Replayed:
    """What `pms replay --json` printed of the stream in `folder`."""

    folder: Path
    text: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == kind]

    def status(self, monitor: str, **scope: str) -> dict[str, Any]:
        (found,) = [line for line in self.of_kind("status") if line["monitor_id"] == monitor and line["scope"] == scope]
        return found

    def estimate(self, monitor: str, **scope: str) -> dict[str, Any]:
        estimate: dict[str, Any] = self.status(monitor, **scope)["estimate"]
        return estimate

    def value(self, monitor: str, **scope: str) -> float:
        return float(self.estimate(monitor, **scope)["value"])

    def incidents(self) -> set[tuple[str, str]]:
        return {(line["monitor_id"], "".join(line["scope"].values())) for line in self.of_kind("incident")}


def arguments_of(folder: Path) -> list[str]:
    return ["replay", "--manifest", str(folder / "manifest.yaml"), str(folder / "events.ndjson"), "--json"]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Replayed]:
    """Writes a stream as the module's documentation says, and replays it; the same options are replayed once."""

    @functools.cache
    def write_and_replay(*options: str) -> Replayed:
        folder = tmp_path_factory.mktemp("support2")
        command = [sys.executable, "-m", "tests.scenario.support2_stream", str(folder), str(DATA), *options]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            assert run(arguments_of(folder)) == 0
        return Replayed(folder, printed.getvalue())

    return write_and_replay


def test_every_event_is_counted(replayed: Callable[..., Replayed]) -> None:
    (summary,) = replayed().of_kind("summary")
    assert (summary["events"], summary["counted"], summary["late"]) == (2 * 9104, 2 * 9104, 0)
    assert replayed().lines[-1] == summary


def test_the_published_figures_come_out(replayed: Callable[..., Replayed]) -> None:
    found = replayed()
    assert {found.estimate(f"all.{name}")["n"] for name in ("oe", "slope", "auroc", "brier")} == {9104}
    assert found.value("all.oe") == pytest.approx(0.9526, abs=5e-5)
    assert found.value("all.slope") == pytest.approx(1.0233, abs=0.01)
    assert found.value("all.auroc") == pytest.approx(0.8131, abs=0.002)
    assert found.value("all.brier") == pytest.approx(0.1619, abs=5e-5)


def test_sums_are_exact_to_a_millionth(replayed: Callable[..., Replayed]) -> None:
    patients = read_patients(DATA)
    ratio = sum(one.label for one in patients) / sum(one.score for one in patients)
    brier = sum((one.score - one.label) ** 2 for one in patients) / len(patients)
    assert replayed().value("all.oe") == pytest.approx(ratio, abs=1e-6)
    assert replayed().value("all.brier") == pytest.approx(brier, abs=1e-6)


def test_without_the_139_scores_of_exactly_one_the_slope_rises_and_the_area_falls(replayed: Callable[..., Replayed]) -> None:
    found = replayed(*WITHOUT_CERTAIN)
    assert found.estimate("all.slope")["n"] == 9104 - 139
    assert found.value("all.slope") == pytest.approx(1.0538, abs=0.01)
    assert found.value("all.auroc") == pytest.approx(0.8051, abs=0.002)


def test_a_group_calibrated_in_the_large_and_far_too_confident_is_found_beneath_a_whole_that_is_met(
    replayed: Callable[..., Replayed],
) -> None:
    found, group = replayed(), {"disease_group": "MOSF w/Malig"}
    assert found.value("sub.oe", **group) == pytest.approx(1.000, abs=5e-4)
    assert found.value("sub.slope", **group) == pytest.approx(0.60, abs=0.01)
    assert found.status("sub.oe", **group)["verdict"] == found.status("all.slope")["verdict"] == "met"
    assert found.incidents() == {("sub.slope", "MOSF w/Malig")}


def test_every_axis_divides_the_same_patients(replayed: Callable[..., Replayed]) -> None:
    seen: Counter[str] = Counter()
    for line in replayed().of_kind("status"):
        if line["monitor_id"] == "sub.oe":
            (axis,) = line["scope"]
            seen[axis] += line["estimate"]["n"]
    assert seen == dict.fromkeys(("disease_group", "sex", "age_band"), 9104)


def test_while_only_the_dead_are_labelled_a_window_is_not_judged(replayed: Callable[..., Replayed]) -> None:
    line = replayed().status("cal.oe")
    assert (line["verdict"], line["reason"]) == ("inconclusive", "immature_labels")
    assert line["last_conclusive"]["verdict"] == "met"
    assert line["last_conclusive"]["window"]["end"] == "2025-10-23T00:00:00Z"


def test_logits_times_1_4_lower_the_slope_and_leave_the_area(replayed: Callable[..., Replayed]) -> None:
    before, after = replayed(*WITHOUT_CERTAIN), replayed(*WHOLE)
    assert after.value("all.slope") == pytest.approx(0.7527, abs=0.01)
    assert after.value("all.auroc") == pytest.approx(before.value("all.auroc"), abs=0.002)
    assert (before.status("all.slope")["verdict"], after.status("all.slope")["verdict"]) == ("met", "breached")


def test_only_the_scores_from_the_middle_on_are_multiplied(replayed: Callable[..., Replayed]) -> None:
    scores = []
    for options in (WITHOUT_CERTAIN, HALF):
        with (replayed(*options).folder / "events.ndjson").open(encoding="utf-8") as lines:
            sent = [json.loads(line) for line in lines]
        scores.append([(one["event_time"], one["score"]) for one in sent if one["schema"] == "pms.inference"])
    changed = [time for (time, plain), (_, multiplied) in zip(*scores, strict=True) if abs(plain - multiplied) > 1e-9]
    assert min(changed) >= FROM_THE_MIDDLE_ON
    assert len(changed) > 0.49 * (9104 - 139)  # all of them but for scores of about 0 and a half, which stay where they are


def test_from_the_middle_on_the_slope_opens_an_incident_and_the_area_stays_quiet(replayed: Callable[..., Replayed]) -> None:
    found = replayed(*HALF)
    assert found.incidents() - replayed(*WITHOUT_CERTAIN).incidents() == {("cal.slope", "")}
    (opened,) = [line for line in found.of_kind("incident") if line["monitor_id"] == "cal.slope"]
    assert (opened["state"], opened["level"]) == ("open", "investigate")
    assert opened["estimate"]["upper"] < opened["limit"]["outside"][0]
    assert opened["window"]["end"] > FROM_THE_MIDDLE_ON
    area = found.status("disc.auroc")["last_conclusive"]
    assert (area["verdict"], area["window"]["end"]) == ("met", "2025-10-23T00:00:00Z")


def test_another_process_with_another_hash_seed_prints_the_same_bytes(replayed: Callable[..., Replayed]) -> None:
    found = replayed(*HALF)
    program = "import sys; from surveillance.cli.main import run; sys.exit(run(sys.argv[1:]))"
    again = subprocess.run(
        [sys.executable, "-c", program, *arguments_of(found.folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        capture_output=True,
        check=True,
    )
    assert again.stdout == found.text.encode()


def test_the_manifest_of_this_example_has_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "lint", str(MANIFEST)]) == 0
    assert "error" not in capsys.readouterr().out
