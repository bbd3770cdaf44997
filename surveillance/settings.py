"""The settings of the services: a flag, else the environment (`PMS_*`), else `pms.toml`, else the default.

A setting that is not known is an error that names the nearest one: a misspelt limit of trust must not pass as its default.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from surveillance.errors import InvalidInput, InvalidSetting

PREFIX = "PMS_"
CONFIG_VARIABLE = "PMS_CONFIG"
DEFAULT_CONFIG = "pms.toml"
_TEST_PREFIX = "PMS_TEST_"

Group = Literal["kafka", "store", "worker", "api"]


def _text(given: object) -> str:
    if isinstance(given, str) and given:
        return given
    raise ValueError("a text that is not empty")


def _switch(given: object) -> bool:
    known = {True: True, False: False, "true": True, "1": True, "false": False, "0": False}
    if isinstance(given, bool | str) and given in known:
        return known[given]
    raise ValueError("true or false")


def _port(given: object) -> int:
    if isinstance(given, int | str) and not isinstance(given, bool) and str(given).isdecimal() and int(given) <= 65535:
        return int(given)
    raise ValueError("a port number from 0 to 65535")


def _seconds(given: object) -> int:
    if isinstance(given, int | str) and not isinstance(given, bool) and str(given).isdecimal() and 1 <= int(given) <= 300:
        return int(given)
    raise ValueError("whole seconds from 1 to 300")


def _time_source(given: object) -> str:
    if given in ("append", "header"):
        return str(given)
    raise ValueError("append or header")


@dataclass(frozen=True, slots=True)
class SettingNote:
    """What is known of a setting besides its default: for whom it is, what it means, how its text is read."""

    group: Group
    meaning: str
    read: Callable[[object], object] = _text
    secret: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether the setting is true or false."""
        return self.read is _switch


