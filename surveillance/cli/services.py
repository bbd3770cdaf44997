"""`pms up`, `pms worker`, `pms evaluator`, `pms api`: the services, composed here because here streams and api meet."""

from __future__ import annotations

import logging

import click

from surveillance.cli.options import with_settings
from surveillance.settings import Settings

log = logging.getLogger(__name__)


@click.command()
@with_settings("kafka", "store", "worker", "api")
def up(settings: Settings) -> int:
    """Run everything in one process: worker, evaluator, API."""
    _announce(settings)
    from api.server import check_address, serve_api
    from streams.services import run_up

    if settings.store == "memory":
        log.warning("the store is memory: what is counted and judged is lost when this ends; chdb:///directory keeps it")
    check_address(settings.api_host, settings.api_port)
    return run_up(settings, serve_api)


@click.command()
@with_settings("kafka", "store", "worker")
def worker(settings: Settings) -> int:
    """Run a worker, which folds telemetry into panes.

    Several share the partitions; they need a ClickHouse server.
    """
    _announce(settings)
    from streams.services import run_worker

    return run_worker(settings)


@click.command()
@with_settings("kafka", "store", "worker")
def evaluator(settings: Settings) -> int:
    """Run an evaluator, which judges the panes.

    Several share the releases; they need a ClickHouse server.
    """
    _announce(settings)
    from streams.services import run_evaluator

    return run_evaluator(settings)


@click.command()
@with_settings("store", "api")
def api(settings: Settings) -> int:
    """Run the HTTP API and its pages."""
    _announce(settings)
    from api.server import run_api

    return run_api(settings)


def _announce(settings: Settings) -> None:
    settings.named_store()
    if settings.allow_unsigned:
        log.warning("PMS_ALLOW_UNSIGNED is on: manifests WITHOUT signatures are accepted; never do this outside development")
    if settings.time_source == "header":
        log.warning("PMS_TIME_SOURCE is header: time comes from the publisher (pms-ingest-time), not from the broker")
