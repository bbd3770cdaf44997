"""NOT ClickHouse: a test-only stand-in that serves ClickHouse's HTTP interface from an embedded chDB, in its own process.

It answers what clickhouse-connect sends (queries, bound parameters, settings, Arrow and Native inserts, basic authentication)
and breaks on command, which a real server does not. Faults are set on a second port:

refuse    the data port is closed: connections are refused and open ones dropped
stall     the request is accepted, not executed, and dropped when the fault is cleared
hold      the request is executed only when the fault is cleared
status    the answer is 503 and nothing is executed
drop      nothing is executed and the connection is closed
drop_ack  the statement is executed, then the connection is closed without an answer

What it cannot show: replication, quorum, access control, quotas and timeouts inside a server. It ends when its standard
input ends, so it never outlives the process that started it.
"""

from __future__ import annotations

import base64
import contextlib
import email
import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

USER, PASSWORD = "pms", "s3cret pass/word@"
_TRANSPORT = {
    "query",
    "database",
    "session_id",
    "query_id",
    "wait_end_of_query",
    "client_protocol_version",
    "enable_http_compression",
}
_TRANSPORT |= {
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "cancel_http_readonly_queries_on_client_close",
}
_MOST_FIELD_BYTES = 128 * 1024 + 1
_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s+.+?)\s+FORMAT\s+(\w+)\s*\n?", re.IGNORECASE | re.DOTALL)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_READS = re.compile(r"\s*(SELECT|SHOW|DESCRIBE|EXPLAIN|WITH|EXISTS)\b", re.IGNORECASE)


class ClickHouseStandIn:
    """The stand-in as a test sees it: start, address, faults, stop."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-in did not start (exit code {self._process.wait()})")
        ports = json.loads(line)
        self.port: int = ports["port"]
        self._admin = f"http://127.0.0.1:{ports['admin_port']}/"

    def dsn(self, *, user: str = USER, password: str = PASSWORD, database: str = "default", options: str = "") -> str:
        quoted = urllib.parse.quote(password, safe="")
        return f"clickhouse://{user}:{quoted}@127.0.0.1:{self.port}/{database}{options}"

    @contextlib.contextmanager
    def fault(self, kind: str, *, times: int = 1_000_000, only: str = "") -> Iterator[None]:
        """Break requests whose statement begins with `only`, `times` times, until the block ends."""
        self._tell({"kind": kind, "times": times, "only": only})
        try:
            yield
        finally:
            self._tell({"kind": "", "times": 0, "only": ""})

    def waiting(self) -> int:
        """Requests that stall or are held at this moment."""
        return int(self._tell({})["stalled"])

    def wait_for_waiting(self, requests: int) -> None:
        """Return when so many requests stall or are held."""
        assert self._tell({"until_stalled": requests})["stalled"] >= requests

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __enter__(self) -> ClickHouseStandIn:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _tell(self, what: Mapping[str, Any]) -> Any:
        with urllib.request.urlopen(urllib.request.Request(self._admin, json.dumps(what).encode()), timeout=60) as answer:
            return json.load(answer)


class _Engine:
    """chDB connections by (database, settings), each with a lock."""

    def __init__(self, directory: str) -> None:
        import chdb

        self._open = lambda: chdb.connect(directory)
        self._root = self._open()
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Any, threading.Lock]] = {}

    def run(self, sql: str, fmt: str, database: str, settings: Mapping[str, str], parameters: Mapping[str, str]) -> bytes:
        connection, lock = self._connection(database, tuple(sorted(settings.items())))
        with lock:
            answer = connection.query(sql, fmt, params=dict(parameters))
            return bytes(answer.bytes() or b"")

    def _connection(self, database: str, settings: tuple[tuple[str, str], ...]) -> tuple[Any, threading.Lock]:
        with self._lock:
            if (database, settings) not in self._kept:
                connection = self._open()
                if database:
                    connection.query(f"USE `{database}`", "TabSeparated")
                for name, value in settings:
                    connection.query(f"SET {name} = '{value}'", "TabSeparated")
                self._kept[database, settings] = connection, threading.Lock()
            return self._kept[database, settings]


class _Fault:
    """The fault in force, counted down by the requests it breaks."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kind, self._times, self._only = "", 0, ""
        self.stalled = 0

    def set(self, kind: str, times: int, only: str) -> None:
        with self._changed:
            self._kind, self._times, self._only = kind, times, only
            self._changed.notify_all()

    def take(self, statement: str) -> str:
        """The fault for this statement ("" = none); a stalled or held one returns when the fault is cleared."""
        with self._changed:
            if self._times <= 0 or not statement.lstrip().upper().startswith(self._only.upper()):
                return ""
            self._times -= 1
            kind = self._kind
            if kind in ("stall", "hold"):
                self.stalled += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._kind != kind)
                self.stalled -= 1
            return kind

    def wait_for_stalled(self, requests: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.stalled >= requests, timeout=30)


