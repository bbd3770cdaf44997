"""What lint foretells of charts of labels is what folding does: inference by inference, day by day, pane by pane."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import ndtri

from detectors.bernoulli_cusum import fold, weights
from detectors.estimate import Estimate
from surveillance.arrays import Bool, Float, Int
from surveillance.evaluation.judging import Moment
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.false_alarms import false_alarms_of
from surveillance.foresight.fitting import BudgetLine, fits_of, with_limit
from surveillance.foresight.foreseen_harm import Stated, foreseen_harms
from surveillance.incidents.evaluator import Evaluator
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.panes.plan import base_pane_ms
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.times import DAY_MS, HOUR_MS
from tests.oracle.streams import START_MS
from tests.property.deciding import inference, monitor, outcome, release
from tests.unit.evaluation.test_folding_again import rows_of
from tests.unit.foresight.field import DIGEST, Document, manifest_of

BUSY_HOURS = [20.0 if 7 <= hour % 24 < 19 else 5.0 for hour in range(168)]
LATENCY = {
    "p50_h": 18, "p95_h": 96, "p99_h": 240, "expected_coverage": 0.9, "verification": {"flagged": 1.0, "unflagged": 0.89},
    "maturity": {"coverage_min": 0.85, "or_age": "PT240H"},
}  # fmt: skip
MISSES = {"event": "miss", "p0": 0.088, "p1": 0.15, "require_mature": True, "verification_correction": "begg_greenes"}
FALSE_ALERTS = MISSES | {"event": "false_alert", "p0": 0.066, "p1": 0.09}


def chart_of(metric: Document, h: float, *, hours: list[float], latency: Document | None = None) -> Manifest:
    described: Document = {
        "id": "chart", "metric": {"type": "bernoulli_cusum"} | metric, "window": "per_label", "limits": {"investigate": {"h": h}},
    }  # fmt: skip
    baselines: Document = {
        "metrics": [{"id": "sensitivity", "overall": {"value": 0.912}}, {"id": "specificity", "overall": {"value": 0.934}}],
        "operational": {"expected_volume": {"per": "overall", "hour_of_week": {"all": hours}, "dispersion": 2.0}},
    }
    return manifest_of(described, baselines=baselines | ({"label_latency": latency} if latency is not None else {}))


class Cases(NamedTuple):
    """Inferences of a day, hours from the start of the field; the label of those that get one arrives at `label_h`."""

    at_h: Float
    positive: Bool
    flagged: Bool
    labelled: Bool
    label_h: Float


class Field:
    """The field, case by case, as the manifest assumes it; the share of the chart's event may have risen."""

    def __init__(self, manifest: Manifest, *, rise: float = 0.0) -> None:
        metric = manifest.surveillance.monitors[0].metric
        assert isinstance(metric, BernoulliCusum)
        self.metric, self.assumed = metric, assumptions_of(manifest)
        self.latency, self.pane_h = manifest.baselines.label_latency, base_pane_ms(manifest) / HOUR_MS
        self.miss = metric.event == "miss"
        self.flagged_negatives = 1 - self.assumed.specificity + (0 if self.miss else rise)
        self.flagged_positives = self.assumed.sensitivity - (rise if self.miss else 0)

    def cases(self, day: int, draws: np.random.Generator) -> Cases:
        hours, excess = np.array(self.assumed.hours).reshape(7, 24)[day % 7], self.assumed.volume_dispersion - 1
        number = draws.poisson(draws.gamma(hours / excess) * excess)
        at_h = 24.0 * day + np.repeat(np.arange(24), number) + draws.random(number.sum())
        positive = draws.random(len(at_h)) < self.assumed.prevalence
        flagged = draws.random(len(at_h)) < np.where(positive, self.flagged_positives, self.flagged_negatives)
        coverage = np.where(flagged, self.assumed.coverage_flagged, self.assumed.coverage_unflagged)
        labelled = draws.random(len(at_h)) < coverage
        return Cases(at_h, positive, flagged, labelled, at_h + self._delays(len(at_h), draws))

    def _delays(self, cases: int, draws: np.random.Generator) -> Float:
        if self.latency is None:
            return np.zeros(cases)
        known, z = np.log([self.latency.p50_h or 1, self.latency.p95_h or 1, self.latency.p99_h or 1]), ndtri([0.5, 0.95, 0.99])
        slopes, drawn = np.diff(known) / np.diff(z), draws.standard_normal(cases)
        return np.asarray(np.exp(np.where(drawn < z[1], known[0] + slopes[0] * drawn, known[1] + slopes[1] * (drawn - z[1]))))

    def folded(self, days: Sequence[Cases]) -> Iterator[tuple[int, int, int]]:
        """(pane, labels that fold in it, events among them) in order of time."""
        panes, events = [], []
        for day, cases in enumerate(days):
            pane = np.floor(cases.label_h / self.pane_h).astype(np.int64)
            if self.metric.require_mature:
                pane = np.maximum(pane, self._mature(day, pane[cases.labelled], len(pane)))
            counted = cases.labelled & (cases.positive if self.miss else ~cases.positive)
            panes.append(pane[counted])
            events.append((~cases.flagged if self.miss else cases.flagged)[counted])
        found, place = np.unique(np.concatenate(panes), return_inverse=True)
        hits = np.bincount(place, np.concatenate(events)).astype(np.int64)
        yield from zip(found.tolist(), np.bincount(place).tolist(), hits.tolist(), strict=True)

    def _mature(self, day: int, arrived: Int, cases: int) -> int:
        """The pane after the end of the day in which so many labels have come, or that of the age if this is sooner."""
        assert self.latency is not None
        maturity, end_h = self.latency.maturity, 24 * (day + 1)
        needed = math.ceil((maturity.coverage_min or 0) * cases)
        by_age = round((end_h + (maturity.or_age_ms or 0) / HOUR_MS) / self.pane_h)
        covered = int(np.sort(arrived)[needed - 1]) if 0 < needed <= len(arrived) else by_age
        return min(by_age, max(covered, round(end_h / self.pane_h)))

    def weights(self) -> tuple[float, float]:
        p0, p1 = self.metric.p0, self.metric.p1
        if self.metric.verification_correction == "begg_greenes":
            as_event, else_ = (self.assumed.coverage_unflagged, self.assumed.coverage_flagged)[:: 1 if self.miss else -1]
            p0, p1 = (p * as_event / (p * as_event + (1 - p) * else_) for p in (p0, p1))
        event, nonevent = weights(p0, p1)
        return float(event), float(nonevent)


