"""`pms doctor`: what is here, what is missing, for which command it is needed, and how to mend it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal
from urllib.parse import urlsplit

import click

from surveillance.cli.failure import EXIT_UNREADABLE
from surveillance.cli.options import json_option, with_settings
from surveillance.errors import InvalidInput
from surveillance.settings import Settings

CONNECT_TIMEOUT_S = 2.0
SERVICES = "up, worker, evaluator, api, status"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `optional` = missing, and only the commands in `needed_by` do without it."""

    subject: str
    state: Literal["ok", "missing", "optional"]
    found: str
    needed_by: str = ""
    mend: str = ""

    def text(self) -> str:
        """The finding on one line, with how to mend it on a second."""
        line = f"{self.state:9} {self.subject}: {self.found}"
        return line if self.state == "ok" else f"{line}\n{'':9} needed by {self.needed_by}; to mend: {self.mend}"


@click.command()
@with_settings("kafka", "store")
@json_option
def doctor(settings: Settings, as_json: bool) -> None:
    """Look at the machine and the settings. Exit code 1 where something is missing that `pms up` needs."""
    findings = list(_look(settings))
    for each in findings:
        click.echo(json.dumps(asdict(each)) if as_json else each.text())
    if any(each.state == "missing" for each in findings):
        raise click.exceptions.Exit(EXIT_UNREADABLE)


def _look(settings: Settings) -> Iterator[Finding]:
    yield Finding("python", "ok", sys.version.split()[0])
    yield _packages()
    yield _kafka(settings.kafka_bootstrap)
    yield _store(settings.store)
    for program, package in (("java", "default-jre-headless"), ("mvn", "maven")):
        yield _program(program, package)


def _packages() -> Finding:
    try:
        named = requires("pms-surveillance") or []
    except PackageNotFoundError:
        return Finding("packages", "missing", "pms-surveillance is not installed", "everything", "pip install .")
    wanted = [name for name in named if "extra ==" not in name]
    missing = [name for name in wanted if not _is_installed(name)]
    if missing:
        return Finding("packages", "missing", "not installed: " + "; ".join(missing), "everything", "pip install .")
    return Finding("packages", "ok", f"{len(wanted)} of {len(wanted)} installed")


def _is_installed(requirement: str) -> bool:
    name = re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return "sys_platform" in requirement and sys.platform == "win32"


def _kafka(bootstrap: str) -> Finding:
    users = "up, worker, evaluator, topics create, publish, manifest register"
    addresses = {broker.strip(): _host_and_port(broker) for broker in bootstrap.split(",")}
    malformed = [broker for broker, (host, port) in addresses.items() if not host or port is None]
    if malformed:
        mend = "write host:port[,host:port...]; PMS_KAFKA_BOOTSTRAP names it"
        return Finding("kafka", "missing", f"{', '.join(malformed)!r} is no address with a port", users, mend)
    silent = [broker for broker, address in addresses.items() if not _answers(*address)]
    if silent:
        mend = "start it, or name it with PMS_KAFKA_BOOTSTRAP; demo and replay need none"
        return Finding("kafka", "missing", f"{', '.join(silent)} does not answer", users, mend)
    return Finding("kafka", "ok", f"{bootstrap} accepts connections")


def _host_and_port(broker: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(f"//{broker.strip()}")
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def _answers(host: str, port: int | None) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


def _store(dsn: str | None) -> Finding:
    from surveillance.store.dsn import ChdbTarget, ServerTarget, parse_dsn

    if dsn is None:
        return Finding(
            "store", "missing", "none is named", SERVICES, "PMS_STORE=chdb:///absolute/directory, or a clickhouse:// address"
        )
    try:
        target = parse_dsn(dsn)
    except InvalidInput as error:
        return Finding("store", "missing", error.what, SERVICES, error.mend)
    match target:
        case ChdbTarget(directory=directory):
            return _folder(directory)
        case ServerTarget(host=host, port=port) if not _answers(host, port):
            return Finding("store", "missing", f"no server answers at {host}:{port}", SERVICES, "start it, or correct PMS_STORE")
        case ServerTarget(host=host, port=port):
            return Finding("store", "ok", f"{host}:{port} accepts connections")
        case _:
            return Finding(
                "store", "optional", "memory: forgets everything at the end", "everything but trials", "PMS_STORE=chdb:///..."
            )


def _folder(directory: str) -> Finding:
    from surveillance.store.chdb_directory import check_directory

    try:
        check_directory(directory)
    except InvalidInput as error:
        return Finding("store", "missing", error.what, SERVICES, error.mend)
    return Finding("store", "ok", f"{directory} can be written")


def _program(program: str, package: str) -> Finding:
    found = shutil.which(program)
    if found:
        return Finding(program, "ok", found)
    return Finding(
        program, "optional", "not found", "demo --kafka and the tests, where no broker is named", f"apt-get install {package}"
    )
