"""Charts of labels, folded as the evaluator does: days between their false alarms, and days until they signal a harm."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

from detectors.bernoulli_cusum import false_alert_parameters, miss_parameters, run_length
from detectors.folded_run_length import FEW_STATES, Batches, FoldedChart, mean_days_of_chart
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.label_folding import LabelFolding, folding_of
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum

_HORIZONS_DAYS = (5.0, 60.0, 730.0)


class LabelChart:
    """A Bernoulli CUSUM in a scope with `share` of the volume, under the coverage that labels have."""

    def __init__(self, manifest: Manifest, metric: BernoulliCusum, field: FieldAssumptions, share: float) -> None:
        self._manifest, self._metric, self._field, self._share = manifest, metric, field, share
        self._a_day = field.per_day * share

    def arl0_days(self, h: float) -> float:
        """Mean days between false alarms of the chart label by label, as `design.arl0_days` states them; infinite where it
        never signals. What the evaluator does is `days_between_false_alarms`.

        Raises:
            ValueError: there is no such chart.
        """
        p = self._seen(self._metric.p0)
        p0, p1 = self._tested()
        return _run_length(p0, p1, p, h) / max(self._labels_a_day(self._metric.p0), 1e-12)

    def days_between_false_alarms(self, h: float) -> float:
        """Mean days between false alarms as labels fold, the chart starting at 0 after each; infinite where it never signals.

        Raises:
            ValueError: there is no such chart.
        """
        batches = self._batches(self._metric.p0)
        if self._folding is None or batches is None:
            return math.inf
        return mean_days_of_chart(*self._tested(), self._seen(self._metric.p0), h, batches[0], self._folding.panes, batches[1])

    @property
    def how(self) -> str:
        """What run length that is, in words."""
        if self._folding is None:
            return "none: no day of labels ever becomes mature"
        if not self._folding.at_once:
            return "run length of the chart, a pane's labels at a time"
        later = "" if self._folding.at_once > 1 - 1e-9 else ", later ones by the pane"
        return f"run length of the chart, a day's labels at a time{later}"

    @property
    def delay_days(self) -> float:
        """Days that pass before the labels of a time fold: until they arrive, or from the end of a day until it is mature."""
        return 0.0 if self._folding is None else self._folding.wait_h / 24

    def days(self, p: float, h: float, power: float) -> float | None:
        """Days of labels until the chart signals with this probability when the event's probability is `p`, from 0 on and without
        the delay; None = beyond two years, or there is no such chart."""
        found = (self._days(p, h, power, horizon) for horizon in _HORIZONS_DAYS)
        return next((days for days in found if days is not None), None)

    def signals_within(self, p: float, h: float, power: float, days: float) -> bool:
        """Whether it does so in so many days of labels."""
        return self._days(p, h, power, days) is not None

    def _days(self, p: float, h: float, power: float, horizon_days: float) -> float | None:
        batches = self._batches(p)
        if self._folding is None or batches is None:
            return None
        try:
            chart = FoldedChart(*self._tested(), self._seen(p), h, batches[0], self._folding.panes, batches[1], FEW_STATES)
        except ValueError:
            return None
        return chart.days(power, horizon_days)

    @cached_property
    def _folding(self) -> LabelFolding | None:
        return folding_of(self._manifest, self._metric, self._field)

    def _batches(self, p: float) -> tuple[Batches, Batches | None] | None:
        """Labels of a pane, and of a day as far as they fold at once; None where there are none."""
        folding, labels = self._folding, self._labels_a_day(p)
        if folding is None or labels <= 0:
            return None
        excess = max(0.0, self._field.volume_dispersion - 1.0) * self._share * labels / self._a_day
        later = folding.pane_volumes.times(labels * (1 - folding.at_once) / folding.panes)
        later = later._replace(excess=excess * (1 - folding.at_once))
        if not folding.at_once:
            return later, None
        return later, folding.days.times(labels * folding.at_once)._replace(excess=excess * folding.at_once)

    def _tested(self) -> tuple[float, float]:
        if self._metric.verification_correction != "begg_greenes":
            return self._metric.p0, self._metric.p1
        return self._seen(self._metric.p0), self._seen(self._metric.p1)

    def _seen(self, p: float) -> float:
        """Probability of the event among labelled cases."""
        labelled = miss_parameters if self._metric.event == "miss" else false_alert_parameters
        return float(labelled(p, self._field.coverage_unflagged, self._field.coverage_flagged))

    def _labels_a_day(self, p: float) -> float:
        """Labels of cases that could be the event: positives for misses, negatives for false alerts, actioned alerts."""
        field, miss = self._field, self._metric.event == "miss"
        if self._metric.event == "override":
            return self._a_day * field.alert_rate
        cases = self._a_day * (field.prevalence if miss else 1 - field.prevalence)
        as_event, else_ = (field.coverage_unflagged, field.coverage_flagged)[:: 1 if miss else -1]
        return cases * (p * as_event + (1 - p) * else_)


@lru_cache(maxsize=256)
def _run_length(p0: float, p1: float, p: float, h: float) -> float:
    """Remembered: it is solved for in a tenth of a second or more."""
    return run_length(p0, p1, p, h)
