"""Pane rows of a made-up fleet of a thousand sites, as workers would store them: one day, and what its windows reach back to.

Each site has a gateway with one device, which beats once a minute. The counts are drawn; no event is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Float, Int
from surveillance.manifest.parse import load_manifest
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.log_bins import LONGEST_DELAY_MS, LONGEST_OFFSET_MS, log_bins, log_edges
from surveillance.panes.plan import DAY_AXIS, Plan, plan_of
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import BEAT_SLOTS, Beats, Statistic
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS

MANIFEST = Path(__file__).with_name("sites.manifest.yaml")
PARTITIONS = 8
PER_SITE_AND_DAY = 100
"""Inferences."""
FINE_DAYS, COARSE_DAYS = 3, 28
"""Days before the day itself for which panes shorter than a day, and daily panes, are there."""

_OF_SITE = frozenset({"site", "@site", "device", "gateway"})
_LEVELS: Mapping[str, Sequence[str]] = {
    "age_band": ("18-44", "45-64", "65-74", "75+"),
    "sex": ("F", "M"),
    "setting": ("ED", "inpatient"),
    "scanner_vendor": ("VendorA", "VendorB", "VendorC"),
    "@vendor": ("VendorA", "VendorB", "VendorC"),
    "@firmware": ("7.1.4", "7.2.0"),
}
_MICRO, _NANO = 1_000_000, 1_000_000_000


def sites_plan() -> Plan:
    """The plan of the manifest that the sites run."""
    manifest, _, digest = load_manifest(MANIFEST)
    return plan_of(manifest, digest)


@dataclass(frozen=True)
class Sites:
    """So many sites on a day that starts at `day_ms`."""

    plan: Plan
    sites: int
    day_ms: int
    seed: int = 1

    def before(self) -> Iterator[PaneRow]:
        """Rows of the days before."""
        for statistic in self._counted():
            days = FINE_DAYS if statistic.pane_ms < DAY_MS else COARSE_DAYS
            yield from self._rows(statistic, self.day_ms - days * DAY_MS, self.day_ms)
        for device in range(self.sites):
            yield self._beats(device, self.day_ms - HOUR_MS, BEAT_SLOTS)

    def by_minute(self) -> list[list[PaneRow]]:
        """Rows that are new with each minute of the day: those of panes that end with it, and the heartbeats."""
        minutes: list[list[PaneRow]] = [[] for _ in range(DAY_MS // MINUTE_MS)]
        for statistic in self._counted():
            for row in self._rows(statistic, self.day_ms, self.day_ms + DAY_MS):
                minutes[(row.key.pane_ms + statistic.pane_ms - self.day_ms) // MINUTE_MS - 1].append(row)
        return minutes

    def beats(self, minute: int) -> list[PaneRow]:
        """The heartbeats of one minute of the day: the row of each device, grown by a beat."""
        hour, slots = divmod(minute, BEAT_SLOTS)
        return [self._beats(device, self.day_ms + hour * HOUR_MS, slots + 1) for device in range(self.sites)]

    def _counted(self) -> list[Statistic]:
        return [one for one in self.plan.statistics if one.family != statistics.BEATS]

    def _beats(self, device: int, pane_ms: int, slots: int) -> PaneRow:
        counts = np.zeros((len(Beats), BEAT_SLOTS), np.int64)
        counts[[Beats.INSIDE, Beats.ANY_EVENT], :slots] = 1
        group = group_text(("device", "gateway"), (f"device-{device:04d}", f"gateway-{device:04d}"))
        key = PaneKey("default", self.plan.digest, device % PARTITIONS, statistics.BEATS, group, pane_ms)
        return PaneRow(key, _version(pane_ms + slots * MINUTE_MS), counts.reshape(-1))

    def _rows(self, statistic: Statistic, start_ms: int, end_ms: int) -> Iterator[PaneRow]:
        panes = np.arange(start_ms, end_ms, statistic.pane_ms)
        draw = _DRAWN.get(statistic.family, _all_in_the_first_column)
        for number, axes in enumerate(statistic.axis_sets):
            rng = np.random.default_rng([self.seed, number, start_ms, *statistic.id.encode()])
            for partition in range(PARTITIONS):
                groups = list(self._groups(axes, partition))
                if not groups:
                    continue  # fewer sites than partitions
                inferences = self.sites * PER_SITE_AND_DAY * statistic.pane_ms / DAY_MS / PARTITIONS
                n = rng.poisson(_SHARES.get(statistic.family, 1.0) * inferences / len(groups), (len(panes), len(groups)))
                at_pane, at_group = np.nonzero(n)
                counts = draw(self.plan, statistic, n[at_pane, at_group], rng)
                for pane, group, vector in zip(panes[at_pane].tolist(), at_group.tolist(), counts, strict=True):
                    text = groups[group] if DAY_AXIS not in axes else f"{DAY_AXIS}={pane // DAY_MS}"
                    key = PaneKey("default", self.plan.digest, partition, statistic.id, text, pane)
                    yield PaneRow(key, _version(pane + statistic.pane_ms), vector)

    def _groups(self, axes: Sequence[str], partition: int) -> Iterator[str]:
        """Texts of the groups that a partition holds; those of a site go with it."""
        free = [axis for axis in axes if axis not in _OF_SITE and axis != DAY_AXIS]
        mine = range(partition, self.sites, PARTITIONS) if any(axis in _OF_SITE for axis in axes) else [0]
        for site, levels in product(mine, product(*(_LEVELS[axis] for axis in free))):
            of_site = {axis: f"{axis.strip('@')}-{site:04d}" for axis in axes if axis in _OF_SITE}
            named = of_site | dict(zip(free, levels, strict=True))
            yield group_text(list(named), list(named.values()))


_SHARES = {statistics.DELAYS: 0.118}
"""Where only some inferences are counted: alerts."""


def _version(end_ms: int) -> int:
    """An offset that grows with time."""
    return end_ms // 1_000


Draw = Callable[[Plan, Statistic, Int, np.random.Generator], Int]
"""Counts of rows (R, length), each of so many inferences (R,)."""


def _all_in_the_first_column(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    counts = np.zeros((len(n), statistic.length), np.int64)
    counts[:, 0] = n
    return counts


def _use(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    counts, use = _all_in_the_first_column(plan, statistic, n, rng), statistics.Use
    counts[:, use.ENCOUNTERS] = n
    for column in (use.ALERTS, use.ALERT_ONSETS, use.DELIVERED):
        counts[:, column] = rng.binomial(n, 0.118) if column == use.ALERTS else counts[:, use.ALERTS]
    counts[:, use.ACTIONED_ALERTS] = counts[:, use.ACKS] = rng.binomial(counts[:, use.ALERTS], 0.95)
    counts[:, use.OVERRIDES] = rng.binomial(counts[:, use.ACTIONED_ALERTS], 0.14)
    counts[:, use.LABELLED] = rng.binomial(n, 0.87)
    return counts


def _binned(tail: Callable[[Int, np.random.Generator], Sequence[Int]]) -> Draw:
    """Bins as the reference has them, then the columns of `tail`."""

    def draw(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
        columns = tail(n, rng)
        bins = statistic.length - len(columns)
        shares = _reference(plan, statistic, bins)
        return np.column_stack([rng.multinomial(n, shares), *columns]).astype(np.int64)

    return draw


def _reference(plan: Plan, statistic: Statistic, bins: int) -> Float:
    baselines, name = plan.manifest.baselines, statistic.id.rsplit(":", 1)[-1]
    baseline = baselines.feature(name) or baselines.score
    distribution = baseline.distribution if baseline is not None else None
    shares: Float = np.asarray(distribution.probs if distribution is not None else np.ones(bins), np.float64)
    normalised: Float = shares / shares.sum()
    return normalised


def _feature_tail(n: Int, rng: np.random.Generator) -> list[Int]:
    nothing = np.zeros_like(n)
    return [rng.binomial(n, 0.001), nothing, nothing, nothing, n, n]


def _score_tail(n: Int, rng: np.random.Generator) -> list[Int]:
    return [rng.binomial(n, 0.02), rng.binomial(n, 0.001), n]


def _shape_tail(n: Int, rng: np.random.Generator) -> list[Int]:
    total = rng.normal(0.0, np.sqrt(n))
    square = n + rng.normal(0.0, np.sqrt(2.0 * n))
    sums = (total * _MICRO, total * _NANO, np.maximum(square, 0.0) * _NANO, 0.0 * n, 3e8 * n)
    return [n, *(np.rint(one).astype(np.int64) for one in sums)]


def _labels(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    label, counts = statistics.Label, np.zeros((len(n), statistic.length), np.int64)
    flagged = rng.binomial(n, 0.118)
    for flag, (inferences, score) in enumerate(((n - flagged, 0.02), (flagged, 0.4))):
        labelled = rng.binomial(inferences, 0.88)
        positive = rng.binomial(labelled, score)
        micro = {
            label.SCORE_MICRO: labelled * score,
            label.SQUARE_MICRO: labelled * score * (1 - score),
            label.QUARTIC_MICRO: labelled * score * (1 - score) / 2,
            label.SPIEGELHALTER_MICRO: (positive - labelled * score) * (1 - 2 * score),
            label.SPIEGELHALTER_VARIANCE_MICRO: labelled * score * (1 - score) * (1 - 2 * score) ** 2,
        }
        whole = {
            label.INFERENCES: inferences,
            label.NEGATIVES: labelled - positive,
            label.POSITIVES: positive,
            label.VERIFIED: labelled,
        }
        for column, values in (whole | {name: np.rint(value * _MICRO).astype(np.int64) for name, value in micro.items()}).items():
            counts[:, flag * len(label) + column] = values
    return counts


def _label_scores(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    head, counts = len(statistics.LabelScoreHead), np.zeros((len(n), statistic.length), np.int64)
    for row, rows in enumerate(n.tolist()):
        score = np.rint(rng.beta(0.3, 4.5, rows) * _MICRO).astype(np.int64)
        at, label = sketch_bin(score), (rng.random(rows) * _MICRO < score).astype(np.int64)
        flag = (score >= 0.42 * _MICRO).astype(np.int64)
        place = head + (2 * flag + label) * SKETCH_BINS + at
        counts[row] = np.bincount(place, minlength=statistic.length)
        counts[row, statistics.LABEL_SUM_AT :] = np.bincount(at, weights=score, minlength=SKETCH_BINS).astype(np.int64)
        counts[row, :head] = rows - flag.sum(), flag.sum(), rows - flag.sum()
    return counts


def _flow(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    inferences_of_day = rng.multinomial(n, [0.82, 0.118, 0.062])
    labelled = rng.multinomial(n, [0.80, 0.005, 0.06, 0.055, 0.08])[:, :4]
    return np.column_stack([inferences_of_day[:, :2], labelled, n // 10, n // 80]).astype(np.int64)


def _arrivals(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    return np.column_stack([n, rng.binomial(n, 0.9), rng.binomial(n, 0.88)]).astype(np.int64)


def _lowest(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    """A certificate that ends in seventy years, said in the last slot."""
    counts = np.zeros((len(n), statistic.length), np.int64)
    counts[:, statistics.Lowest.HEARTBEATS * BEAT_SLOTS + BEAT_SLOTS - 1] = 1
    counts[:, statistics.Lowest.SUM_MILLI * BEAT_SLOTS + BEAT_SLOTS - 1] = 4_000_000_000_000
    return counts


def _delays(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    """All of a row's alerts are acknowledged after the same wait, a fiftieth of them never."""
    head = len(statistics.Delays)
    bins = (statistic.length - head) // 2
    counts = np.zeros((len(n), statistic.length), np.int64)
    acknowledged, row = rng.binomial(n, 0.98), np.arange(len(n))
    wait_ms = np.rint(np.exp(rng.normal(np.log(95_000), 1.0, len(n)))).astype(np.int64)
    place = log_bins(log_edges(statistic.subject, LONGEST_DELAY_MS), wait_ms)
    counts[:, :head] = np.stack([n, n * 30_000, acknowledged, acknowledged * 30_000], axis=1)
    counts[row, head + place], counts[row, head + bins + place] = acknowledged, acknowledged * wait_ms
    return counts


def _clocks(plan: Plan, statistic: Statistic, n: Int, rng: np.random.Generator) -> Int:
    """Clocks are a few seconds off."""
    bins, counts, row = statistic.length // 2, np.zeros((len(n), statistic.length), np.int64), np.arange(len(n))
    offset_ms = rng.integers(100, 9_000, len(n))
    place = log_bins(log_edges(statistic.subject, LONGEST_OFFSET_MS), offset_ms)
    counts[row, place], counts[row, bins + place] = n, n * offset_ms
    return counts


_DRAWN: Mapping[str, Draw] = {
    statistics.USE: _use,
    statistics.FEATURE: _binned(_feature_tail),
    statistics.SCORE: _binned(_score_tail),
    statistics.SHAPE: _binned(_shape_tail),
    statistics.SPREAD: _binned(lambda n, rng: []),
    statistics.LABELS: _labels,
    statistics.LABEL_SCORES: _label_scores,
    statistics.FLOW: _flow,
    statistics.ARRIVALS: _arrivals,
    statistics.DELAYS: _delays,
    statistics.CLOCKS: _clocks,
    statistics.LOWEST: _lowest,
}
"""By family; of the others all that counts is the first column."""
