"""A manifest that cannot be used: every command that takes one names the same faults, those that lint names."""

from __future__ import annotations

from pathlib import Path

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import manifest_file, release


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A fault of structure, and one of sense in another monitor."""
    document = release()
    document["surveillance"]["monitors"][0]["limits"]["investigate"]["abs"] = "high"
    document["surveillance"]["monitors"][1]["hazard_id"] = "nowhere"
    return manifest_file(tmp_path, document)


def linted(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["manifest", "lint", "--no-forecast", str(path)]) == 1
    prefix = f"{path}: error: "
    return [line.removeprefix(prefix) for line in capsys.readouterr().out.splitlines() if line.startswith(prefix)]


@pytest.mark.parametrize("command", [["power"], ["register"], ["baseline", "events.ndjson", "--manifest"]], ids=" ".join)
def test_the_faults_are_those_of_lint(command: list[str], faulty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults = linted(faulty, capsys)
    assert run(["manifest", *command, str(faulty)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {faulty}: {len(faults)} problem(s)\n")
    assert len(faults) == 2
    # Lint says which monitor a path counts to.
    assert all(f"  {fault.partition(' [')[0]}\n" in said for fault in faults)


def test_a_digest_of_no_valid_manifest_is_told_to_be_so(faulty: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "digest", str(manifest)]) == 0
    good = capsys.readouterr()
    assert good.err == ""
    assert run(["manifest", "digest", str(faulty), str(manifest)]) == 1
    said = capsys.readouterr()
    assert [line.split("  ")[1] for line in said.out.splitlines()] == [str(faulty), str(manifest)]
    assert said.out.endswith(good.out)
    assert said.err.startswith(f"error: {faulty}: no valid manifest, so no service accepts what this digest names\n  to mend: ")
