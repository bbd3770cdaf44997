"""The cases of a snapshot: one per inference, with its label and what people did about its alert.

A snapshot is telemetry events, joined by `inference_id`, or plain rows that hold an inference and its `label` in one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surveillance.errors import InvalidInput
from surveillance.manifest.manifest import Manifest
from surveillance.times import from_text

FIELD_USE = ("active", "canary")
_LABEL_KINDS = ("code", "report", "clinician_read", "reference_standard")
_ACTIONED = ("ack", "override", "dismiss", "escalate")
_HOUR_MS = 3_600_000
_LARGEST = 1e100
Row = Mapping[str, Any]


@dataclass(slots=True)
class Case:
    """One inference. None = not known; `delay_h` = hours until its label came, `ack_s` = seconds until the first `ack`."""

    row: Row
    features: Mapping[str, Any]
    score: float
    flagged: bool
    time_ms: int | None
    label: int | None = None
    verification: str | None = None
    delay_h: float | None = None
    actioned: bool = False
    overridden: bool = False
    ack_s: float | None = None
    label_rank: tuple[int, int] = (-1, -1)


@dataclass(slots=True)
class Snapshot:
    """`cases` in order; `has_outcomes` and `has_actions`: whether such were in it at all; `unusable` rows were left out."""

    cases: list[Case] = field(default_factory=list)
    has_outcomes: bool = False
    has_actions: bool = False
    unusable: int = 0


def read_snapshot(texts: Iterable[bytes], manifest: Manifest | None, names: Sequence[str]) -> Snapshot:
    """The cases of JSON texts. `names` = columns of plain rows that are features, beside those the manifest has.

    Raises:
        InvalidInput: no row of it is an inference with a score.
    """
    found, by_id = Snapshot(), dict[str, Case]()
    declared = [feature.name for feature in manifest.baselines.features] if manifest is not None else []
    wanted = tuple(dict.fromkeys((*names, *declared)))
    threshold = _threshold(manifest)
    waiting: list[Row] = []
    for text in texts:
        if not text.strip():
            continue
        row = _row(text)
        schema = row.get("schema", "pms.inference") if row is not None else None
        if row is None or row.get("mode", "active") not in FIELD_USE:
            found.unusable += row is None
        elif schema == "pms.inference":
            case = _case(row, wanted, threshold)
            found.unusable += case is None
            if case is not None and by_id.setdefault(str(row.get("inference_id", len(by_id))), case) is case:
                found.cases.append(case)
        elif schema in ("pms.outcome", "pms.alert_action"):
            waiting.append(row)
    for row in waiting:
        _join(row, by_id.get(str(row.get("inference_id"))), found)
    if not found.cases:
        raise InvalidInput(
            "the snapshot holds no inference with a score between 0 and 1",
            "give events as devices send them, or rows with a score and, where it is known, a label",
        )
    found.has_outcomes |= any(case.label is not None for case in found.cases)
    return found


def field_of(row: Row, path: str) -> Any:
    """The value at a dotted path: nested, as a dotted column, or as a column of the last name."""
    if path in row:
        return row[path]
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if value is not None else row.get(path.rpartition(".")[2])


def _row(text: bytes) -> Row | None:
    try:
        row = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _number(text: str) -> float | int | None:
    """The number, None where it is larger than any measurement: sums of such would overflow."""
    value = float(text)
    if not abs(value) <= _LARGEST:
        return None
    return value if any(mark in text for mark in ".eE") else int(text)


def _case(row: Row, names: Sequence[str], threshold: float | None) -> Case | None:
    score = row.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return None
    features = row.get("features")
    if not isinstance(features, dict):
        features = {name: row[name] for name in names if name in row}
    applied = row.get("threshold_applied", threshold)
    flagged = row.get("alert_raised")
    if not isinstance(flagged, bool):
        flagged = isinstance(applied, int | float) and score >= applied
    case = Case(row, features, float(score), flagged, _time(row.get("event_time")))
    if row.get("label") in (0, 1):
        case.label, case.verification = int(row["label"]), row.get("verification")
    return case


def _threshold(manifest: Manifest | None) -> float | None:
    thresholds = manifest.operating_point.thresholds if manifest is not None else ()
    return thresholds[0].value if thresholds else None


def _time(value: Any) -> int | None:
    try:
        return from_text(value) if isinstance(value, str) else None
    except InvalidInput:
        return None


def _join(row: Row, case: Case | None, found: Snapshot) -> None:
    """An outcome or an action joins its inference; of several labels the best kind and the highest revision holds."""
    if case is None:
        return
    if row["schema"] == "pms.alert_action":
        found.has_actions = True
        _act(row, case)
        return
    found.has_outcomes = True
    kind = row.get("label_kind")
    revision = row.get("revision", 1)
    rank = (_LABEL_KINDS.index(kind) if kind in _LABEL_KINDS else -1, revision if isinstance(revision, int) else 1)
    if row.get("label") not in (0, 1) or rank <= case.label_rank:
        return
    arrived_ms = _time(row.get("ingest_time") or row.get("sent_time") or row.get("event_time"))
    case.label, case.label_rank, case.verification = int(row["label"]), rank, row.get("verification")
    if arrived_ms is not None and case.time_ms is not None and arrived_ms >= case.time_ms and case.delay_h is None:
        case.delay_h = (arrived_ms - case.time_ms) / _HOUR_MS


def _act(row: Row, case: Case) -> None:
    action = row.get("action")
    case.actioned |= action in _ACTIONED
    case.overridden |= action == "override"
    if action != "ack":
        return
    stated, at_ms = row.get("latency_from_alert_ms"), _time(row.get("event_time"))
    if isinstance(stated, int | float):
        waited: float | None = stated / 1000
    else:
        waited = None if at_ms is None or case.time_ms is None else (at_ms - case.time_ms) / 1000
    if waited is not None and waited >= 0:
        case.ack_s = waited if case.ack_s is None else min(case.ack_s, waited)
