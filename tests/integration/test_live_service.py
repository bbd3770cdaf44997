"""`pms up` on a real Kafka and an embedded store, killed while it works: it ends where `pms replay` of the file ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.live_service import (
    assert_delivered,
    await_events,
    await_replayed,
    differences,
    kafka_settings,
    lines_of,
    prepare,
    replayed,
    stored_lines,
    summary_at,
    written,
)
from tests.integration.pms_process import PmsProcess, run_pms
from tests.oracle.streams import generate

pytestmark = [pytest.mark.kafka, pytest.mark.chdb, pytest.mark.slow]

PARTITIONS = 4


def test_a_published_file_gives_the_status_lines_of_its_replay_whatever_is_killed_meanwhile(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    files = written(generate(21, inferences=500, hours=60), tmp_path, parts=4)
    settings = kafka_settings(kafka_bootstrap, topic_prefix, f"chdb://{tmp_path}/store", tmp_path)
    expected = replayed(files, {"HOME": str(tmp_path)})
    prepare(settings, files, PARTITIONS)
    running = PmsProcess("up", settings, tmp_path, "up-0")
    try:
        for number, part in enumerate(files.parts):
            run_pms("publish", str(part), environment=settings)
            if number < len(files.parts) - 1:
                # The knife falls somewhere between the first record folded and the last line written.
                await_events(running.url(), 50 * number + 1)
                running.kill()
                running = PmsProcess("up", settings, tmp_path, f"up-{number + 1}")
        url = running.url()
        await_replayed(url, expected, settings)
        stored = stored_lines(url)
        assert running.terminate() == 0, running.said()[-2000:]
        assert differences(lines_of(run_pms("status", "--json", environment=settings)), expected) == []
    finally:
        running.kill()
    assert_delivered(kafka_bootstrap, topic_prefix, stored)


def test_an_embedded_store_that_a_service_has_open_is_not_opened_twice(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    files = written(generate(3, inferences=20, hours=30), tmp_path, parts=1)
    settings = kafka_settings(kafka_bootstrap, topic_prefix, f"chdb://{tmp_path}/store", tmp_path)
    prepare(settings, files, 1)
    with PmsProcess("up", settings, tmp_path, "up") as running:
        running.url()
        with pytest.raises(AssertionError, match=r"--api|ClickHouse server"):
            run_pms("status", environment=settings)


def test_a_manifest_without_a_signature_is_refused_unless_it_is_allowed(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    files = written(generate(3, inferences=20, hours=30), tmp_path, parts=1)
    allowed = kafka_settings(kafka_bootstrap, topic_prefix, f"chdb://{tmp_path}/store", tmp_path)
    settings = allowed | {"PMS_ALLOW_UNSIGNED": "false"}
    prepare(settings, files, 1)
    run_pms("publish", str(files.parts[0]), environment=settings)
    with PmsProcess("up", settings, tmp_path, "up") as running:
        url = running.url()
        await_events(url, 20)
        found = summary_at(url)
        assert found is not None
        assert found["counted"] == 0
        assert "carries no signature" in running.said()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"PMS_STORE": "memory"}, "pms up"),
        ({"PMS_STORE": "chdb:///nowhere/at/all"}, "pms up"),
    ],
)
def test_a_worker_of_its_own_needs_a_store_that_others_can_read(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    settings = kafka_settings(kafka_bootstrap, topic_prefix, "memory", tmp_path) | changes
    worker = PmsProcess("worker", settings, tmp_path, "worker")
    assert worker.process.wait(timeout=60) == 2
    assert says in worker.said()
    assert "Traceback" not in worker.said()


def test_a_service_without_its_topics_says_which_command_makes_them(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = kafka_settings(kafka_bootstrap, topic_prefix, "memory", tmp_path)
    service = PmsProcess("up", settings, tmp_path, "up")
    try:
        assert service.process.wait(timeout=60) == 1
    except subprocess.TimeoutExpired:
        service.kill()
        raise
    assert "pms topics create" in service.said()
    assert "Traceback" not in service.said()
