"""`pms demo`: a simulated fleet with a real failure in it, through the very pipeline of production."""

from __future__ import annotations

import click

from surveillance.cli.lines import text_line


@click.command()
@click.option("--kafka", is_flag=True, help="Run over a real Apache Kafka, started for the demo (needs Java and Maven once).")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port of the page; 0 picks a free one."
)
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option("--once", is_flag=True, help="Run the story to its end, print the incidents and exit 0.")
def demo(kafka: bool, port: int, no_browser: bool, once: bool) -> int:
    """Show the whole pipeline on a simulated fleet.

    12 sites, 4 vendors, 40 devices, 14 days of telemetry: one site's scanner firmware shifts an input, then sensitivity drops
    for patients over 75. Incidents are printed as they open, and listed on a local page.
    """
    from api.server import serve_api
    from streams.demo import run_demo

    return run_demo(
        kafka=kafka,
        port=port,
        open_browser=not (no_browser or once),
        once=once,
        serve_api=serve_api,
        show=lambda line: click.echo(text_line(line)),
    )
