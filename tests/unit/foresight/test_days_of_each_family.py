"""Families whose windows are drawn from sums: the foretold days are those of a field drawn case by case, within 15 %.

Each case has a value, a score and a label of its own; estimators, conditions and the rules of incidents are the real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from detectors.maxsprt_poisson import log_likelihood_ratio
from detectors.normal_chart import fold_cusum, fold_ewma, of_tail, standardised
from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Float, Int
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.calibrated_scores import CalibratedScores, calibrated_scores
from surveillance.foresight.chance import Chance
from surveillance.foresight.detection import Detector
from surveillance.foresight.forecast import power_of
from surveillance.foresight.harms import harm_of
from surveillance.foresight.onset import Onset
from surveillance.foresight.quiet_field import World
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.panes import statistics
from surveillance.panes.statistics import Label, LabelScoreHead, Mix, Ood, Quality, ScoreTail, Shape, Use
from surveillance.times import DAY_MS
from tests.unit.foresight.field import DIGEST, FEATURE, Document, document, manifest_of, monitor, only_cell, simulated_days

TWO_OF_THREE = {"k": 2, "of": 3, "clear_after": 3}
EDGES, PROBS = np.array([-4.0, -1.0, 0.0, 1.0, 4.0]), np.array([0.16, 0.34, 0.34, 0.16])
SPREAD = FEATURE | {"mean": 0.0, "sd": 1.5}
MIX = {"name": "sex", "kind": "categorical", "n": 50_000, "probs": {"F": 0.5, "M": 0.3, "X": 0.2}}


def by_window(rows: Float, cases: Int) -> Float:
    """Sums (W, columns) of rows that stand window by window."""
    window = np.repeat(np.arange(len(cases)), cases)
    return np.stack([np.bincount(window, column, len(cases)) for column in rows.T], axis=1)


@dataclass(frozen=True)
class CaseByCase:
    """Windows filled by `rows(draws, cases in all)` (N, columns), each a case."""

    rows: Callable[[Chance, int], Float]

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        return np.round(by_window(self.rows(chance, int(cases.sum())), cases)).astype(np.int64)


def values(scale: float) -> CaseByCase:
    """Values spread evenly within the bins of the reference, shrunk to `scale`; of mean 0 and the stated deviation before."""

    def rows(draws: Chance, n: int) -> Float:
        at = draws.choice(len(PROBS), n, p=PROBS)
        value = EDGES[at] + np.diff(EDGES)[at] * draws.random(n)
        z = scale * value / math.sqrt(float((PROBS * (EDGES[1:] ** 3 - EDGES[:-1] ** 3) / np.diff(EDGES) / 3).sum()))
        found = np.zeros((n, len(PROBS) + len(Shape)))
        found[np.arange(n), at] = 1
        units = {Shape.SUM_MICRO: 1e6, Shape.FIRST_NANO: 1e9, Shape.SQUARE_NANO: 1e9, Shape.CUBE: 1e8, Shape.FOURTH: 1e8}
        found[:, len(PROBS) + Shape.NUMBERS] = 1
        for (column, unit), power in zip(units.items(), (1, 1, 2, 3, 4), strict=True):
            found[:, len(PROBS) + column] = z**power * unit
        return found

    return CaseByCase(rows)


def scored(scores: CalibratedScores, draws: Chance, n: int) -> tuple[Float, Int]:
    """Scores (N,) and labels (N,)."""
    at = draws.choice(len(scores.score), n, p=scores.weight / scores.weight.sum())
    return scores.score[at], (draws.random(n) < scores.risk[at]).astype(np.int64)


def labelled(scores: CalibratedScores) -> CaseByCase:
    """Scored cases, all of them labelled."""

    def rows(draws: Chance, n: int) -> Float:
        p, y = scored(scores, draws, n)
        found = np.zeros((n, statistics.LABELS_LENGTH))
        found[:, [Label.INFERENCES, Label.VERIFIED]] = 1
        found[:, Label.NEGATIVES], found[:, Label.POSITIVES] = 1 - y, y
        sums = {
            Label.SCORE_MICRO: p, Label.SQUARE_MICRO: (p - y) ** 2, Label.QUARTIC_MICRO: (p - y) ** 4,
            Label.SPIEGELHALTER_MICRO: (y - p) * (1 - 2 * p),
            Label.SPIEGELHALTER_VARIANCE_MICRO: (1 - 2 * p) ** 2 * p * (1 - p),
        }  # fmt: skip
        for column, one in sums.items():
            found[:, column] = np.round(one * 1e6)
        return found

    return CaseByCase(rows)


@dataclass(frozen=True)
class Sketched:
    """Scored and labelled cases in the bins of the score sketch."""

    scores: CalibratedScores

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        p, y = scored(self.scores, chance, int(cases.sum()))
        window, micro = np.repeat(np.arange(len(cases)), cases), np.round(p * 1e6).astype(np.int64)
        bins = sketch_bin(micro)
        found = np.zeros((len(cases), statistics.LABEL_SCORES_LENGTH), np.int64)
        found[:, [LabelScoreHead.INFERENCES_UNFLAGGED, LabelScoreHead.VERIFIED_UNFLAGGED]] = cases[:, None]
        np.add.at(found, (window, statistics.LABEL_COUNT_AT + y * SKETCH_BINS + bins), 1)
        np.add.at(found, (window, statistics.LABEL_SUM_AT + bins), micro)
        return found


def quality(mean: float) -> CaseByCase:
    """Qualities between 0 and 1 with a deviation of a tenth, beta distributed."""
    size = mean * (1 - mean) / 0.01 - 1

    def rows(draws: Chance, n: int) -> Float:
        one = draws.beta(mean * size, (1 - mean) * size, n)
        found = np.zeros((n, len(Quality)))
        found[:, Quality.SENT], found[:, Quality.SUM_MICRO], found[:, Quality.SQUARE_MICRO] = 1, one * 1e6, one**2 * 1e6
        return found

    return CaseByCase(rows)


def shares(length: int, whole: tuple[int, ...], part: int, share: float) -> CaseByCase:
    """Cases of which each counts in the columns `whole`, and this share of them in `part`."""

    def rows(draws: Chance, n: int) -> Float:
        found = np.zeros((n, length))
        found[:, whole] = 1
        found[:, part] = draws.random(n) < share
        return found

    return CaseByCase(rows)


def ood(share: float) -> CaseByCase:
    return shares(len(Ood), (Ood.SENT,), Ood.ABOVE, share)


def saturated(share: float) -> CaseByCase:
    bins = 5
    return shares(bins + len(ScoreTail), (bins + ScoreTail.SCORES,), bins + ScoreTail.LOW, share)


def kept(share: float) -> CaseByCase:
    return shares(len(Use), (), Use.INFERENCES, share)


def mixed(*probs: float) -> CaseByCase:
    """Levels of the axis; an exponential tilt by their place moves the mean."""

    def rows(draws: Chance, n: int) -> Float:
        found = np.zeros((n, len(probs) + len(Mix)))
        found[np.arange(n), draws.choice(len(probs), n, p=probs)] = 1
        found[:, len(probs) + Mix.KNOWN] = 1
        return found

    return CaseByCase(rows)


SCORES = calibrated_scores(manifest_of().baselines.score, 0.1)


def tilted(probs: tuple[float, ...], by: float) -> tuple[float, ...]:
    """The mix whose levels, numbered in their order, have a mean that lies `by` standard deviations higher."""
    p, place = np.array(probs), np.arange(len(probs), dtype=np.float64)
    place -= (place * p).sum()
    weight = p * np.exp(by * place / math.sqrt(float((place**2 * p).sum())))
    return tuple((weight / weight.sum()).tolist())


SEXES = (0.5, 0.3, 0.2, 0.0)
"""With the bin of levels that are not named."""


@dataclass(frozen=True)
class Family:
    """A monitor in a field of `a_day`, its harm, and the field case by case before and after."""

    kind: str
    window: str
    limits: Document
    effect: float
    quiet: World
    harmful: World
    fields: Document
    a_day: float = 480.0
    courses: int = 200
    horizon: int = 45

    @property
    def described(self) -> Document:
        fields: dict[str, Any] = self.fields | {"persistence": TWO_OF_THREE}
        return monitor(self.kind, self.window, self.limits, **fields)


FLATTER = SCORES.with_slope(0.6)
FAMILIES = [
    Family("variance_ratio", "day", {"p": 1e-4}, 0.18, values(1.0), values(0.82), {"feature": "px"}, 240.0, courses=300),
    Family("spiegelhalter", "day", {"p": 0.01}, 0.5, labelled(SCORES), labelled(SCORES.with_slope(0.5)), {}, 240.0),
    Family("spiegelhalter", "week", {"p": 0.01}, 0.4, labelled(SCORES), labelled(FLATTER), {}, 240.0, 100),
    Family("calibration_error", "week", {"p": 0.01}, 0.4, Sketched(SCORES), Sketched(FLATTER), {}, 240.0, 60, 40),
    Family("calibration_error", "month", {"ci_lower_above": 0.0}, 0.4, Sketched(SCORES), Sketched(FLATTER), {}, 240.0, 60, 50),
    Family("prevalence", "day", {"ci_lower_above": 0.12}, 0.06, labelled(SCORES), labelled(SCORES.with_ratio(1.6)), {}),
    Family("volume_vs_expected", "hour", {"p": 0.001}, 0.65, kept(1.0), kept(0.35), {}, courses=300),
    Family(
        "mix_shift",
        "day",
        {"p": 1e-4},
        0.18,
        mixed(*SEXES),
        mixed(*tilted(SEXES, 0.18)),
        {"axis": "sex"},
        courses=300,
        horizon=90,
    ),
    Family("ood_share", "day", {"above": 0.05}, 0.02, ood(0.02), ood(0.04), {}, horizon=150, courses=400),
    Family("ood_share", "day", {"ci_lower_above": 0.05}, 0.06, ood(0.02), ood(0.08), {}),
    Family("quality_mean", "day", {"ci_upper_below": 0.88}, 0.03, quality(0.9), quality(0.87), {}, 240.0),
    Family("quality_mean", "day", {"below": 0.88}, 0.018, quality(0.9), quality(0.882), {}, 240.0, courses=400),
    Family("saturation_share", "day", {"ratio_to_baseline": 2}, 0.04, saturated(0.02), saturated(0.06), {"side": "low"}),
]


def field_of_cases(described: Document, a_day: float) -> Manifest:
    strata = {"axes": [{"id": "sex", "source": "context.sex", "values": ["F", "M", "X"]}]}
    whole = document([described], a_day=a_day, strata=strata, operating_point={"abstain": {"ood_above": 0.9}})
    whole["baselines"]["features"] = [SPREAD, MIX]
    return parse_manifest(whole)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: f"{one.kind}-{one.window}-{next(iter(one.limits))}")
def test_windows_of_cases(family: Family) -> None:
    manifest = field_of_cases(family.described, family.a_day)
    cell, window = only_cell(manifest), manifest.surveillance.window(family.window)
    harm = harm_of(cell.series.monitor, 0.1)
    assert harm is not None
    assert window is not None
    harm = harm.at(family.effect)
    onset = Onset(manifest, DIGEST, assumptions_of(manifest), cell, "investigate")
    foretold = Detector(manifest, onset, cell, "investigate", 0.0).days(harm, 0.8)
    assert foretold is not None
    simulated = simulated_days(
        manifest, cell, harm, 0.8,
        courses=family.courses, horizon=family.horizon, worlds=(family.quiet, family.harmful),
    )  # fmt: skip
    look_days = window.slide_ms / DAY_MS
    assert 2 * look_days < simulated < math.inf
    # An incident opens at a look and not between two.
    assert abs(foretold - simulated) <= max(0.15 * simulated, 1.01 * look_days), (foretold, simulated)


@pytest.mark.parametrize(
    ("chart", "a_day"),
    [
        ({"type": "cusum", "k": 0.5}, 2.0),
        ({"type": "cusum", "k": 0.5, "tail": "upper"}, 2.0),
        ({"type": "ewma", "lambda": 0.2}, 3.0),
    ],
    ids=["cusum-both", "cusum-upper", "ewma"],
)
def test_normal_charts_of_days(chart: Document, a_day: float) -> None:
    """Day by day, from an onset at which the chart had run quietly for two months: the statistic stands where chance left it."""
    h = 1.0 if chart["type"] == "ewma" else 4.0
    described: Document = {
        "id": "slow", "metric": {"of": "feature_mean", "feature": "px"} | chart, "window": "day",
        "limits": {"investigate": {"h": h}},
    }  # fmt: skip
    _, (foreseen,) = power_of(field_of_cases(described, a_day), DIGEST)
    assert foreseen.harm == "mean moves by 0.5 standard deviations of cases"
    draws, charts, quiet = np.random.default_rng(11), 1000, 60
    sides, first = np.zeros((charts, 2)), np.zeros(charts)
    for day in range(1, quiet + 60):
        value = draws.normal(0.5 * 1.5 if day > quiet else 0.0, 1.5, (charts, int(a_day)))
        z = standardised(value.sum(axis=1), [int(a_day)] * charts, [0.0] * charts, [1.5] * charts)
        sides = fold_ewma(sides, z, 0.2) if chart["type"] == "ewma" else fold_cusum(sides, z, 0.5)
        first[(first == 0) & (of_tail(sides, chart.get("tail", "both")) >= h)] = day
    waited = first[(first == 0) | (first > quiet)]
    assert len(waited) > charts / 2
    simulated = float(np.quantile(np.where(waited > 0, waited - quiet, math.inf), 0.8, method="inverted_cdf"))
    assert simulated > 4
    assert foreseen.days is not None
    assert abs(foreseen.days - simulated) <= max(0.15 * simulated, 1.01), (foreseen.days, simulated)


@pytest.mark.parametrize(("llr", "minimum"), [(3.0, 1), (2.0, 4)])
def test_a_sequential_test_of_events(llr: float, minimum: int) -> None:
    """Event by event: the likelihood ratio is largest when one comes, and falls until the next."""
    described: Document = {
        "id": "ae", "metric": {"type": "maxsprt_poisson", "expected_per_10k": 5, "T": 100, "M": minimum},
        "limits": {"investigate": {"llr": llr}},
    }  # fmt: skip
    _, (foreseen,) = power_of(manifest_of(described, a_day=1000.0), DIGEST)
    assert foreseen.harm == "events come 2 times as often"
    draws, waited = np.random.default_rng(12), []
    for _ in range(1000):
        days = np.cumsum(draws.exponential(1.0, 400))  # half an event a day is expected, and twice as many come
        found = log_likelihood_ratio(np.arange(1, 401), 0.5 * days, minimum_events=minimum)
        reached = np.flatnonzero(found >= llr)
        waited.append(float(days[reached[0]]) if len(reached) else math.inf)
    simulated = float(np.quantile(waited, 0.8, method="inverted_cdf"))
    assert 5 < simulated < 200
    assert foreseen.days is not None
    assert abs(foreseen.days - simulated) <= 0.15 * simulated, (foreseen.days, simulated)
