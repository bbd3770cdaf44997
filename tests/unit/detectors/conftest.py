"""Row-level cohorts of ../shared/data, and their score sketches."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from detectors.arrays import Float, Int
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit, sketch_bin, sketch_logit

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@dataclass(frozen=True)
class Cohort:
    """Scores and outcomes, row by row."""

    score: Float
    outcome: Int
    group: np.ndarray

    def where(self, keep: np.ndarray) -> Cohort:
        return Cohort(self.score[keep], self.outcome[keep], self.group[keep])

    @property
    def micro(self) -> Int:
        return np.round(self.score * 1e6).astype(np.int64)

    def sketch(self) -> tuple[Int, Int]:
        bins = sketch_bin(self.micro)
        neg, pos = (np.bincount(bins[self.outcome == label], minlength=SKETCH_BINS) for label in (0, 1))
        return neg[None], pos[None]

    def mean_logits(self) -> Float:
        bins = sketch_bin(self.micro)
        count = np.bincount(bins, minlength=SKETCH_BINS)
        return bin_mean_logit(count, np.bincount(bins, weights=self.micro, minlength=SKETCH_BINS))

    def default_logits(self) -> Float:
        return sketch_logit()

    def rows(self) -> tuple[Int, Int, Float]:
        """Negatives, positives and logit of every distinct score: the row-level fit in the shape of bins."""
        scores, place = np.unique(np.clip(self.score, 1e-6, 1 - 1e-6), return_inverse=True)
        neg, pos = (np.bincount(place[self.outcome == label], minlength=len(scores)) for label in (0, 1))
        return neg[None], pos[None], logit(scores)

    def micro_sums(self) -> dict[str, list[int]]:
        p, y = self.score, self.outcome
        sums = {
            "p": p,
            "square": (p - y) ** 2,
            "quartic": (p - y) ** 4,
            "numerator": (y - p) * (1 - 2 * p),
            "variance": (1 - 2 * p) ** 2 * p * (1 - p),
        }
        return {name: [int(np.round(values * 1e6).sum())] for name, values in sums.items()}


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        pytest.skip(f"no {path.name}: ../shared/data is not part of this clone")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="session")
def support2() -> Cohort:
    rows = [row for row in _read(DATA / "support2" / "support2.csv") if row["surv2m"]]
    score = np.array([1 - float(row["surv2m"]) for row in rows])
    outcome = np.array([row["death"] == "1" and float(row["d.time"]) <= 60 for row in rows]).astype(np.int64)
    return Cohort(score, outcome, np.array([row["dzgroup"] for row in rows]))


@pytest.fixture(scope="session")
def calzone() -> Callable[[str], Cohort]:
    def read(kind: str) -> Cohort:
        rows = _read(DATA / "calzone" / f"simulated_{kind}data.csv")
        outcome = np.array([float(row["label"]) for row in rows]).astype(np.int64)
        return Cohort(np.array([float(row["proba_1"]) for row in rows]), outcome, np.zeros(len(rows)))

    return read


@pytest.fixture(scope="session")
def cardiac_surgery() -> list[dict[str, str]]:
    """Operations in order of date."""
    return _read(DATA / "cardiacsurgery" / "cardiacsurgery.csv")