def _setting(default: Any, note: SettingNote) -> Any:
    return field(default=default, metadata={"note": note})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """Everything a service is told from outside. Its text never shows a password."""

    kafka_bootstrap: str = _setting("127.0.0.1:9092", SettingNote("kafka", "brokers, host:port[,host:port...]"))
    topic_prefix: str = _setting("pms.", SettingNote("kafka", "what the names of all topics begin with"))
    kafka_security_protocol: str | None = _setting(None, SettingNote("kafka", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"))
    kafka_sasl_mechanism: str | None = _setting(None, SettingNote("kafka", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or GSSAPI"))
    kafka_sasl_username: str | None = _setting(None, SettingNote("kafka", "user at the brokers"))
    kafka_sasl_password: str | None = _setting(None, SettingNote("kafka", "its password", secret=True))
    kafka_sasl_kerberos_service_name: str | None = _setting(None, SettingNote("kafka", "service name of the brokers' principal"))
    kafka_ssl_ca_location: str | None = _setting(None, SettingNote("kafka", "file of the authorities that sign the brokers"))
    kafka_ssl_certificate_location: str | None = _setting(None, SettingNote("kafka", "file of our own certificate"))
    kafka_ssl_key_location: str | None = _setting(None, SettingNote("kafka", "file of our own private key"))
    kafka_ssl_key_password: str | None = _setting(None, SettingNote("kafka", "password of that key", secret=True))
    store: str | None = _setting(
        None, SettingNote("store", "chdb:///directory, clickhouse://user:password@host:port/database, or memory")
    )
    group: str = _setting("pms", SettingNote("worker", "consumer group of the workers"))
    instance_id: str | None = _setting(
        None,
        SettingNote("worker", "name this worker keeps over restarts, unique in its group: a quick restart moves no partition"),
    )
    session_timeout_s: int = _setting(
        20, SettingNote("worker", "seconds without a heartbeat after which the group gives a worker's partitions away", _seconds)
    )
    time_source: str = _setting(
        "append",
        SettingNote("worker", "broker time: append (the broker's own), or header (pms-ingest-time) for backfill", _time_source),
    )
    allow_unsigned: bool = _setting(
        False, SettingNote("worker", "accept manifests without signatures; development only", _switch)
    )
    api_host: str = _setting("127.0.0.1", SettingNote("api", "address the API listens on"))
    api_port: int = _setting(8080, SettingNote("api", "its port; 0 picks a free one", _port))

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}={_shown(each.metadata['note'], getattr(self, each.name))!r}" for each in fields(self))
        return f"Settings({shown})"

    def named_store(self) -> str:
        """The store, where a command cannot do without one.

        Raises InvalidSetting where none is named.
        """
        if self.store is None:
            raise InvalidSetting(
                "no store is named",
                "--store chdb:///var/lib/pms, or PMS_STORE, or store = ... in pms.toml (chdb, clickhouse, memory)",
            )
        return self.store

    def kafka_security(self) -> dict[str, str]:
        """The security settings that were given, under the names of Kafka's clients with `_` for `.`: security_protocol, ..."""
        prefix = "kafka_"
        given = {
            each.name.removeprefix(prefix): getattr(self, each.name) for each in fields(self) if each.name.startswith(prefix)
        }
        given.pop("bootstrap")
        return {name: value for name, value in given.items() if value is not None}


def setting_notes() -> dict[str, SettingNote]:
    """The note of every setting, by its name in `Settings` and `pms.toml`."""
    return {each.name: each.metadata["note"] for each in fields(Settings)}


def variable_name(setting: str) -> str:
    """The environment variable of a setting: kafka_bootstrap -> PMS_KAFKA_BOOTSTRAP."""
    return PREFIX + setting.upper()


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str], config: Path | None = None) -> Settings:
    """`Settings` from flags (None = not given), the environment, and the file `config`, else `PMS_CONFIG`, else `pms.toml`.

    Raises InvalidInput naming every unknown setting and every value that cannot be read, at once.
    """
    path = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    problems: list[str] = []
    # Later ones win.
    sources = (
        _Source(str(path or DEFAULT_CONFIG), _read_toml(path), str),
        _Source("environment", _from_environment(environ), variable_name),
        _Source(
            "flag",
            {name: value for name, value in flags.items() if value is not None},
            lambda name: "--" + name.replace("_", "-"),
        ),
    )
    values: dict[str, Any] = {}
    for source in sources:
        values |= _read_source(source, problems)
    if problems:
        raise InvalidInput("the settings cannot be used:\n  " + "\n  ".join(problems), "`pms up --help` lists the settings")
    return Settings(**values)


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    given: Mapping[str, object]
    spelled: Callable[[str], str]


def _read_source(source: _Source, problems: list[str]) -> dict[str, object]:
    notes, values = setting_notes(), {}
    for name, given in source.given.items():
        if name not in notes:
            problems.append(f"{source.name}: unknown setting {source.spelled(name)}{_nearest(name, list(notes), source.spelled)}")
            continue
        try:
            values[name] = notes[name].read(given)
        except ValueError as error:
            shown = "a secret" if notes[name].secret else repr(_shown(notes[name], given))
            problems.append(f"{source.name}: {source.spelled(name)}: expected {error}, got {shown}")
    return values


def _nearest(name: str, known: list[str], spelled: Callable[[str], str]) -> str:
    near = difflib.get_close_matches(name, known, 1, cutoff=0.0)
    return f"; did you mean {spelled(near[0])}?" if near else ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    """Settings of the environment by name. An empty variable is one that is not set; those of the test suite are not ours."""
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX) and name != CONFIG_VARIABLE and value
    }


def _read_toml(path: Path | None) -> dict[str, object]:
    if path is None and not Path(DEFAULT_CONFIG).exists():
        return {}
    source = path or Path(DEFAULT_CONFIG)
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(
            f"{source}: cannot be read: {error.strerror}", "check the path and its permissions; --config or PMS_CONFIG names it"
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{source}: not TOML: {error}", 'write it as: kafka_bootstrap = "127.0.0.1:9092"') from error


def _shown(note: SettingNote, value: object) -> object:
    if value is None:
        return None
    if note.secret:
        return "***"
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", value) if isinstance(value, str) else value
