"""`pms manifest`: check a release manifest, name its digest, register it with the service."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from surveillance.cli.commands import Commands
from surveillance.cli.failure import EXIT_UNREADABLE, explain
from surveillance.cli.manifest_backtest import backtest
from surveillance.cli.manifest_baseline import baseline
from surveillance.cli.options import FILE_PATH, json_option, with_settings
from surveillance.errors import InvalidInput, InvalidManifest, Problem, SurveillanceError
from surveillance.settings import Settings

if TYPE_CHECKING:
    from surveillance.foresight.forecast import Forecast

_MONITOR = re.compile(r"surveillance\.monitors\[([0-9]+)\]")
_FILES = click.argument("files", nargs=-1, required=True, type=FILE_PATH)


@click.group(cls=Commands)
def manifest() -> None:
    """Release manifests: YAML or JSON."""


manifest.add_command(backtest)
manifest.add_command(baseline)


@manifest.command()
@_FILES
@click.option("--no-forecast", is_flag=True, help="Problems only: nothing is simulated.")
@json_option
def lint(files: tuple[Path, ...], no_forecast: bool, as_json: bool) -> None:
    """Name every problem of the manifests at once, each with its path, and say what their monitors will do.

    Without an error in it, a manifest's false alarms per 30 days, what is seen of a stated harm and how soon, and blind spots
    follow, as simulated from what it assumes of its field. Exit code 1 where a problem is an error; warnings are not.
    """
    found, unreadable = {}, []
    for path in files:
        try:
            found[str(path)] = _problems(path)
        except InvalidInput as error:
            unreadable.append(error)
    for source, (document, problems) in found.items():
        faulty = any(each.severity == "error" for each in problems)
        forecast = None if no_forecast or faulty else _forecast(Path(source))
        if faulty and not no_forecast:
            click.echo(f"{source}: what its monitors will do is not simulated while it has errors", err=True)
        if as_json:
            _print_json(source, problems, forecast)
        else:
            _print_text(source, document, problems, forecast)
    _tell(unreadable)
    if any(each.severity == "error" for _, problems in found.values() for each in problems):
        raise click.exceptions.Exit(EXIT_UNREADABLE)


def _forecast(path: Path) -> Forecast:
    from surveillance.foresight.forecast import foresee
    from surveillance.manifest.parse import load_manifest

    found, _, _ = load_manifest(path)
    click.echo(f"{path}: simulating what its monitors will do; --no-forecast leaves this out", err=True)
    return foresee(found, found.manifest_id)


def _print_json(source: str, problems: Sequence[Problem], forecast: Forecast | None) -> None:
    from surveillance.foresight.forecast_lines import forecast_body, problem_body

    body = {"source": source, "problems": [problem_body(each) for each in problems]}
    click.echo(json.dumps(body | (forecast_body(forecast) if forecast is not None else {}), ensure_ascii=False))


def _print_text(source: str, document: Any, problems: Sequence[Problem], forecast: Forecast | None) -> None:
    from surveillance.foresight.forecast_lines import forecast_text, forecast_warnings

    warnings = list(forecast_warnings(forecast, problems)) if forecast is not None else []
    for each in problems:
        click.echo(f"{source}: {each.severity}: {_with_monitor(each, document)}")
    if not problems and not warnings:
        click.echo(f"{source}: no problem found")
    for line in forecast_text(forecast) if forecast is not None else ():
        click.echo(line)
    for each in warnings:
        click.echo(f"{source}: {each.severity}: {_with_monitor(each, document)}")


def _with_monitor(problem: Problem, document: Any) -> str:
    """The problem and, where its path only counts monitors, the name of the monitor: nobody counts to thirteen in a manifest."""
    place = _MONITOR.match(problem.path)
    try:
        name = document["surveillance"]["monitors"][int(place[1])]["id"] if place is not None else None
    except (LookupError, TypeError):
        name = None
    return f"{problem} [{name}]" if isinstance(name, str) and f'"{name}"' not in problem.message else str(problem)


@manifest.command()
@click.argument("file", type=FILE_PATH)
@click.option("--effect", type=click.FloatRange(0, 1, min_open=True), help="Change of a share that must be seen.")
@click.option("--power", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Probability with which it must be.")
@json_option
def power(file: Path, effect: float | None, power: float | None, as_json: bool) -> None:
    """Print what each monitor sees of a harm, how soon, and the smallest harm it sees in time, by scope.

    The harm is that of coverage_rules.every_subgroup_metric_detectable, else one of a size that matters for the metric type.
    """
    from surveillance.foresight.forecast import power_of
    from surveillance.foresight.forecast_lines import power_body, power_text
    from surveillance.manifest.linted import load_linted

    found, _ = load_linted(file)
    click.echo(f"{file}: simulating what its monitors see", err=True)
    stated, foreseen = power_of(found, found.manifest_id, effect=effect, power=power)
    if as_json:
        click.echo(json.dumps({"source": str(file)} | power_body(stated, foreseen), ensure_ascii=False))
        return
    for line in power_text(stated, foreseen):
        click.echo(line)


def _tell(errors: Sequence[SurveillanceError]) -> None:
    """Every error on stderr; where there is one, the command ends here."""
    for error in errors:
        click.echo(explain(error).text(), err=True)
    if errors:
        raise click.exceptions.Exit(EXIT_UNREADABLE)


@manifest.command()
@_FILES
@json_option
def digest(files: tuple[Path, ...], as_json: bool) -> None:
    """Print the digest of each manifest: SHA-256 of its RFC 8785 form, the same for YAML and JSON.

    A document that is no valid manifest has a digest, too, and exit code 1.
    """
    from surveillance.manifest.digest import manifest_digest
    from surveillance.manifest.parse import parse_manifest, read_document

    refused: list[SurveillanceError] = []
    for path in files:
        try:
            document = read_document(path)
            found = manifest_digest(document)
        except (InvalidInput, InvalidManifest) as error:
            refused.append(error)
            continue
        click.echo(json.dumps({"source": str(path), "digest": found}, ensure_ascii=False) if as_json else f"{found}  {path}")
        try:
            parse_manifest(document, str(path))
        except InvalidManifest:
            refused.append(
                InvalidInput(
                    f"{path}: no valid manifest, so no service accepts what this digest names",
                    f"`pms manifest lint {path}` names every problem",
                )
            )
    _tell(refused)


@manifest.command()
@click.argument("file", type=FILE_PATH)
@with_settings("kafka")
def register(file: Path, settings: Settings) -> None:
    """Send a manifest to the releases topic and print its digest.

    It is in force 60 s later, or from its `effective_from` where that is later; for a service in header time from its
    `effective_from`, else at once. What arrives sooner is quarantined as release_unknown.
    """
    from streams.publish import register_manifest
    from streams.security import read_security
    from surveillance.manifest.lint import silent_zeros
    from surveillance.manifest.linted import load_linted

    _, document = load_linted(file)
    for problem in silent_zeros(document):
        click.echo(f"{file}: {problem.severity}: {problem}", err=True)
    security = read_security(settings.kafka_security())
    click.echo(register_manifest(settings.kafka_bootstrap, settings.topic_prefix, document, security))
    click.echo(
        "sent; where the service accepts it, in force in 60 s, or from its effective_from; in header time at once", err=True
    )


def _problems(path: Path) -> tuple[Any, Sequence[Problem]]:
    """The document and what lint finds in it; of a file that is no document, None and why."""
    from surveillance.manifest.lint import lint as find_problems
    from surveillance.manifest.parse import read_document

    try:
        document = read_document(path)
    except InvalidManifest as error:
        return None, error.problems
    return document, find_problems(document)