class _DataServer(ThreadingHTTPServer):
    """The data port; it can be closed and opened again on the same number."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, engine: _Engine, fault: _Fault) -> None:
        super().__init__(("127.0.0.1", port), _DataHandler)
        self.engine, self.fault = engine, fault
        self._sockets: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._sockets.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about."""

    def refuse(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _DataHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _DataServer

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n", {})
            return
        content_type = self.headers.get("Content-Type", "")
        if content_type.startswith("multipart/form-data"):
            message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
            for part in message.get_payload():
                value = part.get_payload(decode=True)
                if len(value) > _MOST_FIELD_BYTES:
                    self._exception("Poco::Exception. Code: 1000, e.code() = 0, HTML Form Exception: Field value too long")
                    return
                asked[part.get_param("name", header="content-disposition")] = value.decode()
            body = b""
        statement = asked.get("query", "").encode() + (b"\n" if asked.get("query") and body else b"") + body
        if not self._known_user():
            self._exception("Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)")
            return
        kind = self.server.fault.take(statement[:2000].decode(errors="replace"))
        if kind == "status":
            self._answer(503, b"Service Unavailable", {})
        elif kind in ("drop", "stall"):
            self.close_connection = True
        else:
            self._execute(statement, asked, acknowledge=kind != "drop_ack")

    def _execute(self, statement: bytes, asked: Mapping[str, str], *, acknowledge: bool) -> None:
        settings = {name: value for name, value in asked.items() if name not in _TRANSPORT and not name.startswith("param_")}
        parameters = {name[6:]: value for name, value in asked.items() if name.startswith("param_")}
        insert = _INSERT.match(statement)
        try:
            if insert:
                answer, fmt = self._insert(insert, statement[insert.end() :], asked.get("database", ""), settings), ""
            else:
                text = statement.decode()
                found = _FORMAT.search(text)
                fmt = found[1] if found else "TabSeparated"
                answer = self.server.engine.run(text, fmt, asked.get("database", ""), settings, parameters)
                fmt = fmt if found or _READS.match(text) else ""
        except Exception as error:  # noqa: BLE001 - whatever the engine says goes to the client, as a server would
            self._exception(str(error))
            return
        if acknowledge:
            self._answer(200, answer, {"X-ClickHouse-Format": fmt} if fmt else {})
        else:
            self.close_connection = True

    def _insert(self, insert: re.Match[bytes], rows: bytes, database: str, settings: Mapping[str, str]) -> bytes:
        with tempfile.NamedTemporaryFile() as file:
            file.write(rows)
            file.flush()
            sql = f"{insert[1].decode()} FROM INFILE '{file.name}' FORMAT {insert[2].decode()}"
            return self.server.engine.run(sql, "TabSeparated", database, settings, {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _known_user(self) -> bool:
        return self.headers.get("Authorization") == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def _exception(self, text: str) -> None:
        text = text[max(0, text.find("Code: ")) :]
        code = re.search(r"Code: (\d+)", text)
        self._answer(500, text.encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1001"})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        # A real server always sends some header of its own; without one the driver takes the answer for a broken one.
        for name, value in {
            "X-ClickHouse-Summary": "{}",
            "X-ClickHouse-Timezone": "UTC",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Standing:
    """The data server and its fault, as the admin port moves them."""

    def __init__(self, directory: str) -> None:
        self._engine, self._fault = _Engine(directory), _Fault()
        self._refusing = False
        self._server = self._listen(0)
        self.port: int = self._server.server_address[1]

    def tell(self, what: Mapping[str, Any]) -> dict[str, Any]:
        if "kind" in what:
            if what["kind"] == "refuse" and not self._refusing:
                self._server.refuse()
            elif what["kind"] != "refuse" and self._refusing:
                self._server = self._listen(self.port)
            self._refusing = what["kind"] == "refuse"
            self._fault.set(what["kind"], what["times"], what["only"])
        if "until_stalled" in what:
            self._fault.wait_for_stalled(what["until_stalled"])
        return {"stalled": self._fault.stalled}

    def _listen(self, port: int) -> _DataServer:
        server = _DataServer(port, self._engine, self._fault)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server


def _serve(directory: str) -> None:
    standing = _Standing(directory)

    class AdminHandler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            answer = json.dumps(standing.tell(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    admin = ThreadingHTTPServer(("127.0.0.1", 0), AdminHandler)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    print(json.dumps({"port": standing.port, "admin_port": admin.server_address[1]}), flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    _serve(sys.argv[1])