def statistics(field: Field, days: Sequence[Cases], closed_at: float = math.inf) -> Iterator[tuple[int, float]]:
    """S after each pane that folds a label. At `closed_at` a person closes the incident at once: the chart starts at 0 again."""
    (event, nonevent), s = field.weights(), 0.0
    for pane, labels, events in field.folded(days):
        s = float(fold(s, events, labels, event, nonevent))
        yield pane, s
        s = 0.0 if s >= closed_at else s


CHARTS = {
    "misses of mature days": (MISSES, LATENCY, 1.5, 1.0, 3000),
    "false alerts of mature days": (FALSE_ALERTS, LATENCY, 1.2, 1.0, 1500),
    "as labels arrive": (MISSES | {"require_mature": False}, LATENCY, 1.5, 1.0, 1000),
    "many labels in a pane": (MISSES | {"require_mature": False}, None, 2.0, 60.0, 80),
}


@pytest.mark.parametrize("name", CHARTS)
def test_false_alarms_are_those_of_a_simulation(name: str) -> None:
    metric, latency, h, times, days = CHARTS[name]
    manifest = chart_of(metric, h, hours=[times * hour for hour in BUSY_HOURS], latency=latency)
    field, draws = Field(manifest), np.random.default_rng(23)
    alarms = sum(s >= h for _, s in statistics(field, [field.cases(day, draws) for day in range(days)], closed_at=h))
    assert alarms > 150
    (foretold,) = false_alarms_of(manifest, DIGEST, field.assumed, manifest.surveillance.monitors[0])
    assert foretold.per_30_days == pytest.approx(30 * alarms / days, rel=0.15)


HARMED = {
    "misses of mature days": (MISSES, LATENCY, 3.0, 0.06),
    "false alerts of mature days": (FALSE_ALERTS, LATENCY, 4.0, 0.03),
    "as labels arrive": (MISSES | {"require_mature": False}, None, 4.0, 0.08),
}


@pytest.mark.parametrize("name", HARMED)
def test_days_to_detect_are_those_of_a_simulation(name: str) -> None:
    metric, latency, h, rise = HARMED[name]
    manifest = chart_of(metric, h, hours=BUSY_HOURS, latency=latency)
    field, draws, horizon = Field(manifest, rise=rise), np.random.default_rng(29), 40
    seen = []
    for _ in range(200):
        course = statistics(field, [field.cases(day, draws) for day in range(horizon)])
        seen.append(next(((pane + 1) * field.pane_h / 24 for pane, s in course if s >= h), math.inf))
    simulated = float(np.quantile(seen, 0.8, method="inverted_cdf"))
    assert 3 < simulated < horizon
    (harm,) = foreseen_harms(manifest, DIGEST, field.assumed, manifest.surveillance.monitors[0], Stated(rise, 0.8, 90.0, ""))
    assert harm.days is not None
    assert abs(harm.days - simulated) <= 0.15 * simulated, (harm.days, simulated)


