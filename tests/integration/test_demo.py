"""`pms demo` as a newcomer runs it: the story to its end, a page meanwhile, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest

PMS = str(Path(sys.executable).with_name("pms"))
WITHIN_S = 540
RAISED = re.compile(r"^(\S+)  (OPEN|ESCALATED) (\S+) (\S+) at (.+?): ", re.MULTILINE)
STORY = [
    ("OPEN", "investigate", "drift.px_mean", "site site-07"),
    ("OPEN", "pause", "sub.misses", "age_band 75+"),
    ("OPEN", "investigate", "sub.sensitivity", "age_band 75+"),
    ("ESCALATED", "pause", "sub.sensitivity", "age_band 75+"),
    ("ESCALATED", "rollback_or_field_safety", "sub.sensitivity", "age_band 75+"),
]


def environment(folder: Path, bootstrap: str = "") -> Mapping[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("PMS_")}
    return {**others, "TMPDIR": str(folder), **({"PMS_KAFKA_BOOTSTRAP": bootstrap} if bootstrap else {})}


def run_once(folder: Path, *flags: str, bootstrap: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PMS, "demo", "--once", "--port", "0", "--no-browser", *flags],
        env=environment(folder, bootstrap),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def assert_story(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert done.returncode == 0, done.stderr[-3000:]
    assert [found[1:] for found in RAISED.findall(done.stdout)] == STORY
    assert re.findall(r"-> (\w+) asked for", done.stdout) == ["pause_rollout", "pause_rollout", "rollback_request"]
    assert re.search(
        r"^\d+ events: \d+ counted, \d+ duplicates, \d+ late, quarantined: .*forbidden_field", done.stdout.splitlines()[-1]
    )
    assert re.search(r"http://127\.0\.0\.1:\d+", done.stderr)
    assert "day 14 of 14" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("pms-demo-*"))


@pytest.mark.slow
@pytest.mark.chdb
def test_the_story_is_told_to_its_end(tmp_path: Path) -> None:
    assert_story(run_once(tmp_path), tmp_path)


@pytest.mark.slow
@pytest.mark.chdb
@pytest.mark.kafka
def test_over_kafka_it_is_the_same_story(tmp_path: Path, kafka_bootstrap: str) -> None:
    assert_story(run_once(tmp_path, "--kafka", bootstrap=kafka_bootstrap), tmp_path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A demo that would go on for ever."""
    process = subprocess.Popen(
        [PMS, "demo", "--port", "0", "--no-browser"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.chdb
def test_an_interrupt_ends_it_in_order(running: subprocess.Popen[str], tmp_path: Path) -> None:
    assert running.stderr is not None
    url = next(found[0] for line in running.stderr if (found := re.findall(r"http://127\.0\.0\.1:\d+", line)))
    assert next(line for line in running.stderr if "day 1 of 14" in line)
    with urlopen(f"{url}/") as page:
        assert page.status == 200
    assert list(tmp_path.glob("pms-demo-*"))
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert not list(tmp_path.glob("pms-demo-*"))


@pytest.fixture
def port_taken() -> Iterator[int]:
    """A port of this machine that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.chdb
def test_a_port_that_is_taken_is_said_and_nothing_is_told(tmp_path: Path, port_taken: int) -> None:
    done = subprocess.run(
        [PMS, "demo", "--once", "--no-browser", "--port", str(port_taken)],
        env=environment(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(port_taken) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
