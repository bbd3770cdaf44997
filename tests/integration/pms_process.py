"""A `pms` service in a process of its own, as an operator would start it: killed, stopped, frozen, told to leave."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

PMS = (sys.executable, "-m", "surveillance.cli")
DEADLINE_S = 120.0


def wait_until(holds: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Returns when the condition holds; fails naming it when the time is over."""
    ends = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < ends, f"waited {deadline_s:.0f} s in vain: {what}"
        time.sleep(0.05)


class PmsProcess:
    """One run of a service; its log is kept in a file, and shown when it ends as it should not."""

    def __init__(self, command: str, environment: Mapping[str, str], folder: Path, name: str) -> None:
        self.command, self.environment, self.name = command, environment, name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*PMS, command],
                env={**_clean(), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> PmsProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL: no word to anybody."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=DEADLINE_S)

    def freeze(self) -> None:
        """SIGSTOP: the process believes it still owns what it owned when it wakes up."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def url(self) -> str:
        """Address of the API, once the log names it."""
        wait_until(lambda: self.found_url() is not None or self.process.poll() is not None, f"{self.name} names its URL")
        found = self.found_url()
        assert found is not None, self.said()[-2000:]
        return found

    def found_url(self) -> str | None:
        found = re.findall(r"http://[\d.]+:\d+", self.said())
        return found[-1] if found else None


def run_pms(*arguments: str, environment: Mapping[str, str]) -> str:
    """A command that ends: its standard output, and it must succeed."""
    done = subprocess.run([*PMS, *arguments], env={**_clean(), **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _clean() -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PMS_")}