def test_the_simulation_folds_as_the_evaluator_does() -> None:
    plain: Document = {"verification_correction": "none"}
    watched = [
        monitor(name, {"type": "bernoulli_cusum"} | FALSE_ALERTS | plain | own, {"investigate": {"h": 3}}, window="per_label")
        for name, own in {"mature": {}, "arriving": {"require_mature": False}}.items()
    ]
    document = release(*watched)
    document["baselines"]["label_latency"] = LATENCY
    registered = registration_of(document, "test")
    registry = Registry([registered])
    told = Evaluator(registry)
    chart = chart_of(FALSE_ALERTS | plain, 3.0, hours=[hour / 4 for hour in BUSY_HOURS], latency=LATENCY)
    field, draws = Field(chart), np.random.default_rng(31)
    days = [field.cases(day, draws) for day in range(20)]
    lines = sorted(lines_of(days))
    told.take(rows_of(registry, [line for _, line in lines]))
    end_ms = START_MS + 60 * DAY_MS
    found: dict[str, dict[int, float]] = {"mature": {}, "arriving": {}}
    for one in told.judge(Moment(end_ms, end_ms, end_ms, final=True)).evidence:
        if isinstance(one.outcome, Estimate):
            found[one.monitor_id][one.end_ms - base_pane_ms(registered.plan.manifest)] = one.outcome.value
    for name, own in {"mature": {}, "arriving": {"require_mature": False}}.items():
        same = Field(chart_of(FALSE_ALERTS | plain | own, 3.0, hours=BUSY_HOURS, latency=LATENCY))
        expected = {START_MS + round(pane * same.pane_h * HOUR_MS): s for pane, s in statistics(same, days)}
        assert len(expected) > 40
        assert found[name] == pytest.approx(expected)
    assert len(found["mature"]) < len(found["arriving"])


def lines_of(days: Sequence[Cases]) -> Iterator[tuple[int, bytes]]:
    """Events of the cases, each with the ms at which it arrives."""
    for day, cases in enumerate(days):
        for at, (at_h, positive, flagged, labelled, label_h) in enumerate(zip(*cases, strict=True)):
            at_ms, label_ms = int(at_h * HOUR_MS), int(label_h * HOUR_MS)
            yield at_ms, inference(f"{day}-{at}", at_ms, 0.9 if flagged else 0.1)
            if labelled:
                yield label_ms, outcome(f"{day}-{at}", int(positive), label_ms)


def test_an_h_that_is_said_to_fit_keeps_the_share_of_the_budget() -> None:
    manifest = chart_of(MISSES, 1.5, hours=BUSY_HOURS, latency=LATENCY)
    assumed, watched = assumptions_of(manifest), manifest.surveillance.monitors[0]
    alarms = false_alarms_of(manifest, DIGEST, assumed, watched)
    lines = [BudgetLine("investigate", alarms[0].per_30_days or 0.0, 0.1)]
    (fit,) = fits_of(manifest, DIGEST, assumed, alarms, lines)
    assert fit.value is not None
    (kept,) = false_alarms_of(manifest, DIGEST, assumed, with_limit(watched, "investigate", "h", fit.value))
    (missed,) = false_alarms_of(manifest, DIGEST, assumed, with_limit(watched, "investigate", "h", fit.value - 0.1))
    assert (kept.per_30_days or 0.0) <= 0.1 < (missed.per_30_days or 0.0)


def test_it_is_said_which_run_length_is_meant() -> None:
    at_once: Document = {"maturity": {"or_age": "P10D"}}
    told = {
        name: false_alarms_of(manifest, DIGEST, assumptions_of(manifest), manifest.surveillance.monitors[0])[0]
        for name, manifest in {
            "late": chart_of(MISSES, 1.5, hours=BUSY_HOURS, latency=LATENCY),
            "at once": chart_of(MISSES, 1.5, hours=BUSY_HOURS, latency=at_once),
            "arriving": chart_of(MISSES | {"require_mature": False}, 1.5, hours=BUSY_HOURS, latency=LATENCY),
            "never": chart_of(MISSES, 1.5, hours=BUSY_HOURS, latency={"p50_h": 18}),
        }.items()
    }
    assert {name: one.how for name, one in told.items()} == {
        "late": "run length of the chart, a day's labels at a time, later ones by the pane",
        "at once": "run length of the chart, a day's labels at a time",
        "arriving": "run length of the chart, a pane's labels at a time",
        "never": "none: no day of labels ever becomes mature",
    }
    assert told["never"].per_30_days == 0.0
    assert 0.0 < (told["at once"].per_30_days or 0.0) < (told["late"].per_30_days or 0.0)
