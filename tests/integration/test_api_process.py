"""`pms api` in a process of its own: it reads what others wrote to a ClickHouse, and leaves on a signal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from surveillance.log_identity import record_log
from surveillance.store import open_store
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn
from tests.unit.api.field import LOG_ID, judged

COMMAND = "from surveillance.cli.main import main; main()"


@contextmanager
def running(dsn: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the URL that its log names."""
    arguments = [sys.executable, "-c", COMMAND, "api", "--store", dsn, "--api-port", "0"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "http://127.0.0.1:" in line)
            yield process, said[said.index("http://") :].strip()
        finally:
            process.kill()


@pytest.mark.chdb
def test_what_others_wrote_is_served_until_a_signal(tmp_path: Path) -> None:
    # Of its own: which log is the current one is true of a whole store.
    with ClickHouseStandIn(tmp_path) as stand_in, closing(open_store(stand_in.dsn())) as store:
        record_log(store, LOG_ID, "pms.telemetry", 1, 1)
        _, lines = judged(store=store)
        incidents = [line for line in lines if line["kind"] == "incident"]
        with running(stand_in.dsn()) as (process, url):
            with urlopen(f"{url}/v1/incidents") as answer:
                assert json.load(answer)["incidents"] == incidents != []
            with urlopen(f"{url}/readyz") as answer:
                assert json.load(answer)["status"] == "ready"
            with stand_in.fault("refuse"), pytest.raises(HTTPError) as refused:
                urlopen(f"{url}/v1/incidents")
            assert refused.value.code == 503
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
