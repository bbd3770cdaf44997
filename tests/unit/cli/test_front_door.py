"""The front door: quick to open, and every error told as what, why and how to mend it, with its exit code."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from surveillance.cli.failure import explain
from surveillance.cli.main import pms, run
from surveillance.errors import InvalidInput, InvalidManifest, Problem, StoreUnavailable

HEAVY = ("numpy", "scipy", "pyarrow", "pydantic", "faust", "aiokafka", "fastapi", "chdb", "clickhouse_connect", "msgspec")


def test_help_loads_no_heavy_package() -> None:
    program = (
        "import sys; from surveillance.cli.main import run; run(['up', '--help']); "
        f"print(sorted({{name.split('.')[0] for name in sys.modules}} & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nonsense"], "No such command"),
        (["manifst", "lint"], "Did you mean 'manifest'?"),
        (["manifest", "lnit"], "Did you mean 'lint'?"),
        (["replay", "events.ndjson"], "--manifest"),
        (["replay", "--manifest", "m.yaml", "--until", "tomorrow", "events.ndjson"], "not a time: 'tomorrow'"),
        (["up", "--api-port", "many"], "--api-port: expected a port number"),
        (["topics", "create", "--partitions", "0"], "--partitions"),
        (["status", "--store", "memory", "--api", "http://127.0.0.1:1"], "exclude each other"),
        (["status", "--api", "ftp://host"], "expected an http or https URL"),
    ],
)
def test_wrong_usage_is_told_and_exits_2(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert told in said.err
    assert "to mend: " in said.err
    assert "Traceback" not in said.err


def test_a_misspelt_setting_is_wrong_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PMS_STOR", "memory")
    assert run(["doctor"]) == 2
    assert "PMS_STOR; did you mean PMS_STORE?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["lint", "digest", "register"])
def test_a_manifest_that_is_not_there_exits_1(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", command, str(tmp_path / "absent.yaml")]) == 1
    said = capsys.readouterr().err
    assert "absent.yaml" in said
    assert "Traceback" not in said


def test_a_file_to_publish_that_is_not_there_is_told_before_any_broker_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "absent.ndjson")
    assert run(["publish", "--kafka-bootstrap", "127.0.0.1:1", absent]) == 1
    assert f"{absent}: cannot be read: No such file" in capsys.readouterr().err


def test_an_api_that_does_not_answer_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--api", "http://127.0.0.1:1"]) == 1
    assert "no API answers at http://127.0.0.1:1" in capsys.readouterr().err


def test_up_tells_a_port_that_is_taken_before_it_starts_anything(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["up", "--store", "memory", "--kafka-bootstrap", "127.0.0.1:1", "--api-port", port]) == 1
    said = capsys.readouterr().err
    assert f"error: the API cannot listen on 127.0.0.1 port {port}: " in said
    assert "to mend: choose a free port (PMS_API_PORT or --api-port" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["up", "worker", "evaluator", "api", "status"])
def test_a_command_without_a_store_says_how_to_name_one(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PMS_STORE", raising=False)
    assert run([command]) == 2
    assert "PMS_STORE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status", "--store", "chdb://relative"], "chdb:///absolute/dir"),
        (["worker", "--store", "chdb:///absolute"], "name a ClickHouse server"),
        (["api", "--store", "memory"], "name a ClickHouse server"),
        (["topics", "create", "--kafka-security-protocol", "SASL"], "one of PLAINTEXT, SSL"),
    ],
)
def test_a_setting_that_the_command_cannot_use_is_wrong_usage(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert told in capsys.readouterr().err


def test_status_makes_no_store_of_a_misspelt_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = tmp_path / "absent"
    assert run(["status", "--store", f"chdb://{absent}"]) == 1
    assert f"there is no store at chdb://{absent}" in capsys.readouterr().err
    assert not absent.exists()


def test_status_of_a_service_that_judged_nothing_is_not_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("surveillance.evaluation.status.status_lines", lambda _: iter(()))
    assert run(["status", "--store", "memory", "--json"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "nothing was judged yet\n")


def test_lint_names_every_problem_with_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("api_version: pms.manifest/v1\nkind: Something\n", encoding="utf-8")
    assert run(["manifest", "lint", "--json", str(path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["source"] == str(path)
    assert {"kind", "manifest_id", "surveillance"} <= {problem["path"].split(".")[0] for problem in found["problems"]}
    assert run(["manifest", "lint", str(path)]) == 1
    assert f"{path}: error: kind: " in capsys.readouterr().out


def test_digest_is_the_same_for_yaml_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.yaml").write_text("b: 1.0\na: [x, yes]\n", encoding="utf-8")
    (tmp_path / "m.json").write_text('{"a": ["x", "yes"], "b": 1}', encoding="utf-8")
    assert run(["manifest", "digest", str(tmp_path / "m.yaml"), str(tmp_path / "m.json")]) == 1
    said = capsys.readouterr()
    assert said.err.count("no valid manifest, so no service accepts what this digest names") == 2
    first, second = said.out.splitlines()
    assert first.split("  ")[0] == second.split("  ")[0]
    assert first.startswith("sha256:")


@pytest.mark.parametrize("what", ["events", "manifest", "asyncapi"])
def test_schemas_are_json(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", what]) == 0
    assert json.loads(capsys.readouterr().out)


def test_doctor_says_what_is_missing_who_needs_it_and_how_to_mend_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json", "--kafka-bootstrap", "127.0.0.1:1", "--store", "memory"]) == 1
    found = {row["subject"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["python"]["state"] == found["packages"]["state"] == "ok"
    assert found["kafka"]["state"] == "missing"
    assert "publish" in found["kafka"]["needed_by"]
    assert "PMS_KAFKA_BOOTSTRAP" in found["kafka"]["mend"]
    assert found["store"]["state"] == "optional"


@pytest.mark.parametrize("address", ["broker", "broker:port", ":9092", "broker:9092,other"])
def test_doctor_tells_an_address_without_a_port_from_a_broker_that_is_down(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--json", "--kafka-bootstrap", address]) == 1
    found = {row["subject"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["kafka"]["found"] == f"{address.split(',')[-1]!r} is no address with a port"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    program = (
        "import os, sys; from surveillance.cli.main import run; reading, writing = os.pipe(); os.close(reading); "
        "os.dup2(writing, 1); sys.exit(run(['schema', 'manifest']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_never_shows_the_password_of_the_store(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--store", "clickhouse://me:hunter2@127.0.0.1:1/pms"])
    said = capsys.readouterr()
    assert "127.0.0.1:1" in said.out
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", True)])
def test_what_the_kafka_clients_tell_of_their_steps_is_for_debugging(level: str, shown: bool) -> None:
    assert run(["--log-level", level, "schema", "events"]) == 0
    assert logging.getLogger("aiokafka.consumer").isEnabledFor(logging.INFO) is shown
    assert logging.getLogger("streams.services").isEnabledFor(logging.INFO)


def test_every_command_and_option_says_what_it_is_for() -> None:
    silent = []
    pending: list[tuple[str, click.Command]] = [("pms", pms)]
    while pending:
        path, command = pending.pop()
        silent += [path] if not command.help else []
        silent += [f"{path} {each.name}" for each in command.params if isinstance(each, click.Option) and not each.help]
        if isinstance(command, click.Group):
            pending += [(f"{path} {name}", inner) for name, inner in command.commands.items()]
    assert silent == []


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InvalidInput("no such file", "name another"), 1, "error: no such file\n  to mend: name another"),
        (
            InvalidManifest("m.yaml", [Problem("a.b", "wrong"), Problem("c", "also")]),
            1,
            "m.yaml: 2 problem(s)\n  a.b: wrong\n  c: also",
        ),
        (StoreUnavailable("clickhouse at h:1 does not answer"), 1, "nothing was lost"),
        (click.UsageError("which?"), 2, "error: which?"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: cannot be used\n  why: Permission denied"),
        (ValueError("patient 4711"), 70, "this is a fault of pms"),
    ],
)
def test_an_error_becomes_words_and_an_exit_code(error: Exception, code: int, told: str) -> None:
    failure = explain(error)
    assert failure.exit_code == code
    assert told in failure.text()


def test_a_stray_error_does_not_quote_what_it_stumbled_over() -> None:
    assert "4711" not in explain(ValueError("patient 4711")).text()
