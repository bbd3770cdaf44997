"""`pms replay`: files through ingest, evaluation and incidents, in one process. Same input, same bytes."""

from __future__ import annotations

from pathlib import Path

import click

from surveillance.cli.lines import print_lines
from surveillance.cli.options import FILE_PATH, TIME, json_option
from surveillance.cli.watched import watched
from surveillance.errors import InvalidInput


def _own_store(context: click.Context, parameter: click.Parameter, dsn: str) -> str:
    """The store as given, where it is one that a replay may write to."""
    from surveillance.store.dsn import ServerTarget, parse_dsn

    try:
        target = parse_dsn(dsn)
    except InvalidInput as error:
        raise click.BadParameter(f"{error.what}; write memory or chdb:///absolute/dir", context, parameter) from error
    if isinstance(target, ServerTarget):
        raise click.BadParameter("a replay is no live telemetry: write memory or chdb:///absolute/dir", context, parameter)
    return dsn


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    required=True,
    type=FILE_PATH,
    help="A release manifest; give one for each release or revision in the files.",
)
@click.option(
    "--store",
    default="memory",
    show_default=True,
    callback=_own_store,
    help="memory, or chdb:///directory to keep panes and evidence.",
)
@click.option("--until", "until_ms", type=TIME, help="Where time ends: silence up to here is seen, later arrivals are not read.")
@json_option
def replay(files: tuple[str, ...], manifests: tuple[Path, ...], store: str, until_ms: int | None, as_json: bool) -> None:
    """Run files of events against release manifests.

    FILES are NDJSON, .gz, .zst, Parquet or Arrow; - is stdin. Prints each incident as it opens, escalates or resolves, each
    trigger, the last status of every monitor and scope, and a summary. Exit code 0 whatever incidents open, 1 for unreadable
    input, 2 for wrong usage.
    """
    from streams.left_out import LeftOut
    from streams.replay import run_replay

    left_out = LeftOut()
    lines = run_replay(files, manifests, store=store, until_ms=until_ms, left_out=left_out)
    print_lines(watched(lines, left_out), as_json=as_json)
