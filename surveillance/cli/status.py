"""`pms status`: the last state of the live service, as the lines that `pms replay` ends with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click

from surveillance.cli.lines import print_lines
from surveillance.cli.options import FILE_PATH, json_option, settings_from
from surveillance.errors import InvalidInput

ROUTE = "/v1/monitors"
ANSWER_TIMEOUT_S = 30


@click.command()
@click.option("--store", help="the store to read; an embedded one that a service has open answers through --api only [PMS_STORE]")
@click.option("--api", "url", help="ask the service's API at this URL in place of the store.")
@click.option("--config", type=FILE_PATH, help="settings file [PMS_CONFIG; default pms.toml]")
@json_option
def status(store: str | None, url: str | None, config: Path | None, as_json: bool) -> None:
    """Print the last state of the live service: a status for each monitor and scope, and a summary."""
    if store and url:
        raise click.UsageError("--store and --api exclude each other")
    lines = _from_api(url) if url else _from_store(settings_from({"store": store}, config).named_store())
    shown = list(lines)
    print_lines(shown, as_json=as_json)
    if not shown:
        click.echo("nothing was judged yet", err=True)


def _from_store(dsn: str) -> Iterator[Mapping[str, Any]]:
    from surveillance.evaluation.status import status_lines
    from surveillance.log_identity import current_log
    from surveillance.store import open_store
    from surveillance.store.dsn import ChdbTarget, parse_dsn

    target = parse_dsn(dsn)
    # Opening would make an empty store of a misspelt directory.
    if isinstance(target, ChdbTarget) and not Path(target.directory).exists():
        raise InvalidInput(f"there is no store at {dsn}", "start `pms up`, or name the store that it uses")
    store = open_store(dsn)
    try:
        log = current_log(store)
        if log is not None and log.is_of_replay:
            raise InvalidInput(
                f"{dsn} holds the log of a replay, which has no status; `pms status` reads the store of a service",
                "`pms replay` prints the statuses at its end; name the store that `pms up` uses",
            )
        yield from status_lines(store)
    finally:
        store.close()


def _from_api(url: str) -> Iterator[Mapping[str, Any]]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise click.UsageError(f"--api: expected an http or https URL, got {url!r}")
    request = Request(url.rstrip("/") + ROUTE, headers={"Accept": "application/x-ndjson"})  # noqa: S310 - checked above
    try:
        with urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310
            yield from (json.loads(line) for line in answer)
    except HTTPError as error:
        raise InvalidInput(f"{url} answered {error.code} {error.reason}", "check that this is the API of the service") from error
    except (URLError, TimeoutError) as error:
        raise InvalidInput(f"no API answers at {url}", "check the URL, and that `pms up` or `pms api` runs") from error
