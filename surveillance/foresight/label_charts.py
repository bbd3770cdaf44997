"""Charts that fold labels one by one: days between their false alarms, and days until they signal a harm."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from detectors.bernoulli_cusum import false_alert_parameters, miss_parameters, run_length, weights
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import chance
from surveillance.manifest.metrics_performance import BernoulliCusum

_PATHS = 200
_STEPS = 1500
_HORIZONS_DAYS = (5.0, 60.0, 730.0)


class LabelChart:
    """A Bernoulli CUSUM in a scope with `share` of the volume, under the coverage that labels have."""

    def __init__(self, metric: BernoulliCusum, field: FieldAssumptions, share: float) -> None:
        self._metric, self._field = metric, field
        self._a_day = field.per_day * share

    def arl0_days(self, h: float) -> float:
        """Mean days between false alarms; infinite where the chart never signals.

        Raises:
            ValueError: there is no such chart.
        """
        p = self._seen(self._metric.p0)
        p0, p1 = self._tested()
        return _run_length(p0, p1, p, h) / max(self._labels_a_day(self._metric.p0), 1e-12)

    def days(self, p: float, h: float, power: float) -> float | None:
        """Days until the chart signals with this probability when the event's probability is `p`; None = beyond two years."""
        found = (self._days(p, h, power, horizon) for horizon in _HORIZONS_DAYS)
        return next((days for days in found if days is not None), None)

    def signals_within(self, p: float, h: float, power: float, days: float) -> bool:
        """Whether it does so in so many days."""
        return self._days(p, h, power, days) is not None

    def _days(self, p: float, h: float, power: float, horizon_days: float) -> float | None:
        labels_a_day = max(self._labels_a_day(p), 1e-12)
        block = max(1, math.ceil(labels_a_day * horizon_days / _STEPS))
        steps = min(_STEPS, max(1, math.ceil(labels_a_day * horizon_days / block)))
        event, nonevent = (float(weight) for weight in weights(*self._tested()))
        # The draws are the same for every probability; labels of a block fold at once, as those of a pane do.
        events = chance("label chart").binomial(block, self._seen(p), (_PATHS, steps))
        total = np.cumsum(events * event + (block - events) * nonevent, axis=1)
        above = total - np.minimum(np.minimum.accumulate(total, axis=1), 0.0) >= h
        first = np.where(above.any(axis=1), above.argmax(axis=1), steps)
        at = int(np.sort(first)[math.ceil(power * _PATHS) - 1])
        return None if at == steps else (at + 1) * block / labels_a_day

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
