"""SUPPORT2 as a telemetry stream: the published model's 2-month probabilities, with outcomes that come when they are known.

9,104 seriously ill adults (Knaus et al. 1995, Ann Intern Med 122:191; public as `support2.csv`, CC BY 4.0). Patients, their
probabilities, deaths, ages, sexes and disease groups are real; dates, sites and devices are made up. Anybody who has the file
can repeat it:

    python -m tests.scenario.support2_stream OUT support2.csv [--multiply 1.4]
    pms replay --manifest OUT/manifest.yaml OUT/events.ndjson --json
"""

from __future__ import annotations

import argparse
import csv
import heapq
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

COLUMNS = ("", "surv2m", "death", "d.time", "age", "sex", "dzgroup")
"""What is read of the file; the first column, of the patients' numbers, has no name."""
MANIFEST = Path(__file__).with_name("support2.manifest.yaml")

HORIZON_DAYS = 60
"""Two months: what the model predicts, and how long a survivor's outcome takes."""
START = datetime(2025, 4, 24, tzinfo=UTC)
SPAN = timedelta(days=182)
"""Half a year that is one window of 182 days and two of 91, which are aligned to the epoch."""
ROUND = timedelta(hours=6)
"""Scores are computed at rounds, four times a day."""
THRESHOLD = 0.5
SITES = 5
CLIP = 1e-6


@dataclass(frozen=True)
class Patient:
    """`score` = predicted probability of death within two months; `days` = days to death or to the end of follow-up."""

    number: str
    score: float
    died: bool
    days: float
    age: int
    sex: str
    disease_group: str

    @property
    def label(self) -> int:
        return int(self.died and self.days <= HORIZON_DAYS)

    @property
    def is_certain(self) -> bool:
        """Predicted to die for sure, whatever the day: 139 patients, of whom some lived."""
        return self.score == 1.0


def read_patients(path: Path) -> list[Patient]:
    """Every patient with a prediction, in the order of the file. Raises ValueError where it is not support2.csv."""
    with path.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(f"not support2.csv: it has no column {', '.join(map(repr, missing))}")
        return [_read(row, rows.line_num) for row in rows if row["surv2m"]]


def _read(row: dict[str, str], line: int) -> Patient:
    try:
        return _patient(row)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not support2.csv: line {line} cannot be read: {error}") from error


def _patient(row: dict[str, str]) -> Patient:
    return Patient(
        number=row[""],
        score=1 - float(row["surv2m"]),
        died=row["death"] == "1",
        days=float(row["d.time"]),
        age=int(float(row["age"])),
        sex={"female": "F", "male": "M"}[row["sex"]],
        disease_group=row["dzgroup"],
    )


def without_certain(patients: Iterable[Patient]) -> list[Patient]:
    """Patients whose logit is finite."""
    return [patient for patient in patients if not patient.is_certain]


def multiplied(patients: Sequence[Patient], factor: float, begin: float) -> list[Patient]:
    """From the share `begin` of the stream on, logits times `factor`: over-confident, and in the same order of risk."""
    first = math.ceil(begin * len(patients))
    return [
        replace(patient, score=_multiplied(patient.score, factor)) if at >= first else patient
        for at, patient in enumerate(patients)
    ]


def _multiplied(score: float, factor: float) -> float:
    clipped = min(max(score, CLIP), 1 - CLIP)
    return 1 / (1 + math.exp(-factor * math.log(clipped / (1 - clipped))))


def events(patients: Sequence[Patient]) -> Iterator[dict[str, Any]]:
    """Inferences spread evenly over the rounds of the span, and outcomes, in order of arrival."""
    times = [START + (SPAN * at / len(patients)) // ROUND * ROUND for at in range(len(patients))]
    inferences = (_inference(at, patient, times[at]) for at, patient in enumerate(patients))
    outcomes = sorted((_outcome(at, patient, times[at]) for at, patient in enumerate(patients)), key=_arrival)
    return heapq.merge(inferences, outcomes, key=_arrival)


def _arrival(event: dict[str, Any]) -> str:
    return str(event["ingest_time"])


def _inference(at: int, patient: Patient, time: datetime) -> dict[str, Any]:
    return _envelope("inference", at, patient, time) | {
        "inference_id": patient.number,
        "score": patient.score,
        "alert_raised": patient.score >= THRESHOLD,
        "threshold_applied": THRESHOLD,
        "features": {"disease_group": patient.disease_group},
        "context": {"age_years": patient.age, "sex": patient.sex},
    }


def _outcome(at: int, patient: Patient, time: datetime) -> dict[str, Any]:
    """The registry learns of a death on its day and of a survival after two months, and sends both the night after."""
    known = time + timedelta(days=patient.days if patient.label else HORIZON_DAYS)
    sent = known.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return _envelope("outcome", at, patient, sent) | {
        "outcome_id": patient.number,
        "inference_id": patient.number,
        "label": patient.label,
        "label_kind": "reference_standard",
        "label_time": _text(known),
        "verification": "routine",
    }


def _envelope(kind: str, at: int, patient: Patient, time: datetime) -> dict[str, Any]:
    site = at % SITES + 1
    return {
        "schema": f"pms.{kind}",
        "schema_version": 2,
        "event_id": f"{kind}-{patient.number}",
        "product": "support2-survival",
        "site_id": f"site-{site}",
        "device_id": f"site-{site}-server",
        "release_id": "support2-1",
        "event_time": _text(time),
        "ingest_time": _text(time),
    }


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_stream(folder: Path, patients: Sequence[Patient]) -> tuple[Path, Path]:
    """Writes `manifest.yaml` and `events.ndjson`, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest, stream = folder / "manifest.yaml", folder / "events.ndjson"
    shutil.copyfile(MANIFEST, manifest)
    with stream.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(event, separators=(",", ":")) + "\n" for event in events(patients))
    return manifest, stream


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit code 2, and what is wrong, for a file that is not the data or a folder that cannot be written."""
    parser = argparse.ArgumentParser(description="Write SUPPORT2 as events.ndjson and manifest.yaml for `pms replay`.")
    parser.add_argument("folder", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("data", type=Path, metavar="CSV", help="support2.csv")
    parser.add_argument("--multiply", type=float, metavar="FACTOR", help="multiply logits, and leave out scores of exactly 1")
    parser.add_argument("--begin", type=float, default=0.5, metavar="SHARE", help="from this share of the stream on (0.5)")
    given = parser.parse_args(arguments)
    try:
        patients = read_patients(given.data)
    except OSError as error:
        parser.error(f"{given.data}: {error.strerror}")
    except (ValueError, csv.Error) as error:
        parser.error(f"{given.data}: {error}")
    if given.multiply is not None:
        patients = multiplied(without_certain(patients), given.multiply, given.begin)
    try:
        written = write_stream(given.folder, patients)
    except OSError as error:
        parser.error(f"{error.filename or given.folder}: cannot be written: {error.strerror}")
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
