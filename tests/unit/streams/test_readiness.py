"""What `/readyz` of a running service names: what it waits for, and what a reader must know."""

from __future__ import annotations

from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

from streams.services import BROKER_SILENCE_S, _readiness
from streams.worker_status import WorkerStatus


def readiness(status: WorkerStatus, *, allow_unsigned: bool = False, refused: tuple[str, ...] = ()) -> Any:
    ground = SimpleNamespace(status=status, settings=SimpleNamespace(allow_unsigned=allow_unsigned))
    return _readiness(cast(Any, ground), cast(Any, SimpleNamespace(refused=refused)))


def test_a_worker_that_folds_waits_for_nothing() -> None:
    assert readiness(WorkerStatus(waiting_for="")).waiting_for == ()


def test_what_the_worker_waits_for_is_named() -> None:
    assert readiness(WorkerStatus(waiting_for="store")).waiting_for == ("store",)


def test_a_broker_that_is_gone_is_waited_for_and_a_short_silence_is_not() -> None:
    gone = WorkerStatus(waiting_for="", broker_silent_since_s=monotonic() - BROKER_SILENCE_S - 1)
    assert readiness(gone).waiting_for == ("the Kafka broker, which does not answer",)
    assert readiness(WorkerStatus(waiting_for="", broker_silent_since_s=monotonic())).waiting_for == ()


def test_refused_manifests_stopped_partitions_and_unsigned_ones_are_said_once_each() -> None:
    status = WorkerStatus(waiting_for="", stopped={1: "of poison"})
    notes = readiness(status, allow_unsigned=True, refused=("rm-1", "rm-2", "rm-1")).notes
    assert notes == (
        "manifests without signatures are accepted",
        "manifest rm-1 is refused; the log says why",
        "manifest rm-2 is refused; the log says why",
        "partition 1 stopped: of poison",
    )
