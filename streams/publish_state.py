"""What an interrupted publication needs to go on exactly after the last record that reached the log.

The state is written before each chunk is sent, so what may have been sent since is found in the log itself: every record
carries the run and its line number, and those of the chunk lie at or after the offsets noted here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.file_lines import STDIN
from streams.security import Security
from streams.topics import Log
from surveillance.errors import InvalidInput

LINE_HEADER = "pms-publish-line"


@dataclass(frozen=True, slots=True)
class PublishState:
    """`line` = first line that may not be in the log; `offsets` = where, by partition, it and its followers can begin."""

    run: str
    line: int
    offsets: Mapping[int, int]
    last_time: str | None = None
    largest_ms: int | None = None
    unreadable: int = 0

    def header(self, line: int) -> tuple[str, bytes]:
        """The mark of a record that holds this line."""
        return LINE_HEADER, f"{self.run}:{line}".encode()


class StateFile:
    """One file per (log, files as they are now); it exists while a publication is unfinished. Standard input has none."""

    def __init__(self, folder: Path, log: Log, paths: Sequence[str]) -> None:
        self._path: Path | None = None
        if STDIN not in paths:
            identity = json.dumps([log.log_id, [_fingerprint(path) for path in paths]])
            self._path = folder / f"publish-{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"

    def read(self) -> PublishState | None:
        """The state of an unfinished publication of these files to this log."""
        if self._path is None or not self._path.exists():
            return None
        saved = json.loads(self._path.read_text())
        return PublishState(**{**saved, "offsets": {int(partition): offset for partition, offset in saved["offsets"].items()}})

    def write(self, state: PublishState) -> None:
        """Atomic and durable: after a crash there is the old state or the new one."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_suffix(".new")
        with aside.open("w") as out:
            out.write(json.dumps(asdict(state)))
            out.flush()
            os.fsync(out.fileno())
        aside.replace(self._path)

    def remove(self) -> None:
        """The publication is complete: repeating it would publish again."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _fingerprint(path: str) -> list[object]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror}", "check the path and its permissions") from error
    return [str(Path(path).resolve()), found.st_size, found.st_mtime_ns]


async def log_ends(bootstrap: str, log: Log, security: Security) -> dict[int, int]:
    """Next offset of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, **security.aiokafka())
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(log.topic, partition) for partition in range(log.partitions)])
        return {tp.partition: offset for tp, offset in ends.items()}
    finally:
        await consumer.stop()


async def lines_in_log(bootstrap: str, log: Log, security: Security, state: PublishState) -> set[int]:
    """Lines of the run, from `state.line` on, that reached the log before the interruption.

    Raises InvalidInput where the log no longer has the offsets to look at.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none", **security.aiokafka()
    )
    await consumer.start()
    try:
        tps = [TopicPartition(log.topic, partition) for partition in range(log.partitions)]
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        if any(starts[tp] > state.offsets[tp.partition] for tp in tps):
            raise InvalidInput("the log has lost the end of the interrupted publication", "publish the rest as a file of its own")
        ahead = {tp for tp in tps if ends[tp] > state.offsets[tp.partition]}
        consumer.assign(list(ahead))
        for tp in ahead:
            consumer.seek(tp, state.offsets[tp.partition])
        found: set[int] = set()
        while ahead:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found.update(line for record in records for line in _lines_of(record.headers, state.run))
            ahead = {tp for tp in ahead if await consumer.position(tp) < ends[tp]}
        return {line for line in found if line >= state.line}
    finally:
        await consumer.stop()


def _lines_of(headers: Sequence[tuple[str, bytes]], run: str) -> list[int]:
    marks = [value.decode(errors="replace").rpartition(":") for name, value in headers if name == LINE_HEADER]
    return [int(line) for marked, _, line in marks if marked == run and line.isdecimal()]
