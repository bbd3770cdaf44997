"""`pms publish` and `pms manifest register`: sends events from files, and manifests, as a gateway would."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streams.file_lines import STDIN, check_readable, read_lines
from streams.producer import BATCH_BYTES, LINGER_MS, REQUEST_BYTES, BrokerProducer, Message, send_batches
from streams.publish_state import PublishState, StateFile, lines_in_log, log_ends
from streams.security import PLAINTEXT, Security
from streams.ticks import INGEST_TIME_HEADER, tick
from streams.topics import Log, TopicNames, check_log, require_topic
from surveillance.errors import InvalidInput
from surveillance.events.partitioning import partition_of
from surveillance.manifest.digest import canonical_bytes, manifest_digest
from surveillance.times import from_text, to_text

CHUNK_LINES = 5_000
FIRST_LINES = 100
"""Where none of so many is a JSON object, the file is none of events."""
STATE_FOLDER = Path.home() / ".local" / "state" / "pms"
JSON_HEADER = ("content-type", b"application/json")
TIME_FIELDS = ("ingest_time", "sent_time", "event_time")

Progress = Callable[[int, int], None]
"""Called after each chunk with the number of lines that stand in the log, and of those that are unreadable."""


@dataclass(frozen=True, slots=True)
class Published:
    """What stands in the log now. Unreadable lines are there, too: the service quarantines them."""

    lines: int
    unreadable: int
    resumed_at: int
    partitions: int
    last_ingest_time: str | None

    def __str__(self) -> str:
        resumed = f", resumed after line {self.resumed_at}" if self.resumed_at else ""
        until = f", time up to {self.last_ingest_time}" if self.last_ingest_time else ""
        return f"{self.lines} lines to {self.partitions} partitions ({self.unreadable} unreadable){resumed}{until}"


def publish_files(
    bootstrap: str,
    prefix: str,
    paths: Sequence[str],
    *,
    until_ms: int | None = None,
    security: Security = PLAINTEXT,
    progress: Progress | None = None,
    state_folder: Path = STATE_FOLDER,
) -> Published:
    """Sends every line of the files, in order, each to the partition of its device, then a tick to every partition.

    A publication that was interrupted, even by SIGKILL, goes on exactly after the last line in the log when the same
    files are published to the same topic again. Raises InvalidInput for files or a broker that cannot be used, and for a file
    whose first lines are no events: nothing of it is sent. One that has unreadable lines among others is sent whole.
    """
    for path in paths:
        check_readable(path)
        if _can_be_read_again(path):
            _check_events(path, list(islice(read_lines(path), FIRST_LINES)))
    log = check_log(bootstrap, TopicNames.under(prefix).telemetry, security)
    state_file = StateFile(state_folder, log, paths)
    lines = (line for path in paths for line in _lines(path))
    publication = _Publication(bootstrap, log, security, state_file, progress)
    try:
        return asyncio.run(publication.run(lines, until_ms))
    except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
        raise InvalidInput(f"a line is larger than {log.topic} takes: {error}", "raise max.message.bytes of the topic") from error
    except KafkaError as error:
        raise InvalidInput(
            f"the broker stopped answering: {error}", "publish the same files again: it goes on where it stopped"
        ) from error


def _lines(path: str) -> Iterator[bytes]:
    """The lines of a file. A pipe can be read only once, so its first lines are looked at here."""
    lines = read_lines(path)
    if not _can_be_read_again(path):
        first = list(islice(lines, FIRST_LINES))
        _check_events(path, first)
        yield from first
    yield from lines


def _can_be_read_again(path: str) -> bool:
    return path != STDIN and Path(path).is_file()


def _check_events(path: str, first: Sequence[bytes]) -> None:
    """Raises InvalidInput where a file begins with lines, and none of them is a JSON object."""
    if first and not any(_is_object(line) for line in first):
        raise InvalidInput(
            f"{path}: not one of its first {len(first)} line(s) is a JSON object, so nothing of it was sent",
            "publish NDJSON, which has one event, a JSON object, in each line",
        )


def _is_object(line: bytes) -> bool:
    """Whether it is a JSON object, or a batch with one in it."""
    try:
        found = json.loads(line)
        return any(isinstance(each, dict) for each in (found if isinstance(found, list) else [found]))
    except (ValueError, RecursionError):
        return False


class _Publication:
    def __init__(self, bootstrap: str, log: Log, security: Security, state_file: StateFile, progress: Progress | None) -> None:
        self._bootstrap, self._log, self._security = bootstrap, log, security
        self._state_file = state_file
        self._progress = progress or (lambda _lines, _unreadable: None)

    async def run(self, lines: Iterator[bytes], until_ms: int | None) -> Published:
        saved = self._state_file.read()
        state = saved or PublishState(uuid.uuid4().hex, 0, await log_ends(self._bootstrap, self._log, self._security))
        present = await lines_in_log(self._bootstrap, self._log, self._security, state) if saved else set()
        resumed_at = state.line + len(present) if saved else 0
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            **self._security.aiokafka(),
        )
        await producer.start()
        try:
            remaining = islice(lines, state.line, None)
            while chunk := list(islice(remaining, CHUNK_LINES)):
                self._state_file.write(state)
                state = await self._send(producer, chunk, present, state)
                self._progress(state.line, state.unreadable)
            last = until_ms if until_ms is not None else state.largest_ms
            await self._send_ticks(producer, last)
        finally:
            await producer.stop()
        self._state_file.remove()
        return Published(state.line, state.unreadable, resumed_at, self._log.partitions, None if last is None else to_text(last))

    async def _send(
        self, producer: AIOKafkaProducer, chunk: Sequence[bytes], present: set[int], state: PublishState
    ) -> PublishState:
        by_partition: dict[int, list[Message]] = {}
        after = state
        for number, line in enumerate(chunk, state.line):
            message, after = _message(line, number, self._log, after)
            if number not in present:
                by_partition.setdefault(message.partition or 0, []).append(message)
        ends = await asyncio.gather(
            *(send_batches(producer, self._log.topic, partition, messages) for partition, messages in by_partition.items())
        )
        # Where the log ends after the chunk: nothing of the next one can stand before it.
        offsets = dict(state.offsets)
        for partition, end in zip(by_partition, ends, strict=True):
            offsets[partition] = max(offsets[partition], end)
        return replace(after, line=state.line + len(chunk), offsets=offsets)

    async def _send_ticks(self, producer: AIOKafkaProducer, ms: int | None) -> None:
        time = None if ms is None else to_text(ms)
        for partition in range(self._log.partitions):
            await send_batches(producer, self._log.topic, partition, [tick(self._log.topic, partition, time)])


def _message(line: bytes, number: int, log: Log, state: PublishState) -> tuple[Message, PublishState]:
    """A line as a record, and what the lines so far amount to. A line without a time takes that of the line before it."""
    event = _read(line)
    if event is None:
        state = replace(state, unreadable=state.unreadable + 1)
        device, found = None, None
    else:
        device, found = event["device_id"], _ingest_time(event)
    if found is not None:
        text, ms = found
        state = replace(state, last_time=text, largest_ms=max(ms, state.largest_ms) if state.largest_ms is not None else ms)
    time = () if state.last_time is None else ((INGEST_TIME_HEADER, state.last_time.encode()),)
    headers = (JSON_HEADER, state.header(number), *time)
    key = None if device is None else device.encode()
    partition = 0 if device is None else partition_of(device, log.partitions)
    return Message(log.topic, key, line, partition, headers), state


def _read(line: bytes) -> dict[str, Any] | None:
    """The event, where a gateway could tell whose it is."""
    try:
        event = json.loads(line)
        if isinstance(event, dict) and isinstance(event.get("device_id"), str):
            event["device_id"].encode()
            return event
    except (ValueError, RecursionError):
        pass
    return None


def _ingest_time(event: Mapping[str, Any]) -> tuple[str, int] | None:
    for name in TIME_FIELDS:
        text = event.get(name)
        if isinstance(text, str):
            try:
                return text, from_text(text)
            except (InvalidInput, OverflowError):
                continue
    return None


def register_manifest(bootstrap: str, prefix: str, document: Mapping[str, Any], security: Security = PLAINTEXT) -> str:
    """Sends a manifest to the releases topic, keyed by its digest, and returns the digest once the broker has it.

    Raises InvalidManifest for a document without a canonical form, LogMismatch where the topic does not exist, InvalidInput
    where no broker answers, NotAcknowledged where it stops answering.
    """
    digest = manifest_digest(document)
    topic = TopicNames.under(prefix).releases
    # A producer would ask for a topic that does not exist for ever.
    require_topic(bootstrap, topic, security)
    message = Message(topic, digest.encode(), canonical_bytes(document), headers=(JSON_HEADER,))

    async def send() -> None:
        async with BrokerProducer(bootstrap, security) as producer:
            await producer.send_all([message])

    asyncio.run(send())
    return digest
