"""The same labels with scores that are well and badly calibrated, as two sites of one release (FDA DIDSR calzone, MIT)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.scenario.real_streams import Document, data_file, inference, judged, manifest, outcome, status

FILES = {kind: data_file("calzone", f"simulated_{kind}data.csv") for kind in ("well", "mis")}
MONITORS: list[Document] = [
    {"id": "slope", "metric": {"type": "calibration_slope"}, "limits": {"investigate": {"outside": [0.85, 1.2]}}},
    {"id": "oe", "metric": {"type": "observed_expected"}, "limits": {"investigate": {"outside": [0.85, 1.15]}}},
    {"id": "brier", "metric": {"type": "brier"}, "limits": {"investigate": {"ci_lower_above": 0.15}}},
    {"id": "auroc", "metric": {"type": "auroc"}, "limits": {"investigate": {"ci_upper_below": 0.8}}},
]


@pytest.fixture(scope="module")
def lines() -> list[Document]:
    inferences, outcomes = [], []
    for kind, path in FILES.items():
        for number, row in enumerate(_rows(path)):
            inferences.append(inference(f"{kind}-{number}", kind, float(row["proba_1"]), {}))
            outcomes.append(outcome(f"{kind}-{number}", kind, int(float(row["label"]))))
    return judged(manifest([], MONITORS), [*inferences, *outcomes])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize(
    ("kind", "slope", "ratio", "brier"), [("well", 0.9942, 0.988820, 0.125186), ("mis", 0.4971, 0.989129, 0.134713)]
)
def test_the_published_figures_come_out(lines: list[Document], kind: str, slope: float, ratio: float, brier: float) -> None:
    found = {name: status(lines, name, site=kind)["estimate"] for name in ("slope", "oe", "brier")}
    assert {estimate["n"] for estimate in found.values()} == {5000}
    assert found["slope"]["value"] == pytest.approx(slope, abs=0.01)
    assert found["oe"]["value"] == pytest.approx(ratio, abs=1e-6)
    assert found["brier"]["value"] == pytest.approx(brier, abs=1e-6)


def test_only_the_slope_of_the_badly_calibrated_site_opens_an_incident(lines: list[Document]) -> None:
    opened = [(line["monitor_id"], line["scope"]) for line in lines if line["kind"] == "incident"]
    assert opened == [("slope", {"site": "mis"})]
    areas = [status(lines, "auroc", site=kind)["estimate"]["value"] for kind in FILES]
    assert areas[0] == pytest.approx(areas[1], abs=0.002)
