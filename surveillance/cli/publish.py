"""`pms publish`: events from files to the telemetry topic, as a gateway would send them."""

from __future__ import annotations

import sys

import click

from surveillance.cli.options import TIME, with_settings
from surveillance.settings import Settings


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--until", "until_ms", type=TIME, help="Time of the closing tick, in place of the largest ingest time.")
@with_settings("kafka")
def publish(files: tuple[str, ...], until_ms: int | None, settings: Settings) -> None:
    """Send events from files to the telemetry topic.

    FILES are NDJSON, plain, .gz or .zst; - is stdin. They are followed by a tick in every partition. A publication that was
    interrupted goes on where it stopped when it is repeated.
    """
    from streams.publish import publish_files
    from streams.security import read_security

    published = publish_files(
        settings.kafka_bootstrap,
        settings.topic_prefix,
        files,
        until_ms=until_ms,
        security=read_security(settings.kafka_security()),
        progress=_show_progress if sys.stderr.isatty() else None,
    )
    click.echo(f"published {published}")


def _show_progress(lines: int, unreadable: int) -> None:
    click.echo(f"\r{lines} lines, {unreadable} unreadable", nl=False, err=True)
