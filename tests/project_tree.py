"""The files of the project as git would take them, for the tests that hold the project to its own rules."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("detectors", "surveillance", "streams", "api")
_NOT_OURS = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "dist"}


@cache
def project_files() -> tuple[Path, ...]:
    """Every file of the project, relative to its root: those git knows or would add; without git, all but what tools leave."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=False
    )
    if listed.returncode == 0:
        found = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if not _NOT_OURS & set(path.parts)]
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def sources() -> dict[Path, str]:
    """The text of every Python file of the packages, by path relative to the root."""
    chosen = [path for path in project_files() if path.suffix == ".py" and path.parts[0] in PACKAGES]
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in chosen}


def module_name(path: Path) -> str:
    """`surveillance/store/__init__.py` -> `surveillance.store`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
