"""`pms demo`: a simulated fleet with a real failure in it, through the very pipeline of production."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from surveillance.cli.lines import LineTexts
from surveillance.cli.options import settings_from
from surveillance.errors import InvalidInput
from surveillance.settings import Settings, variable_name

KAFKA_SCRIPT = Path(__file__).parents[2] / "deploy" / "kafka.py"
BOOTSTRAP = variable_name("kafka_bootstrap")
PORT = 8080


@click.command()
@click.option("--kafka", is_flag=True, help="Run over a real Apache Kafka, started for the demo (needs Java and Maven once).")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"Port of the page; 0 picks a free one, as --once does. [default: {PORT}]",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option("--once", is_flag=True, help="Run the story to its end, print the incidents and exit 0.")
@click.pass_context
def demo(context: click.Context, kafka: bool, port: int | None, no_browser: bool, once: bool) -> int:
    """Show the whole pipeline on a simulated fleet.

    12 sites, 4 vendors, 40 devices, 14 days of telemetry: one site's scanner firmware shifts an input, then sensitivity drops
    for patients over 75. Incidents are printed as they open, and listed on a local page.
    """
    _quieten(context.find_root())
    from api.server import check_address, serve_api
    from streams.demo import HOST, run_demo

    if port is None:
        port = 0 if once else PORT
    check_address(HOST, port, "choose a free port (--port; 0 picks one), or stop what uses it")
    texts = LineTexts()
    return run_demo(
        broker=_broker() if kafka else None,
        port=port,
        open_browser=_has_screen() and not (no_browser or once),
        once=once,
        serve_api=serve_api,
        show=lambda line: click.echo(texts.of(line)),
    )


def _quieten(root: click.Context) -> None:
    """What the services log of their own start would bury the story, unless somebody asks for it."""
    if root.get_parameter_source("log_level") is ParameterSource.DEFAULT:
        logging.getLogger().setLevel(logging.WARNING)


def _has_screen() -> bool:
    """Without one, a browser of the terminal would open in the middle of the output."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextmanager
def _broker() -> Iterator[Settings]:
    """The broker that the environment names, else one that is started here and stopped in the end."""
    settings = settings_from({}, None)
    if os.environ.get(BOOTSTRAP):
        yield settings
        return
    script = importlib.util.spec_from_file_location("kafka_script", KAFKA_SCRIPT) if KAFKA_SCRIPT.exists() else None
    if script is None or script.loader is None:
        raise InvalidInput(
            "an installed pms cannot start a Kafka of its own: deploy/kafka.py, which does, is part of the sources only",
            f"name a running broker ({BOOTSTRAP}=host:port), or run `sh deploy/demo --kafka` in a clone",
        )
    kafka = importlib.util.module_from_spec(script)
    script.loader.exec_module(kafka)
    try:
        with kafka.kafka_broker() as bootstrap:
            yield replace(settings, kafka_bootstrap=bootstrap)
    except kafka.KafkaMissing as missing:
        what, _, mend = str(missing).partition("\n  to mend: ")
        raise InvalidInput(what, mend or "see the message above") from missing
