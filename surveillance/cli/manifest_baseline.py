"""`pms manifest baseline`: reference distributions, rates and metrics from a snapshot."""

from __future__ import annotations

import json
from pathlib import Path

import click

from surveillance.cli.options import FILE_PATH, json_option
from surveillance.errors import InvalidInput


@click.command()
@click.argument("snapshots", nargs=-1, required=True)
@click.option(
    "--manifest",
    "manifest_path",
    type=FILE_PATH,
    help="Keeps its features, bins, axes, thresholds and small-cell threshold.",
)
@click.option("--features", help="Features to take, separated by commas: names under `features`, or columns of plain rows.")
@json_option
def baseline(snapshots: tuple[str, ...], manifest_path: Path | None, features: str | None, as_json: bool) -> None:
    """Print the `baselines` of a manifest from SNAPSHOTS, as YAML.

    A snapshot is NDJSON, .gz, .zst, Parquet or Arrow: events as devices send them (inferences, outcomes, alert actions), or
    plain rows that hold an inference and, where it is known, its label. Levels of an axis with few cases are left out.
    """
    from streams.event_files import read_event_lines
    from streams.file_lines import check_readable
    from surveillance.manifest.linted import load_linted
    from surveillance.manifest.shape import nearest
    from surveillance.snapshot.cases import read_snapshot
    from surveillance.snapshot.fragment import baselines_of
    from surveillance.snapshot.yaml_text import yaml_text

    manifest = load_linted(manifest_path)[0] if manifest_path is not None else None
    names = [name.strip() for name in (features or "").split(",") if name.strip()]
    for path in snapshots:
        check_readable(path)
    snapshot = read_snapshot((line for path in snapshots for line in read_event_lines(path)), manifest, names)
    sent = {name for case in snapshot.cases for name in case.features}
    for name in names:
        if name not in sent:
            meant = f'; the nearest is "{nearest(name, sorted(sent))}"' if sent else ""
            raise InvalidInput(
                f'no inference of the snapshot has a feature "{name}"',
                f"name one that stands under `features`, or a column of plain rows{meant}",
            )
    document = {"baselines": baselines_of(snapshot, manifest, names)}
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else yaml_text(document), nl=as_json)
    told = f"{len(snapshot.cases)} inferences, {sum(case.label is not None for case in snapshot.cases)} of them labelled"
    left_out = f"; {snapshot.unusable} rows could not be used" if snapshot.unusable else ""
    click.echo(f"{told}{left_out}", err=True)
