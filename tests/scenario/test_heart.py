"""Heart disease data of four sites (UCI 45, CC BY 4.0): one site wrote 0 where it had not measured the cholesterol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.real_streams import Document, data_file, inference, judged, manifest, status

SITES = {site: data_file("heart", f"processed.{site}.data") for site in ("cleveland", "hungarian", "switzerland", "va")}
NAMES = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal"]
NOT_A_VALUE = {"?", "NaN", "-9", "-9.0"}
MISSING: Document = {
    "id": "missing", "metric": {"type": "missing_rate", "feature": "*"}, "limits": {"investigate": {"abs": 0.5}}
}  # fmt: skip


@pytest.fixture(scope="module")
def cohort() -> dict[str, list[Document]]:
    """Features of each patient by site; what is no value is null, and 0 stays what the site wrote."""
    found: dict[str, list[Document]] = {}
    for site, path in SITES.items():
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").split()]
        found[site] = [
            {name: None if text in NOT_A_VALUE else float(text) for name, text in zip(NAMES, row, strict=False)} for row in rows
        ]
    return found


def inferences(cohort: dict[str, list[Document]]) -> Iterator[Document]:
    for site, rows in cohort.items():
        for number, features in enumerate(rows):
            yield inference(f"{site}-{number}", site, 0.5, features)


@pytest.fixture(scope="module")
def lines(cohort: dict[str, list[Document]]) -> list[Document]:
    """With 0 declared as a sentinel of the cholesterol, and of nothing else."""
    features = [{"name": name, "sentinels": [0]} if name == "chol" else {"name": name} for name in NAMES]
    return judged(manifest(features, [MISSING]), inferences(cohort))


def test_the_cholesterol_of_switzerland_is_missing_in_every_patient_and_opens_an_incident(lines: list[Document]) -> None:
    found = status(lines, "missing", site="switzerland", feature="chol")
    assert (found["estimate"]["value"], found["estimate"]["n"], found["verdict"]) == (1.0, 123, "breached")
    opened = [line["scope"] for line in lines if line["kind"] == "incident"]
    assert {"feature": "chol", "site": "switzerland"} in opened
    assert {"feature": "chol", "site": "cleveland"} not in opened


def test_shares_of_missing_values_are_those_of_the_files(lines: list[Document], cohort: dict[str, list[Document]]) -> None:
    for site, rows in cohort.items():
        for name in NAMES:
            missing = sum(row[name] is None or (name == "chol" and row[name] == 0) for row in rows)
            estimate = status(lines, "missing", site=site, feature=name)["estimate"]
            assert (estimate["value"], estimate["n"]) == (missing / len(rows), len(rows)), (site, name)


def test_without_the_sentinel_nobody_would_have_seen_it(cohort: dict[str, list[Document]]) -> None:
    found = judged(manifest([{"name": "chol"}], [MISSING]), inferences(cohort))
    assert status(found, "missing", site="switzerland", feature="chol")["estimate"]["value"] == 0.0
