"""`pms manifest`: check a release manifest, name its digest, register it with the service."""

from __future__ import annotations

import json
from pathlib import Path

import click

from surveillance.cli.failure import EXIT_UNREADABLE
from surveillance.cli.options import json_option, with_settings
from surveillance.errors import InvalidManifest, Problem
from surveillance.settings import Settings

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))


@click.group()
def manifest() -> None:
    """Release manifests: YAML or JSON."""


@manifest.command()
@_FILES
@json_option
def lint(files: tuple[Path, ...], as_json: bool) -> None:
    """Name every problem of the manifests at once, each with its path. Exit code 1 where one is an error; warnings are not."""
    found = {str(path): _problems(path) for path in files}
    for source, problems in found.items():
        if as_json:
            rows = [{"path": each.path, "severity": each.severity, "message": each.message} for each in problems]
            click.echo(json.dumps({"source": source, "problems": rows}, ensure_ascii=False))
            continue
        for each in problems:
            click.echo(f"{source}: {each.severity}: {each}")
        if not problems:
            click.echo(f"{source}: no problem found")
    if any(each.severity == "error" for problems in found.values() for each in problems):
        raise click.exceptions.Exit(EXIT_UNREADABLE)


@manifest.command()
@_FILES
def digest(files: tuple[Path, ...]) -> None:
    """Print the digest of each manifest: SHA-256 of its RFC 8785 form, the same for YAML and JSON."""
    from surveillance.manifest.digest import manifest_digest
    from surveillance.manifest.yaml12 import load_document

    for path in files:
        click.echo(f"{manifest_digest(load_document(path.read_bytes(), str(path)))}  {path}")


@manifest.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_settings("kafka")
def register(file: Path, settings: Settings) -> None:
    """Send a manifest to the releases topic. It is in force 60 s later, or from its `effective_from`."""
    from streams.publish import register_manifest
    from streams.security import read_security
    from surveillance.manifest.parse import load_manifest

    _, document, _ = load_manifest(file)
    security = read_security(settings.kafka_security())
    click.echo(register_manifest(settings.kafka_bootstrap, settings.topic_prefix, document, security))


def _problems(path: Path) -> tuple[Problem, ...]:
    from surveillance.manifest.lint import lint as find_problems
    from surveillance.manifest.yaml12 import load_document

    try:
        return tuple(find_problems(load_document(path.read_bytes(), str(path))))
    except InvalidManifest as error:
        return error.problems
