"""Two workers, two evaluators and the API, each a process of its own on a shared store that breaks: one truth at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.live_service import (
    assert_delivered,
    await_events,
    await_replayed,
    kafka_settings,
    prepare,
    replayed,
    stored_lines,
    written,
)
from tests.integration.pms_process import PmsProcess, run_pms
from tests.oracle.streams import generate
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn

pytestmark = [pytest.mark.kafka, pytest.mark.chdb, pytest.mark.slow]


@contextmanager
def processes(names: Mapping[str, str], settings: Mapping[str, str], folder: Path) -> Iterator[dict[str, PmsProcess]]:
    """Running services by name; `names` gives the command of each."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(PmsProcess(command, settings, folder, name)) for name, command in names.items()}


def test_they_end_where_replay_ends_although_the_store_breaks_and_an_evaluator_dies(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    files = written(generate(22, inferences=400, hours=48), tmp_path, parts=3)
    expected = replayed(files, {"HOME": str(tmp_path)})
    # A store of its own: which log is the current one is true of a whole store.
    with ClickHouseStandIn(tmp_path / "stand-in") as stand_in:
        settings = kafka_settings(kafka_bootstrap, topic_prefix, stand_in.dsn(), tmp_path)
        prepare(settings, files, 4)
        names = {"worker-1": "worker", "worker-2": "worker", "evaluator-1": "evaluator", "evaluator-2": "evaluator", "api": "api"}
        with processes(names, settings, tmp_path) as running:
            url = running["api"].url()
            run_pms("publish", str(files.parts[0]), environment=settings)
            await_events(url, 1)
            running["evaluator-1"].kill()
            with stand_in.fault("drop_ack", times=3, only="INSERT"):  # written, and nobody is told
                run_pms("publish", str(files.parts[1]), environment=settings)
                await_events(url, 2)
            with stand_in.fault("status", times=20):  # 503
                run_pms("publish", str(files.parts[2]), environment=settings)
            with processes({"evaluator-3": "evaluator"}, settings, tmp_path) as others:
                await_replayed(url, expected, settings)
                stored = stored_lines(url)
                alive = {**running, **others}
                for name in ("worker-1", "worker-2", "evaluator-2", "evaluator-3", "api"):
                    assert alive[name].terminate() == 0, f"{name}: {alive[name].said()[-2000:]}"
    assert_delivered(kafka_bootstrap, topic_prefix, stored)
