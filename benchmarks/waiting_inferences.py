"""A worker that takes over many inferences that wait for their outcomes: how soon it resumes, and what they cost in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.child_process import in_child
from benchmarks.result import Claim, Contender, Options, Result

_WAITING = 10_000_000


def restart(options: Options) -> Result:
    """What is read again is in the store; there is no log in this one."""
    rounds = _taken_over(options)
    waiting = rounds[0]["waiting"]
    contenders = {
        "clock": Contender("s", [one["seconds"] for one in rounds]),
        "processor": Contender("s", [one["cpu_seconds"] for one in rounds], "all threads together"),
    }
    what = f"a worker resumes with {waiting:,} waiting inferences, chDB"
    claims = [Claim("s to resume", contenders["clock"].median, 10, at_least=False)]
    return Result("restart", what, options.scale, contenders, claims)


def memory(options: Options) -> Result:
    """Of the process that has taken over, without its consumer."""
    rounds = _taken_over(options)
    waiting = rounds[0]["waiting"]
    contenders = {
        "join": Contender("bytes/inference", [one["join_bytes"] / one["waiting"] for one in rounds]),
        "resident": Contender("MiB", [one["resident_mib"] for one in rounds], "with chDB, index of duplicates and join"),
        "peak": Contender("MiB", [one["peak_mib"] for one in rounds], "while reading"),
    }
    what = f"memory of a worker with {waiting:,} waiting inferences, chDB in the same process"
    claims = [
        Claim("bytes per waiting inference", contenders["join"].median, 32, at_least=False),
        Claim("MiB resident", contenders["resident"].median, 600, at_least=False),
    ]
    return Result("memory", what, options.scale, contenders, claims)


def _taken_over(options: Options) -> Sequence[Mapping[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="pms-benchmark-") as folder:
        in_child("benchmarks.contend_waiting_rows", folder=folder, waiting=options.scaled(_WAITING, 8_000))
        return [in_child("benchmarks.contend_restart", folder=folder) for _ in range(options.rounds)]
