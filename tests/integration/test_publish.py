"""`pms publish` on a real broker: as a gateway would send it, once, in order, whatever interrupts it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.structs import ConsumerRecord

from streams.publish import CHUNK_LINES, publish_files
from streams.ticks import INGEST_TIME_HEADER, TICK_VALUE
from streams.topics import create_topics
from surveillance.errors import InvalidInput, LogMismatch
from surveillance.events.partitioning import partition_of
from surveillance.times import from_text
from tests.integration.kafka_log import delete_before, read_all
from tests.project_tree import ROOT

pytestmark = pytest.mark.kafka

PARTITIONS = 3
DEVICES = 17


@pytest.fixture
def telemetry(kafka_bootstrap: str, topic_prefix: str) -> str:
    create_topics(kafka_bootstrap, topic_prefix, PARTITIONS)
    return topic_prefix + "telemetry"


def event_file(folder: Path, lines: int) -> Path:
    """One event a second, of each device in turn; a few lines that no gateway can read."""
    path = folder / "events.ndjson"
    with path.open("w") as out:
        for number in range(lines):
            time = f"2026-05-06T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
            event = {
                "device_id": f"dev-{number % DEVICES}",
                "event_time": "2026-05-06T00:00:00Z",
                "ingest_time": time,
                "n": number,
            }
            out.write("no json\n" if number % 1000 == 999 else json.dumps(event) + "\n")
    return path


def header(record: ConsumerRecord, name: str) -> str:
    return str(dict(record.headers)[name].decode())


def split(records: list[ConsumerRecord]) -> tuple[list[ConsumerRecord], list[ConsumerRecord]]:
    """Lines and ticks."""
    return [r for r in records if r.value != TICK_VALUE], [r for r in records if r.value == TICK_VALUE]


def test_every_line_goes_to_the_partition_of_its_device_in_order_with_its_ingest_time(
    kafka_bootstrap: str, topic_prefix: str, telemetry: str, tmp_path: Path
) -> None:
    path = event_file(tmp_path, 2000)
    told: list[tuple[int, int]] = []
    published = publish_files(
        kafka_bootstrap, topic_prefix, [str(path)], progress=lambda *at: told.append(at), state_folder=tmp_path / "state"
    )
    assert str(published) == "2000 lines to 3 partitions (2 unreadable), time up to 2026-05-06T00:33:18Z"
    assert told == [(2000, 2)]
    lines, ticks = split(read_all(kafka_bootstrap, telemetry, PARTITIONS))
    readable = [(record, json.loads(record.value)) for record in lines if record.value != b"no json"]
    assert all(record.key == event["device_id"].encode() for record, event in readable)
    assert all(record.partition == partition_of(event["device_id"], PARTITIONS) for record, event in readable)
    assert all(header(record, INGEST_TIME_HEADER) == event["ingest_time"] for record, event in readable)
    for partition in range(PARTITIONS):
        numbers = [event["n"] for record, event in readable if record.partition == partition]
        assert numbers == sorted(numbers)
    assert sorted(record.value for record in lines) == sorted(path.read_bytes().splitlines())
    # No line stands after the tick of its partition.
    assert [tick.partition for tick in ticks] == list(range(PARTITIONS))
    assert all(tick.offset == sum(line.partition == tick.partition for line in lines) for tick in ticks)
    assert {from_text(header(tick, INGEST_TIME_HEADER)) for tick in ticks} == {from_text("2026-05-06T00:33:18Z")}
    assert list((tmp_path / "state").iterdir()) == []


def test_until_is_the_time_of_the_ticks(kafka_bootstrap: str, topic_prefix: str, telemetry: str, tmp_path: Path) -> None:
    until_ms = from_text("2026-05-09T00:00:00Z")
    published = publish_files(
        kafka_bootstrap, topic_prefix, [str(event_file(tmp_path, 10))], until_ms=until_ms, state_folder=tmp_path / "state"
    )
    assert published.last_ingest_time is not None
    assert from_text(published.last_ingest_time) == until_ms
    _, ticks = split(read_all(kafka_bootstrap, telemetry, PARTITIONS))
    assert {from_text(header(tick, INGEST_TIME_HEADER)) for tick in ticks} == {until_ms}


KILLED_WHILE_SENDING = """
import os, signal, sys
from pathlib import Path
import streams.publish as publish

