"""Where a store is, as users write it: `memory`, `chdb:///dir`, `clickhouse://user:password@host:port/database`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from surveillance.errors import InvalidSetting

_MEND = "write memory, chdb:///absolute/dir, or clickhouse://user:password@host:port/database (clickhouses:// for TLS)"
_OPTIONS = ("cluster", "connect_timeout_s", "timeout_s")


@dataclass(frozen=True, slots=True)
class MemoryTarget:
    """Kept in this process only."""


@dataclass(frozen=True, slots=True)
class ChdbTarget:
    """An embedded chDB directory."""

    directory: str


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """A ClickHouse server over HTTP(S). `cluster` names the cluster whose replicas hold the tables ("" = one server)."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    tls: bool
    cluster: str = ""
    connect_timeout_s: int = 5
    timeout_s: int = 60


Target = MemoryTarget | ChdbTarget | ServerTarget


def parse_dsn(dsn: str) -> Target:
    """What a `PMS_STORE` text means. Raises InvalidSetting, which never repeats a password."""
    if dsn == "memory":
        return MemoryTarget()
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError as error:
        raise InvalidSetting("the store's address cannot be read: its port or host is malformed", _MEND) from error
    if parts.scheme == "chdb":
        return _chdb(parts)
    if parts.scheme in ("clickhouse", "clickhouses"):
        return _server(parts, port)
    if not parts.scheme:
        raise InvalidSetting("the store's address does not begin with a kind of store", _MEND)
    raise InvalidSetting(f"no kind of store is called {parts.scheme!r}", _MEND)


def _chdb(parts: SplitResult) -> ChdbTarget:
    if parts.netloc or not parts.path.strip("/"):
        raise InvalidSetting("an embedded store needs an absolute directory", "write chdb:///absolute/dir, with three slashes")
    if parts.query or parts.fragment:
        raise InvalidSetting("an embedded store takes no options after its directory", "write chdb:///absolute/dir")
    return ChdbTarget(unquote(parts.path))


def _server(parts: SplitResult, port: int | None) -> ServerTarget:
    tls = parts.scheme == "clickhouses"
    if not parts.hostname:
        raise InvalidSetting("the store's address names no host", _MEND)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise InvalidSetting(f"the store's address has the unknown option {unknown[0]!r}", f"use {', '.join(_OPTIONS)}")
    return ServerTarget(
        host=parts.hostname,
        port=port or (8443 if tls else 8123),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or "default",
        tls=tls,
        cluster=options.get("cluster", ""),
        connect_timeout_s=_seconds(options, "connect_timeout_s", 5),
        timeout_s=_seconds(options, "timeout_s", 60),
    )


def _seconds(options: Mapping[str, str], name: str, otherwise: int) -> int:
    text = options.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidSetting(
            f"{name} of the store's address must be whole seconds, at least 1", f"for example ?{name}={otherwise}"
        )
    return int(text)
