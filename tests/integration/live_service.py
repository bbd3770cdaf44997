"""A live service and the replay it must agree with: files, settings, and what both say at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.pms_process import run_pms
from tests.oracle.streams import Scenario

ASIDE = ("panes", "signed")
"""What may differ between a service and a replay (contract/interfaces.md, `pms status`)."""
Line = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A scenario as files: the manifests, and the events in parts that follow each other."""

    manifests: Sequence[Path]
    parts: Sequence[Path]


def written(scenario: Scenario, folder: Path, parts: int) -> Written:
    """The scenario's files."""
    manifests = [folder / f"manifest-{number}.json" for number in range(len(scenario.manifests))]
    for path, document in zip(manifests, scenario.manifests, strict=True):
        path.write_text(json.dumps(document), encoding="utf-8")
    lines = [line if isinstance(line, bytes) else line.encode() for line in scenario.lines]
    size = -(-len(lines) // parts)
    paths = [folder / f"events-{number}.ndjson" for number in range(parts)]
    for number, path in enumerate(paths):
        path.write_bytes(b"".join(line + b"\n" for line in lines[number * size : (number + 1) * size]))
    return Written(manifests, paths)


def kafka_settings(bootstrap: str, prefix: str, store: str, home: Path) -> dict[str, str]:
    """Settings of a service in header time; HOME holds what `pms publish` remembers."""
    return {
        "HOME": str(home),
        "PMS_KAFKA_BOOTSTRAP": bootstrap,
        "PMS_TOPIC_PREFIX": prefix,
        "PMS_GROUP": prefix + "group",
        "PMS_STORE": store,
        "PMS_TIME_SOURCE": "header",
        "PMS_ALLOW_UNSIGNED": "true",
        "PMS_SESSION_TIMEOUT_S": "6",
        "PMS_API_PORT": "0",
    }


def of_commands(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings that commands without a service of their own read."""
    return {name: value for name, value in settings.items() if name != "PMS_STORE"}


def prepare(settings: Mapping[str, str], files: Written, partitions: int) -> None:
    """Topics and registrations."""
    run_pms("topics", "create", "--partitions", str(partitions), environment=settings)
    for path in files.manifests:
        run_pms("manifest", "register", str(path), environment=settings)


def replayed(files: Written, environment: Mapping[str, str]) -> list[Line]:
    """Status lines and summary of `pms replay`."""
    manifests = [word for path in files.manifests for word in ("--manifest", str(path))]
    said = run_pms("replay", *manifests, *map(str, files.parts), "--json", environment=environment)
    return [line for line in lines_of(said) if line["kind"] in ("status", "summary")]


def lines_of(text: str) -> list[Line]:
    return [json.loads(line) for line in text.splitlines()]


def comparable(lines: Sequence[Line]) -> Iterator[Line]:
    """Without what may differ."""
    return ({key: value for key, value in line.items() if key not in ASIDE} for line in lines)


def differences(live: Sequence[Line], replay: Sequence[Line]) -> list[tuple[Line | None, Line | None]]:
    """Pairs that are not equal; the lines themselves, so that a failure says something."""
    ours, theirs = list(comparable(live)), list(comparable(replay))
    longer = max(len(ours), len(theirs))
    padded = [[*side, *[None] * (longer - len(side))] for side in (ours, theirs)]
    return [(mine, other) for mine, other in zip(*padded, strict=True) if mine != other]
