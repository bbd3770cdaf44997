"""The days that lint foretells are those that a plain simulation of the same field takes, within 15 %."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bernoulli_cusum import weights
from surveillance.foresight.assumptions import assumptions_of
from surveillance.foresight.chance import chance
from surveillance.foresight.detection import Detector
from surveillance.foresight.forecast import power_of
from surveillance.foresight.harms import harm_of
from surveillance.foresight.label_charts import LabelChart
from surveillance.foresight.monitor_cells import cells_of, peers_of
from surveillance.foresight.onset import Onset
from surveillance.foresight.quiet_events import field_of
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.times import DAY_MS
from tests.unit.foresight.field import DIGEST, Document, manifest_of, monitor, only_cell, simulated_days

TWO_OF_THREE = {"k": 2, "of": 3, "clear_after": 3}
TUMBLING = [
    monitor("missing_rate", "day", {"abs": 0.04}, feature="px", persistence=TWO_OF_THREE),
    monitor("poisson_rate_ratio", "hour", {"rr_ci_lower_above": 1.2}, numerator="alerts", exposure="encounters"),
    monitor("psi", "day", {"p": 0.001, "effect_min": 0.02}, feature="px", persistence=TWO_OF_THREE),
    monitor("rate", "day", {"ci_lower_above": 0.15}, numerator="overrides", denominator="actioned_alerts"),
    monitor("duplicate_rate", "hour", {"above": 0.05}, persistence=TWO_OF_THREE),
]
SLIDING = [
    monitor("proportion_vs_floor", "month", {"ci_upper_below": 0.88}, event="sensitivity", persistence=TWO_OF_THREE),
    monitor("proportion_vs_floor", "week", {"ci_upper_below": 0.9}, event="sensitivity", interval={"method": "wilson"}),
    monitor("observed_expected", "month", {"outside": [0.8, 1.25]}, persistence=TWO_OF_THREE),
    monitor("calibration_slope", "month", {"outside": [0.8, 1.25]}),
    monitor("auroc", "month", {"ci_upper_below": 0.87}),
]
EFFECTS = {"duplicate_rate": 0.04, "missing_rate": 0.04, "poisson_rate_ratio": 0.8, "psi": 0.2, "rate": 0.09, "auroc": 0.06}


def foretold_and_simulated(manifest: Manifest, effect: float | None, *, courses: int, horizon: int) -> tuple[float, float]:
    cell = only_cell(manifest)
    field = field_of(manifest, assumptions_of(manifest), cell.series.monitor)
    harm = harm_of(cell.series.monitor, 0.1)
    assert harm is not None
    harm = harm if effect is None else harm.at(effect)
    onset = Onset(manifest, DIGEST, field, cell, "investigate")
    foretold = Detector(manifest, onset, cell, "investigate", 0.0).days(harm, 0.8)
    assert foretold is not None
    return foretold, simulated_days(manifest, cell, harm, 0.8, courses=courses, horizon=horizon)


def step_days(manifest: Manifest) -> float:
    window = manifest.surveillance.window(manifest.surveillance.monitors[0].window or "")
    assert window is not None
    return window.slide_ms / DAY_MS


def agree(manifest: Manifest, foretold: float, simulated: float) -> bool:
    """Within 15 %, or within one look: an incident opens at a look and not between two."""
    return abs(foretold - simulated) <= max(0.15 * simulated, step_days(manifest) * 1.01)


@pytest.mark.parametrize("described", TUMBLING, ids=lambda one: f"{one['id']}-{one['window']}")
def test_looks_that_share_no_events(described: Document) -> None:
    manifest = manifest_of(described)
    foretold, simulated = foretold_and_simulated(manifest, EFFECTS[described["id"]], courses=500, horizon=150)
    assert simulated > 2 * step_days(manifest)
    assert agree(manifest, foretold, simulated), (foretold, simulated)


@pytest.mark.parametrize("described", SLIDING, ids=lambda one: f"{one['id']}-{one['window']}")
def test_looks_at_windows_that_overlap(described: Document) -> None:
    manifest = manifest_of(described, a_day=240.0)
    foretold, simulated = foretold_and_simulated(manifest, EFFECTS.get(described["id"]), courses=100, horizon=60)
    assert 3 < simulated < 60
    assert agree(manifest, foretold, simulated), (foretold, simulated)


def test_windows_that_reach_back_for_their_minimum_sample() -> None:
    strata = {"below_min": "accumulate", "min_sample": {"inferences": 200}}
    described = monitor("missing_rate", "hour", {"abs": 0.04}, feature="px", persistence=TWO_OF_THREE)
    manifest = manifest_of(described, strata=strata)
    foretold, simulated = foretold_and_simulated(manifest, 0.08, courses=100, horizon=24 * 4)
    assert abs(foretold - simulated) <= 0.15 * simulated, (foretold, simulated)


def test_clocks_whose_windows_reach_back_for_their_minimum_sample() -> None:
    """Event by event: the 95th percentile of what the window holds, from an onset at its start."""
    strata = {"below_min": "accumulate", "min_sample": {"inferences": 500}}
    described = monitor("clock_offset_s", "hour", {"above": 120}, persistence=TWO_OF_THREE, by=["device"])
    manifest = manifest_of(described, a_day=1200.0, sites=5, strata=strata)
    _, (foreseen,) = power_of(manifest, DIGEST)
    assert foreseen.harm == "clock stands 240 s off"
    assert foreseen.days is not None
    # Ten inferences an hour at a site, with a label each and an action for one in eight, and a heartbeat a minute.
    an_hour, opened = 10 * 2.12 + 60, []
    draws = np.random.default_rng(5)
    for _ in range(200):
        events = [np.zeros(draws.poisson(an_hour)) for _ in range(48)]
        breached: list[int] = []
        while len(breached) < 2 and len(events) < 200:
            events.append(np.full(draws.poisson(an_hour), 240.0))
            newest = next(back for back in range(1, 48) if sum(map(len, events[-back:])) >= 500)
            if np.quantile(np.concatenate(events[-newest:]), 0.95, method="inverted_cdf") > 120:
                # Windows that share events count once.
                breached += [len(events)] if not breached or len(events) - breached[-1] >= newest else []
        opened.append((len(events) - 48) / 24)
    simulated = float(np.quantile(opened, 0.8, method="inverted_cdf"))
    assert abs(foreseen.days - simulated) <= 0.15 * simulated, (foreseen.days, simulated)


def test_charts_of_labels() -> None:
    described: Document = {
        "id": "miss", "metric": {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.2}, "window": "per_label",
        "limits": {"investigate": {"h": 4.0}},
    }  # fmt: skip
    manifest = manifest_of(described)
    metric = manifest.surveillance.monitors[0].metric
    assert isinstance(metric, BernoulliCusum)
    foretold = LabelChart(manifest, metric, assumptions_of(manifest), 1.0).days(0.2, 4.0, 0.8)
    assert foretold is not None
    event, nonevent = (float(one) for one in weights(0.1, 0.2))
    draws, waited = chance("label by label"), []
    for _ in range(300):
        s = labels = 0.0
        while s < 4.0:
            s, labels = max(0.0, s + (event if draws.random() < 0.2 else nonevent)), labels + 1
        waited.append(labels)
    simulated = float(np.quantile(waited, 0.8)) / 48  # a tenth of 480 a day are positive, and all are labelled
    assert abs(foretold - simulated) <= 0.15 * simulated, (foretold, simulated)


def test_a_larger_harm_is_seen_sooner_and_one_inside_the_limit_never() -> None:
    manifest = manifest_of(monitor("missing_rate", "day", {"abs": 0.1}, feature="px"))
    cell = only_cell(manifest)
    harm = harm_of(cell.series.monitor, 0.1)
    assert harm is not None
    detector = Detector(
        manifest, Onset(manifest, DIGEST, assumptions_of(manifest), cell, "investigate"), cell, "investigate", 0.0
    )
    small, large = detector.days(harm.at(0.11), 0.8), detector.days(harm.at(0.2), 0.8)
    assert small is not None
    assert large is not None
    assert large < small
    assert detector.days(harm.at(0.02), 0.8) is None


def test_the_smallest_harm_is_seen_in_time_and_a_smaller_one_is_not() -> None:
    manifest = manifest_of(monitor("proportion_vs_floor", "month", {"ci_upper_below": 0.88}, event="sensitivity"))
    cell = only_cell(manifest)
    harm = harm_of(cell.series.monitor, 0.1)
    assert harm is not None
    detector = Detector(
        manifest, Onset(manifest, DIGEST, assumptions_of(manifest), cell, "investigate"), cell, "investigate", 0.0
    )
    smallest = detector.smallest(harm, 90.0, 0.8)
    assert smallest is not None
    assert detector.power_within(harm.at(smallest), 90.0) >= 0.8 > detector.power_within(harm.at(smallest * 0.85), 90.0)
    days = detector.days(harm.at(smallest * 1.1), 0.8)
    assert days is not None
    assert days <= 90


def test_one_site_that_leaves_the_others_is_seen_and_more_of_it_sooner() -> None:
    gap = monitor("subgroup_gap", "month", {"ci_upper_below": -0.02}, event="sensitivity", by=["site"])
    manifest = manifest_of(gap, a_day=6000.0, sites=6)
    field, (cell,) = assumptions_of(manifest), cells_of(manifest, assumptions_of(manifest), manifest.surveillance.monitors[0])
    harm = harm_of(cell.series.monitor, 0.1)
    assert harm is not None
    onset = Onset(manifest, DIGEST, field, cell, "investigate", peers_of(cell, [cell]))
    detector = Detector(manifest, onset, cell, "investigate", 0.0)
    small, large = detector.days(harm, 0.8), detector.days(harm.at(0.3), 0.8)
    assert small is not None
    assert large is not None
    assert large < small < 28
    assert len(peers_of(cell, [cell])) == 5


def test_where_the_quiet_field_breaches_the_smallest_harm_is_not_told_and_where_nothing_is_seen_there_is_none() -> None:
    at_once = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}

    def smallest(above: float, a_day: float) -> tuple[float | None, str, bool]:
        watched = monitor("prevalence", "day", {"ci_lower_above": above}, persistence=at_once)
        _, (found,) = power_of(manifest_of(watched, a_day=a_day), DIGEST)
        return found.smallest, found.smallest_text, found.days is not None

    assert smallest(0.05, 5000.0) == (None, "not told: breached when all is well", True)
    assert smallest(0.999, 5000.0) == (None, "none", False)
