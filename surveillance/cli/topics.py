"""`pms topics`: the topics with the settings that our promises rest on."""

from __future__ import annotations

import click

from surveillance.cli.commands import Commands
from surveillance.cli.failure import EXIT_UNREADABLE
from surveillance.cli.options import with_settings
from surveillance.settings import Settings


@click.group(cls=Commands)
def topics() -> None:
    """The topics of the service."""


@topics.command()
@click.option("--partitions", type=click.IntRange(1, 4096), default=8, show_default=True, help="Partitions of the data topics.")
@with_settings("kafka")
def create(settings: Settings, partitions: int) -> None:
    """Create the topics that do not exist. One that exists is never changed: what differs is named, and the exit code is 1."""
    from streams.security import read_security
    from streams.topics import create_topics

    security = read_security(settings.kafka_security())
    reports = create_topics(settings.kafka_bootstrap, settings.topic_prefix, partitions, security)
    for report in reports:
        said = "created" if report.created else "exists; " + ("; ".join(report.differs) or "as it should be")
        click.echo(f"{report.name}: {said}")
    if any(report.differs for report in reports):
        raise click.exceptions.Exit(EXIT_UNREADABLE)
