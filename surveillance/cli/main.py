"""`pms`: the group of all commands, and the one place where an error becomes words and an exit code."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence

import click

from surveillance.cli.commands import Commands
from surveillance.cli.demo import demo
from surveillance.cli.doctor import doctor
from surveillance.cli.failure import EXIT_INTERRUPTED, EXIT_USAGE, explain
from surveillance.cli.logs import log_to_stderr
from surveillance.cli.manifest import manifest
from surveillance.cli.publish import publish
from surveillance.cli.replay import replay
from surveillance.cli.schema import schema
from surveillance.cli.services import api, evaluator, up, worker
from surveillance.cli.status import status
from surveillance.cli.topics import topics


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="pms-surveillance", message="%(prog)s %(version)s")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged on stderr; debug also shows where a fault of pms itself arose.",
)
def pms(log_level: str) -> None:
    """Post-market surveillance of deployed models, judged against the manifest that released each."""
    log_to_stderr(log_level)


for _command in (demo, replay, up, worker, evaluator, api, topics, publish, status, manifest, schema, doctor):
    pms.add_command(_command)


def main() -> None:
    """The program of the package's entry point."""
    collect_rarely()
    sys.exit(run(sys.argv[1:]))


def collect_rarely() -> None:
    """Lets the collector of cycles look on seldom: a fetch makes tens of thousands of objects that live for a moment and
    hold no cycles, and looking through them again and again was a fifth of the time of ingest."""
    gc.set_threshold(200_000, 20, 100)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; errors are told on stderr as what, why and how to mend it."""
    try:
        code = pms.main(args=list(arguments), prog_name="pms", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.format_message(), err=True)
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # The reader of our output has seen enough, which click makes an exit of its own where it notices it first. The
        # interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        failure = explain(error)
        click.echo(failure.text(), err=True)
        if failure.is_fault_of_ours:
            logging.getLogger(__name__).debug("the fault", exc_info=error)
        return failure.exit_code
    return code if isinstance(code, int) else 0
