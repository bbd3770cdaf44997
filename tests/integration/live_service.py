"""A live service and the replay it must agree with: files, settings, and what both say at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.integration.kafka_log import read_all
from tests.integration.pms_process import run_pms, wait_until
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


def summary_at(url: str) -> Line | None:
    """The summary of a service, None while there is none."""
    try:
        with urlopen(Request(f"{url}/v1/monitors", headers={"Accept": "application/x-ndjson"}), timeout=10) as answer:
            lines = lines_of(answer.read().decode())
    except (URLError, TimeoutError, ConnectionError):
        return None
    return lines[-1] if lines and lines[-1]["kind"] == "summary" else None


def await_events(url: str, events: int, watermark: str | None = None) -> None:
    """Returns when so many events are in the summary, and time has come so far."""

    def reached() -> bool:
        found = summary_at(url)
        return found is not None and found["events"] >= events and watermark in (None, found["watermark"])

    wait_until(reached, f"{events} events up to {watermark} at {url}")


def await_replayed(url: str, expected: Sequence[Line], settings: Mapping[str, str]) -> None:
    """Returns when `pms status --api` says what the replay said; fails with the differences that stay.

    Evaluators that share the releases write their lines one after another, so the summary alone does not tell.
    """
    await_events(url, expected[-1]["events"], expected[-1]["watermark"])
    found: list[tuple[Line | None, Line | None]] = []

    def agree() -> bool:
        found[:] = differences(lines_of(run_pms("status", "--api", url, "--json", environment=settings)), expected)
        return not found

    try:
        wait_until(agree, "the service says what the replay said", 60)
    except AssertionError:
        assert found == []
        raise


def stored_lines(url: str) -> list[Line]:
    """Every line of every incident, and every trigger, as the API tells them from the store."""
    incidents = _asked(f"{url}/v1/incidents?limit=500")["incidents"]
    stories = [_asked(f"{url}/v1/incidents/{one['incident_id']}")["events"] for one in incidents]
    lines = [event["line"] for story in stories for event in story]
    return lines + [trigger for story in stories for event in story for trigger in event["triggers"]]


def _asked(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.load(answer)


def assert_delivered(bootstrap: str, prefix: str, stored: Sequence[Line]) -> None:
    """The topics hold what the store holds: nothing lost, nothing else, and a repetition after a crash is word for word."""
    incidents = [json.loads(record.value) for record in read_all(bootstrap, prefix + "incidents", 1)]
    triggers = [json.loads(record.value) for record in read_all(bootstrap, prefix + "triggers", 1)]
    assert incidents
    assert _as_texts([*incidents, *triggers]) == _as_texts(stored)
    assert len({line["trigger_id"] for line in triggers}) == len(_as_texts(triggers))


def _as_texts(lines: Sequence[Line]) -> set[str]:
    return {json.dumps(line, sort_keys=True) for line in lines}