calls, send_batches = 0, publish.send_batches

async def send_and_die(*arguments):
    global calls
    sent = await send_batches(*arguments)
    calls += 1
    if calls == int(sys.argv[5]):
        os.kill(os.getpid(), signal.SIGKILL)
    return sent

publish.send_batches = send_and_die
publish.publish_files(sys.argv[1], sys.argv[2], [sys.argv[3]], state_folder=Path(sys.argv[4]))
"""


def killed(bootstrap: str, prefix: str, path: Path, state: Path, after_sends: int) -> None:
    """A publication that SIGKILL ends as soon as so many partitions of chunks, or ticks, were acknowledged."""
    command = [sys.executable, "-c", KILLED_WHILE_SENDING, bootstrap, prefix, str(path), str(state), str(after_sends)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL


def test_a_killed_publication_goes_on_after_the_last_line_in_the_log(
    kafka_bootstrap: str, topic_prefix: str, telemetry: str, tmp_path: Path
) -> None:
    path, state = event_file(tmp_path, 4 * CHUNK_LINES + 500), tmp_path / "state"
    killed(kafka_bootstrap, topic_prefix, path, state, 1)  # in the first chunk
    killed(kafka_bootstrap, topic_prefix, path, state, 4)  # in a later one
    before = len(read_all(kafka_bootstrap, telemetry, PARTITIONS))
    assert 0 < before < 4 * CHUNK_LINES + 500
    published = publish_files(kafka_bootstrap, topic_prefix, [str(path)], state_folder=state)
    assert published.lines == 4 * CHUNK_LINES + 500
    assert published.unreadable == 20
    assert published.resumed_at == before
    lines, ticks = split(read_all(kafka_bootstrap, telemetry, PARTITIONS))
    assert sorted(record.value for record in lines) == sorted(path.read_bytes().splitlines())
    assert len(ticks) == PARTITIONS
    for device in range(DEVICES):
        numbers = [json.loads(record.value)["n"] for record in lines if record.key == b"dev-%d" % device]
        assert numbers == sorted(numbers)
    assert list(state.iterdir()) == []


def test_a_finished_publication_is_published_again_when_asked_again(
    kafka_bootstrap: str, topic_prefix: str, telemetry: str, tmp_path: Path
) -> None:
    path = event_file(tmp_path, 20)
    for _ in range(2):
        assert publish_files(kafka_bootstrap, topic_prefix, [str(path)], state_folder=tmp_path / "state").resumed_at == 0
    lines, _ = split(read_all(kafka_bootstrap, telemetry, PARTITIONS))
    assert len(lines) == 40


def test_a_log_that_lost_the_end_of_an_interrupted_publication_is_said(
    kafka_bootstrap: str, topic_prefix: str, telemetry: str, tmp_path: Path
) -> None:
    path, state = event_file(tmp_path, 200), tmp_path / "state"
    killed(kafka_bootstrap, topic_prefix, path, state, 3)
    for partition in range(PARTITIONS):
        delete_before(kafka_bootstrap, telemetry, partition, 10)
    with pytest.raises(InvalidInput, match="has lost the end of the interrupted publication"):
        publish_files(kafka_bootstrap, topic_prefix, [str(path)], state_folder=state)


def test_a_topic_that_does_not_exist_is_named_with_the_command_that_creates_it(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    with pytest.raises(LogMismatch, match="pms topics create"):
        publish_files(kafka_bootstrap, topic_prefix, [str(event_file(tmp_path, 1))], state_folder=tmp_path)
