"""A contender in a process of its own: its memory, its store and its event loop are nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

TIMEOUT_S = 900


def in_child(module: str, **arguments: Any) -> dict[str, Any]:
    """What `module.contend(**arguments)` returns in a new process; arguments and answer are JSON. Its logs go to stderr.

    Raises CalledProcessError where it fails.
    """
    read, write = os.pipe()
    try:
        with os.fdopen(read, encoding="utf-8") as answer:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.child_process", module, json.dumps(arguments), str(write)],
                check=True, timeout=TIMEOUT_S, pass_fds=[write], cwd=Path(__file__).parents[1],
            )  # fmt: skip
            os.close(write)
            write = -1
            found: dict[str, Any] = json.load(answer)
            return found
    finally:
        if write >= 0:
            os.close(write)


def _main() -> None:
    module, arguments, pipe = sys.argv[1:]
    found = import_module(module).contend(**json.loads(arguments))
    with os.fdopen(int(pipe), "w", encoding="utf-8") as answer:
        json.dump(found, answer)


if __name__ == "__main__":
    _main()
