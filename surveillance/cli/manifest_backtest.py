"""`pms manifest backtest`: what a manifest would have raised on history."""

from __future__ import annotations

from pathlib import Path

import click

from surveillance.cli.lines import print_lines
from surveillance.cli.options import FILE_PATH, TIME, json_option
from surveillance.cli.watched import watched
from surveillance.errors import InvalidInput


@click.command()
@click.argument("files", nargs=-1)
@click.option("--manifest", "manifest_path", required=True, type=FILE_PATH, help="The manifest to try.")
@click.option("--store", help="Read the history that a service has stored, in place of files.")
@click.option("--until", "until_ms", type=TIME, help="Where time ends: silence up to here is seen, later arrivals are not read.")
@json_option
def backtest(files: tuple[str, ...], manifest_path: Path, store: str | None, until_ms: int | None, as_json: bool) -> None:
    """Print what would have fired on stored history under a manifest, with any revision and any limits.

    History is FILES of events, as `pms replay` takes them, or a --store. Every event of the release counts under this manifest,
    whatever revision it was sent under, from its first event on. Prints the lines of `pms replay`, with one for each monitor
    and level before the summary: how many incidents it would have raised, and how many scopes it could judge at all. Nothing is
    written, and nothing is sent.
    """
    from streams.backtest import backtest_files, backtest_store

    if bool(files) == (store is not None):
        raise click.UsageError("name either FILES or a --store")
    if store is None:
        lines = backtest_files(files, manifest_path, until_ms=until_ms)
    else:
        _must_exist(store)
        lines = backtest_store(store, manifest_path, until_ms=until_ms)
    print_lines(watched(lines), as_json=as_json)


def _must_exist(dsn: str) -> None:
    """Opening would make an empty store of a misspelt directory."""
    from surveillance.store.dsn import ChdbTarget, parse_dsn

    target = parse_dsn(dsn)
    if isinstance(target, ChdbTarget) and not Path(target.directory).is_dir():
        raise InvalidInput(f"there is no store at {dsn}", "name the store that `pms up` or `pms worker` writes to")
