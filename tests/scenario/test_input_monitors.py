"""Monitors on what goes in and what the score looks like, from lines of telemetry to status and incidents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit

from tests.property.deciding import HOUR_MS, inference, monitor, release, replayed_lines, tick

Line = dict[str, Any]
Row = tuple[int, dict[str, Any]]
"""Milliseconds after the start, and what the inference says."""

PER_HOUR = 60


class Told:
    """What a replay says at its end."""

    def __init__(self, lines: list[Line]) -> None:
        self._status = [line for line in lines if line["kind"] == "status"]
        self.incidents = [line for line in lines if line["kind"] == "incident"]

    def of(self, monitor_id: str, **scope: str) -> Line:
        (line,) = [line for line in self._status if line["monitor_id"] == monitor_id and line["scope"] == scope]
        return line

    def opened(self, monitor_id: str) -> list[str]:
        return [line["level"] for line in self.incidents if line["monitor_id"] == monitor_id and line["state"] == "open"]

    @property
    def lines(self) -> list[tuple[str, Any]]:
        return [(line["monitor_id"], line["estimate"]) for line in self._status]


def told(
    watched: Iterable[Line],
    rows: Iterable[Row],
    hours: int,
    amend: Callable[[Line], None] | None = None,
    late: Iterable[Row] = (),
) -> Told:
    """The replay of these inferences and of `late` ones, which happened when they say and arrive at the end."""
    document = release(*watched)
    document["strata"]["multiplicity"] = {"method": "none"}
    if amend is not None:
        amend(document)
    lines = [inference(f"i{at}", at_ms, **fields) for at, (at_ms, fields) in enumerate(sorted(rows, key=lambda row: row[0]))]
    # `ingest_time` apart from `event_time` is what lateness is.
    lines += [
        inference(f"late{at}", at_ms, **fields, ingest_time=_time(hours * HOUR_MS)) for at, (at_ms, fields) in enumerate(late)
    ]
    return Told(replayed_lines([document], [*lines, tick(hours * HOUR_MS + 120_000)]))


def _time(at_ms: int) -> str:
    from tests.oracle.streams import START_MS
    from tests.oracle.times import format_time

    return format_time(START_MS + at_ms)


def hourly(hour: int, values: Iterable[Any], name: str = "px", **fields: Any) -> list[Row]:
    """One inference for each value of the feature (... = not sent), evenly over an hour."""
    found = list(values)
    return [
        (hour * HOUR_MS + at * HOUR_MS // len(found), {"features": {} if value is ... else {name: value}, **fields})
        for at, value in enumerate(found)
    ]


def normal(hours: int, shift: float = 0.0, sd: float = 1.0, seed: int = 1, first: int = 0) -> list[Row]:
    draws = np.random.default_rng(seed).normal(shift, sd, (hours, PER_HOUR)).round(6)
    return [row for hour, values in enumerate(draws.tolist(), first) for row in hourly(hour, values)]


DISTANCES = ("psi", "js", "ks", "wasserstein", "tv")


def drift(kind: str, **more: Any) -> Line:
    return monitor(f"drift.{kind}", {"type": kind, "feature": "px"}, {"investigate": {"p": 0.001}}, window="w1h", **more)


@pytest.fixture(scope="module")
def drifted() -> tuple[Told, Told]:
    watched = [drift(kind) for kind in DISTANCES]
    return told(watched, normal(5), 5), told(watched, normal(3) + normal(3, shift=1.2, seed=2, first=3), 6)


@pytest.mark.parametrize("kind", DISTANCES)
def test_a_shifted_feature_opens_an_incident_at_every_distance_and_a_quiet_one_at_none(kind, drifted):
    quiet, moved = drifted
    assert quiet.of(f"drift.{kind}")["verdict"] == "met"
    assert not quiet.opened(f"drift.{kind}")
    assert moved.of(f"drift.{kind}")["verdict"] == "breached"
    assert moved.opened(f"drift.{kind}") == ["investigate"]
    estimate = moved.of(f"drift.{kind}")["estimate"]
    assert estimate["lower"] <= estimate["value"] <= estimate["upper"]
    assert estimate["p"] < 1e-6
    assert estimate["e"] > 1e6
    assert estimate["n"] == PER_HOUR


def test_an_e_limit_is_multiplied_by_the_scopes_that_its_axes_declare():
    rows = [(at, {**fields, "context": {"age_years": 30}}) for at, fields in normal(1, shift=0.6)]
    limits = [(name, by) for name, by in (("whole", []), ("bands", ["age"]))]
    metric = {"type": "psi", "feature": "px"}
    (only,) = {told([monitor("m", metric, {"investigate": {"e": 1}}, window="w1h")], rows, 1).of("m")["estimate"]["e"]}
    watched = [
        monitor(name, metric, {"investigate": {"e": only * 0.999}, "pause": {"e": only * 0.999 / 3}}, window="w1h", by=by)
        for name, by in limits
    ]
    found = told(watched, rows, 1)
    assert found.of("whole")["levels"] == {"investigate": "breached", "pause": "breached"}
    assert found.of("bands", age="18-44")["levels"] == {"investigate": "met", "pause": "breached"}, "three bands are declared"


def test_absent_is_a_share_of_inferences_and_out_of_range_one_of_numbers():
    values = [0.5] * 20 + [9.0] * 5 + [None] * 10 + [-9] * 5 + [...] * 10
    watched = [
        monitor("absent", {"type": "absent_rate", "feature": "px"}, {"investigate": {"abs": 0.1}}, window="w1h"),
        monitor("range", {"type": "out_of_range_rate", "feature": "px"}, {"investigate": {"abs": 0.05}}, window="w1h"),
        monitor("unranged", {"type": "out_of_range_rate", "feature": "view"}, {"investigate": {"abs": 0.05}}, window="w1h"),
        monitor("missing", {"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.9}}, window="w1h"),
    ]
    found = told(watched, hourly(0, values), 1)
    estimates = {name: found.of(name)["estimate"] for name in ("absent", "range", "missing")}
    assert {name: (one["value"], one["n"]) for name, one in estimates.items()} == {
        "absent": (0.2, 50),
        "range": (0.2, 25),
        "missing": (0.375, 40),
    }
    assert found.of("absent")["verdict"] == "breached"
    assert found.of("range")["verdict"] == "breached"
    assert found.of("unranged")["reason"] == "unknown_reference"


# variance ---------------------------------------------------------------------------------------------------
def variance(limits: Line, window: str = "w1h", **metric: Any) -> Line:
    return monitor("var", {"type": "variance_ratio", "feature": "px", **metric}, limits, window=window)


def test_a_variance_that_collapses_is_seen_on_the_lower_tail_and_one_that_grows_on_the_upper():
    low = told([variance({"investigate": {"p": 1e-6}})], normal(3, sd=0.1), 3).of("var")
    assert low["verdict"] == "breached"
    assert low["estimate"]["value"] == pytest.approx(0.01, rel=0.5)
    assert told([variance({"investigate": {"p": 1e-6}})], normal(3, sd=3), 3).of("var")["verdict"] == "met"
    upper = variance({"investigate": {"p": 1e-6}}, tail="upper")
    assert told([upper], normal(3, sd=3), 3).of("var")["verdict"] == "breached"


def test_a_frozen_value_has_no_variance_however_it_is_rounded():
    found = told(
        [variance({"investigate": {"p": 1e-6}})], [row for hour in range(2) for row in hourly(hour, [1.2345678] * 60)], 2
    )
    assert found.of("var")["estimate"]["value"] == 0.0
    assert found.of("var")["verdict"] == "breached"


def test_one_wild_value_neither_hides_nor_makes_a_variance():
    frozen = hourly(0, [1.0] * 59 + [1e308])
    assert told([variance({"investigate": {"p": 1e-6}})], frozen, 1).of("var")["estimate"]["value"] < 1.0


FROZEN = [0.1, -0.5, 0.3, 2.0, -2.0]


def test_identical_windows_are_counted_over_those_that_hold_values_and_a_late_row_ends_the_run():
    watched = [variance({"investigate": {"p": 1e-9}, "pause": {"identical_windows": 3}})]
    rows = [row for hour in (0, 1, 3) for row in hourly(hour, FROZEN)]  # nothing in hour 2
    levels = told(watched, rows, 4).of("var")["levels"]
    assert levels["pause"] == "breached"
    assert told(watched, rows[5:], 4).of("var")["levels"]["pause"] == "met", "two are no run of three"
    late = [(HOUR_MS + 5, {"features": {"px": 0.1}})]
    assert told(watched, rows, 4, late=late).of("var")["levels"]["pause"] == "met"


def test_silence_after_identical_windows_is_no_good_news():
    watched = [variance({"pause": {"identical_windows": 3}})]
    rows = [row for hour in range(4) for row in hourly(hour, FROZEN)]
    found = told(watched, rows, 12)
    assert found.of("var")["verdict"] == "inconclusive"
    assert [line["state"] for line in found.incidents] == ["open"]


# charts -----------------------------------------------------------------------------------------------------
def chart(name: str, kind: str = "cusum", window: str = "w1h", h: float = 4.0, by: tuple[str, ...] = (), **metric: Any) -> Line:
    about = {"type": kind, "of": "feature_mean", "feature": "px"} | metric
    return monitor(name, about, {"investigate": {"h": h}}, window=window, by=list(by))


def test_charts_fold_the_standardised_mean_of_each_window():
    means = [0.2, -0.1, 0.4, 0.3]
    rows = [row for hour, mean in enumerate(means) for row in hourly(hour, [mean - 0.5, mean + 0.5] * 8)]
    watched = [chart("both"), chart("up", tail="upper"), chart("low", tail="lower"), chart("ewma", "ewma", **{"lambda": 0.25})]
    found = told([*watched, chart("given", mean=0.1, sd=0.2, k=0.25), chart("wide", dispersion=2.0)], rows, 4)
    high = low = smooth = given = wide = 0.0
    for mean in means:
        z = mean * math.sqrt(16)
        high, low, smooth = max(0.0, high + z - 0.5), max(0.0, low - z - 0.5), 0.75 * smooth + 0.25 * z
        given, wide = max(0.0, given + (mean - 0.1) / 0.2 - 0.25), max(0.0, wide + z / 2 - 0.5)
    expected = {"both": max(high, low), "up": high, "low": low, "ewma": smooth, "given": given, "wide": wide}
    assert {name: found.of(name)["estimate"]["value"] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert found.of("both")["estimate"]["n"] == 16


def test_a_slow_drift_that_no_single_window_shows_opens_the_chart_at_once():
    watched = [chart("slow", h=5.0), drift("psi")]
    found = told(watched, normal(14, shift=0.25, seed=4), 14)
    assert found.opened("slow") == ["investigate"]
    assert not found.opened("drift.psi")
    assert not told(watched, normal(14, seed=4), 14).opened("slow")


def test_a_late_row_gives_what_it_would_have_given_in_time():
    rows = normal(6, shift=0.2, seed=5)
    extra = [(HOUR_MS + 30_000 * at, {"features": {"px": 3.0}}) for at in range(20)]
    watched = [chart("hour"), chart("sliding", window="w6h"), chart("ewma", "ewma"), chart("down", tail="lower")]
    late, timely = told(watched, rows, 6, late=extra), told(watched, rows + extra, 6)
    assert late.lines == timely.lines
    assert late.of("hour")["estimate"]["value"] != told(watched, rows, 6).of("hour")["estimate"]["value"]


def test_a_scope_is_charted_against_its_own_reference():
    rows = [(at, {**fields, "device_context": {"vendor": "Beta"}}) for at, fields in normal(8, shift=0.8, seed=6)]

    def beta_is_different(document: Line) -> None:
        document["baselines"]["features"][0]["strata"]["vendor"]["Beta"] |= {"mean": 0.8, "sd": 1.0}

    watched = [chart("by", by=("vendor",)), chart("all")]
    found = told(watched, rows, 8, beta_is_different)
    assert found.of("all")["verdict"] == "breached"
    assert found.of("by", vendor="Beta")["verdict"] == "met"
    assert told(watched, rows, 8).of("by", vendor="Beta")["verdict"] == "breached"


def test_windows_without_values_fold_nothing_and_say_so():
    found = told([chart("hour")], normal(2, shift=1.0), 5)
    assert found.of("hour")["reason"] == "no_exposure"
    assert found.of("hour")["last_conclusive"]["window"]["end"].startswith("2026-03-02T02:00")


def test_a_rate_is_charted_as_a_share_of_its_figure():
    metric = {"type": "cusum", "of": "rate", "numerator": "alerts", "denominator": "encounters"}
    rows = [(hour * HOUR_MS + at * 60_000, {"score": 0.9 if at < 24 else 0.1}) for hour in range(3) for at in range(60)]
    found = told([monitor("rate", metric, {"investigate": {"h": 4}}, window="w1h")], rows, 3).of("rate")
    z = (0.4 - 0.25) / math.sqrt(0.25 * 0.75 / 60)
    assert found["estimate"]["value"] == pytest.approx(3 * (z - 0.5), rel=1e-9)
    assert found["verdict"] == "breached"


def test_a_rate_that_is_higher_every_march_is_no_incident_in_march():
    def seasonal(document: Line) -> None:
        document["baselines"]["metrics"] = [{"id": "alerts_per_100_encounters", "month_factor": [1, 1, 1.6] + [1] * 9}]

    metric = {"type": "cusum", "of": "rate", "numerator": "alerts", "denominator": "encounters"}
    watched = [monitor("rate", metric, {"investigate": {"h": 3}}, window="w1h")]
    rows = [(hour * HOUR_MS + at * 60_000, {"score": 0.9 if at < 24 else 0.1}) for hour in range(3) for at in range(60)]
    assert told(watched, rows, 3, seasonal).of("rate")["verdict"] == "met", "40 % is what March has"
    assert told(watched, rows, 3).of("rate")["verdict"] == "breached"
    harm = [(at, {"score": 0.9}) for at, _ in rows]
    assert told(watched, harm, 3, seasonal).opened("rate") == ["investigate"]


def test_alerts_that_are_more_frequent_every_march_are_no_burden_in_march():
    def seasonal(document: Line) -> None:
        document["baselines"]["metrics"] = [{"id": "alerts_per_100_encounters", "month_factor": [1, 1, 1.6] + [1] * 9}]

    metric = {"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"}
    watched = [monitor("burden", metric, {"investigate": {"rr_ci_lower_above": 1.1}}, window="w1h")]
    rows = [(hour * HOUR_MS + at * 20_000, {"score": 0.9 if at % 5 < 2 else 0.1}) for hour in range(3) for at in range(180)]
    found = told(watched, rows, 3, seasonal)
    assert found.of("burden")["estimate"]["value"] == pytest.approx(1.0), "40 % is what March has"
    assert found.opened("burden") == []
    assert told(watched, rows, 3).of("burden")["estimate"]["value"] == pytest.approx(1.6)
    assert told(watched, rows, 3).opened("burden") == ["investigate"]


def test_a_mean_score_is_charted_against_the_score_baseline():
    def with_moments(document: Line) -> None:
        document["baselines"]["score"] |= {"mean": 0.3, "sd": 0.2}

    rows = [(at * 60_000, {"score": 0.4}) for at in range(60)]
    metric = {"type": "cusum", "of": "score_mean"}
    found = told([monitor("score", metric, {"investigate": {"h": 3}}, window="w1h")], rows, 1, with_moments)
    assert found.of("score")["estimate"]["value"] == pytest.approx(0.1 / 0.2 * math.sqrt(60) - 0.5, rel=1e-6)


# mix, out of distribution, quality --------------------------------------------------------------------------
def known_mix(document: Line) -> None:
    entry = {"name": "vendor", "kind": "categorical", "n": 20000, "probs": {"Alpha": 0.5, "Beta": 0.4, "other": 0.1}}
    document["baselines"]["features"].append(entry)


def vendors(*counts: tuple[str | None, int]) -> list[Row]:
    names = [name for name, count in counts for _ in range(count)]
    return [
        (at * 1000, {"device_context": {"vendor": name} if name is not None else {}, "features": {}})
        for at, name in enumerate(names)
    ]


def mix(limits: Line, **more: Any) -> Line:
    return monitor("mix", {"type": "mix_shift", "axis": "vendor"}, limits, window="w1h", **more)


def test_another_mix_of_vendors_is_a_mix_shift_and_the_expected_one_is_none():
    watched = [mix({"investigate": {"p": 0.001}, "pause": {"e": 1000}})]
    same = told(watched, vendors(("Alpha", 101), ("Beta", 78), ("Gamma", 21), (None, 50)), 1, known_mix).of("mix")
    assert (same["verdict"], same["estimate"]["n"]) == ("met", 200), "who is unknown is in no mix"
    other = told(watched, vendors(("Alpha", 20), ("Beta", 130), ("Gamma", 40), ("Delta", 10)), 1, known_mix).of("mix")
    assert other["levels"] == {"investigate": "breached", "pause": "breached"}
    assert other["estimate"]["value"] == pytest.approx(0.4, abs=0.01)


def test_a_mix_that_the_manifest_does_not_state_is_an_unknown_reference():
    assert told([mix({"investigate": {"p": 0.001}})], vendors(("Alpha", 60)), 1).of("mix")["reason"] == "unknown_reference"


def odd(scores: Iterable[float | None]) -> list[Row]:
    return [
        (at * 1000, {} if score is None else {"ood_score": score, "input_quality": 1 - score}) for at, score in enumerate(scores)
    ]


def test_out_of_distribution_is_a_share_of_those_that_say_so_and_strictly_above_the_threshold():
    def expected(document: Line) -> None:
        document["baselines"]["operational"] |= {"ood_share": 0.02, "input_quality_mean": 0.6}

    scores = [0.95] * 12 + [0.9] * 30 + [0.2] * 58 + [None] * 40
    watched = [
        monitor(
            "ood", {"type": "ood_share", "threshold": 0.9}, {"investigate": {"ci_lower_above": 0.05, "p": 0.001}}, window="w1h"
        ),
        monitor("quality", {"type": "quality_mean"}, {"investigate": {"ci_upper_below": 0.6}, "pause": {"p": 0.5}}, window="w1h"),
    ]
    found = told(watched, odd(scores), 1, expected)
    share, quality = found.of("ood")["estimate"], found.of("quality")["estimate"]
    assert (share["value"], share["n"]) == (0.12, 100)
    assert found.of("ood")["verdict"] == "breached"
    sent = np.array([1 - score for score in scores if score is not None])
    assert quality["value"] == pytest.approx(sent.mean(), abs=1e-6)
    error = sent.std(ddof=1) / 10 / (sent.mean() * (1 - sent.mean()))
    assert logit(quality["upper"]) - logit(quality["value"]) == pytest.approx(stats.t.ppf(0.975, 99) * error, abs=1e-4)
    assert found.of("quality")["levels"] == {
        "investigate": "breached" if quality["upper"] < 0.6 else "inconclusive",
        "pause": "breached",
    }


def test_without_a_figure_to_compare_with_the_number_stands_and_its_p_is_inconclusive():
    watched = [monitor("ood", {"type": "ood_share", "threshold": 0.9}, {"investigate": {"p": 0.001}}, window="w1h")]
    found = told(watched, odd([0.95] * 50), 1).of("ood")
    assert (found["verdict"], found["estimate"]["value"]) == ("inconclusive", 1.0)


# nothing there ----------------------------------------------------------------------------------------------
def test_every_monitor_has_a_status_line_where_nothing_it_asks_for_was_sent():
    watched = [
        *(drift(kind) for kind in DISTANCES),
        variance({"investigate": {"p": 0.01}}),
        chart("cusum"),
        chart("ewma", "ewma"),
        mix({"investigate": {"p": 0.01}}),
        monitor("ood", {"type": "ood_share", "threshold": 0.9}, {"investigate": {"above": 0.1}}, window="w1h", by=["site"]),
        monitor("quality", {"type": "quality_mean"}, {"investigate": {"below": 0.5}}, window="w1h", by=["site"]),
    ]
    found = told(watched, [(at * 1000, {}) for at in range(30)], 1, known_mix)
    ids = ["drift.psi", "drift.js", "drift.ks", "drift.tv", "drift.wasserstein", "var", "cusum", "ewma", "mix"]
    assert {found.of(name)["reason"] for name in ids} == {"no_exposure"}
    assert {found.of(name, site="s")["reason"] for name in ("ood", "quality")} == {"no_exposure"}
