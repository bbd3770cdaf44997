"""The machine that a result is of."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("aiokafka", "chdb", "faust-streaming", "msgspec", "numpy", "pyarrow")


def machine(peers: Sequence[str] = ()) -> dict[str, Any]:
    """Processor, cores, load while measuring, versions. A peer that is not installed is None."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in (*PACKAGES, *peers)},
    }


def installed(package: str) -> str | None:
    """Version of a package; None where it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
