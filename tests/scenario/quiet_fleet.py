"""A fleet in which all is well, as pane rows drawn with the numbers that its manifest states, and judged as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.incidents.lines import Line
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.lengths import length_of
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import FeatureTail, Label, Shape, Use
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.times import DAY_MS, HOUR_MS

Document = dict[str, Any]
Ints = np.ndarray
START_MS = 1_767_571_200_000
"""2026-01-05T00:00:00Z, a Monday."""
SITES = tuple(f"site-{number}" for number in range(6))
A_DAY, DISPERSION = 3000.0, 1.5
PROBS = (0.16, 0.34, 0.34, 0.16)
MISSING, ALERTS, PREVALENCE, SENSITIVITY, SPECIFICITY = 0.01, 0.12, 0.08, 0.9, 0.93


def manifest() -> Document:
    """Windowed monitors of every kind of interval and a chart, by site and over all, within a stated budget."""
    by_site = {"by": ["site"]}
    monitors = [
        {"id": "drift", "metric": {"type": "psi", "feature": "px"}, "window": "day", **by_site,
         "limits": {"investigate": {"p": 0.01, "effect_min": 0.01}, "pause": {"p": 1e-5, "effect_min": 0.1}}},
        {"id": "missing", "metric": {"type": "missing_rate", "feature": "px"}, "window": "hour", **by_site,
         "limits": {"investigate": {"ratio_to_baseline": 2}, "pause": {"abs": 0.1}}},
        {"id": "burden", "metric": {"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"},
         "window": "hour", **by_site, "limits": {"investigate": {"rr_ci_lower_above": 1.1}, "pause": {"rr_ci_lower_above": 1.5}}},
        {"id": "sensitivity", "metric": {"type": "proportion_vs_floor", "event": "sensitivity"}, "window": "month", **by_site,
         "limits": {"investigate": {"ci_upper_below": 0.9}, "pause": {"ci_upper_below": 0.85}}},
        {"id": "calibration", "metric": {"type": "observed_expected"}, "window": "month", **by_site,
         "interval": {"level": 0.98}, "limits": {"investigate": {"outside": [0.95, 1.05]}, "pause": {"outside": [0.7, 1.4]}}},
        {"id": "slow", "metric": {"type": "cusum", "of": "feature_mean", "feature": "px", "k": 0.5}, "window": "day",
         "limits": {"investigate": {"h": 5}}},
    ]  # fmt: skip
    bins = {"edges": [-4, -1, 0, 1, 4], "probs": list(PROBS)}
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-quiet", "revision": 1,
        "status": "approved",
        "release": {"release_id": "r-1", "datasets": {"monitoring_baseline": {"n": 1_000_000}}},
        "strata": {"axes": [{"id": "site", "source": "site_id", "values": list(SITES)}], "min_sample": {"inferences": 100},
                   "below_min": "accumulate", "multiplicity": {"method": "benjamini_hochberg"}},
        "baselines": {
            "features": [{"name": "px", "missing": MISSING, "bins": bins, "mean": 0.0, "sd": 1.0}],
            "prevalence": PREVALENCE,
            "metrics": [{"id": "sensitivity", "overall": SENSITIVITY}, {"id": "specificity", "overall": SPECIFICITY}],
            "operational": {"alerts_per_100_encounters": 100 * ALERTS, "expected_volume": {
                "per": "overall", "hour_of_week": {"all": [A_DAY / 24] * 168}, "dispersion": DISPERSION}},
            "label_latency": {"expected_coverage": 1.0, "verification_default": "routine"},
        },
        "hazards": [{"id": "HZ-1"}], "owners": {"safety_officer": {"primary": "user-1"}},
        "playbooks": {"PB": {"steps": ["decide"]}},
        "surveillance": {
            "windows": [{"id": "hour", "size": "PT1H"}, {"id": "day", "size": "P1D"},
                        {"id": "month", "size": "P28D", "slide": "P1D"}],
            "false_alarm_budget": {"per_30_days": {"investigate": 5, "pause": 0.1}},
            "monitors": [one | {"hazard_id": "HZ-1", "playbook": "PB"} for one in monitors],
        },
    }  # fmt: skip


class Harm(NamedTuple):
    """From `day` on one site misses more positives."""

    day: int
    sensitivity: float


def incidents_of(document: Document, days: int, seed: int, harm: Harm | None = None) -> list[Line]:
    """Every incident line of so many days, judged each midnight."""
    registration = registration_of(document, "quiet")
    evaluator, draws, found = Evaluator(Registry([registration])), np.random.default_rng(seed), []
    for day in range(days):
        evaluator.take(list(_rows(registration.digest, registration.plan.manifest, draws, day, harm)))
        end_ms = START_MS + (day + 1) * DAY_MS
        found += [one.line for one in evaluator.judge(Moment(end_ms, end_ms, end_ms)).decisions]
    return found


def raised(lines: Sequence[Line]) -> Counter[str]:
    """How often an incident was raised to each level."""
    level: dict[str, str] = {}
    found: Counter[str] = Counter()
    for line in lines:
        if line["state"] == "open" and level.get(line["incident_id"]) != line["level"]:
            found[line["level"]] += 1
        level[line["incident_id"]] = line["level"]
    return found


def _rows(digest: str, manifest: Any, draws: np.random.Generator, day: int, harm: Harm | None) -> Iterator[PaneRow]:
    def row(statistic: str, group: str, at_ms: int, counts: Sequence[int] | Ints) -> PaneRow:
        return PaneRow(PaneKey("default", digest, 0, statistic, group, at_ms), day, np.asarray(counts, np.int64))

    whole = np.zeros(length_of(manifest, f"{statistics.SHAPE}:px"), np.int64)
    for number, site in enumerate(SITES):
        group = group_text(["site"], [site])
        of_day = np.zeros(len(PROBS) + len(FeatureTail), np.int64)
        cases = 0
        for hour in range(24):
            at_ms = START_MS + day * DAY_MS + hour * HOUR_MS
            mean, excess = A_DAY / 24 / len(SITES), (DISPERSION - 1) / len(SITES)
            n = int(draws.poisson(draws.gamma(mean / excess) * excess))
            cases += n
            feature = _feature(draws, n)
            of_day += feature
            use = np.zeros(len(Use), np.int64)
            use[[Use.INFERENCES, Use.ENCOUNTERS, Use.ALERTS]] = n, n, draws.binomial(n, ALERTS)
            # The plan keeps a statistic in panes as wide as all of its readers allow: hours for these.
            yield row(f"{statistics.FEATURE}:px", group, at_ms, feature)
            yield row(statistics.USE, group, at_ms, use)
            yield row(statistics.SPAN, "", at_ms, [1])
        whole += _shape(draws, of_day)
        misses = harm is not None and day >= harm.day and number == 0
        labels = _labels(draws, cases, harm.sensitivity if harm is not None and misses else SENSITIVITY)
        yield row(statistics.LABELS, group, START_MS + day * DAY_MS, labels)
    yield row(f"{statistics.SHAPE}:px", "", START_MS + day * DAY_MS, whole)


def _feature(draws: np.random.Generator, n: int) -> Ints:
    missing = int(draws.binomial(n, MISSING))
    tail = np.zeros(len(FeatureTail), np.int64)
    tail[[FeatureTail.MISSING, FeatureTail.SENT, FeatureTail.NUMBERS]] = missing, n, n - missing
    return np.concatenate([draws.multinomial(n - missing, PROBS), tail])


def _shape(draws: np.random.Generator, of_day: Ints) -> Ints:
    present = int(of_day[len(PROBS) + FeatureTail.NUMBERS])
    tail = np.zeros(len(Shape), np.int64)
    tail[[Shape.NUMBERS, Shape.SUM_MICRO]] = present, round(draws.normal(0.0, np.sqrt(present)) * 1e6)
    return np.concatenate([of_day[: len(PROBS)], tail])


def _labels(draws: np.random.Generator, cases: int, sensitivity: float) -> Ints:
    """Every case labelled, scores well calibrated: their sum is near the positives by less than chance alone would be."""
    counts = np.zeros(2 * len(Label), np.int64)
    positives = int(draws.binomial(cases, PREVALENCE))
    caught, alarms = int(draws.binomial(positives, sensitivity)), int(draws.binomial(cases - positives, 1 - SPECIFICITY))
    expected = positives + draws.normal(0.0, np.sqrt(cases * PREVALENCE * 0.5))
    for flag, (negative, positive) in enumerate([(cases - positives - alarms, positives - caught), (alarms, caught)]):
        at = flag * len(Label)
        counts[[at + Label.INFERENCES, at + Label.NEGATIVES, at + Label.POSITIVES]] = negative + positive, negative, positive
        counts[at + Label.VERIFIED] = negative + positive
    counts[Label.SCORE_MICRO] = round(max(expected, 0.0) * 1e6)
    return counts
