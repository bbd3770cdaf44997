"""What keeps a directory from being an embedded store, looked at before the engine opens it: its own words are of no use."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from surveillance.errors import InvalidInput

ONE_PROCESS = (
    "one process uses one chDB directory: stop the other, ask a running `pms up` by `pms status --api URL`, or use a "
    "ClickHouse server"
)
_LOCK_FILE = "status"
_HOLDER = re.compile(r"^PID: ([0-9]+)$", re.MULTILINE)


def check_directory(directory: str) -> None:
    """Raises InvalidInput where `directory` is a file, lies below one, or may not be written or made."""
    # Not Path.exists, which raises where a folder above may not be searched.
    nearest = next(path for path in (Path(directory), *Path(directory).parents) if os.path.exists(path))
    if not nearest.is_dir():
        raise InvalidInput(f"chdb://{directory} cannot be opened: {nearest} is a file", "choose a directory")
    for path, access in ((nearest, os.R_OK | os.W_OK | os.X_OK), (Path(directory) / _LOCK_FILE, os.R_OK | os.W_OK)):
        if os.path.exists(path) and not os.access(path, access):
            raise InvalidInput(
                f"chdb://{directory} cannot be opened: permission denied for {path}", "choose a directory you may write"
            )


def check_unlocked(directory: str) -> None:
    """Raises InvalidInput where another process has the store in `directory` open; several stores of one process share it."""
    try:
        with (Path(directory) / _LOCK_FILE).open(encoding="utf-8", errors="replace") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _HOLDER.search(lock.read())
                if holder is None or int(holder[1]) != os.getpid():
                    by = f"process {holder[1]}" if holder is not None else "another process"
                    raise InvalidInput(f"chdb://{directory} cannot be opened: {by} has it open", ONE_PROCESS) from None
    except FileNotFoundError:
        return
