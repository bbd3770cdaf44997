"""Poisson MaxSPRT before release: what its levels would signal falsely, and how soon they would see a risk that has risen."""

from __future__ import annotations

from collections.abc import Callable

from detectors.maxsprt_poisson import performance
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.manifest.metrics_safety import MaxSprtPoisson

_YEAR_DAYS = 365.0
_BISECTIONS = 12


class SafetyTest:
    """A MaxSPRT in a scope with `share` of the uses of the field as assumed; mu grows with them."""

    def __init__(self, metric: MaxSprtPoisson, field: FieldAssumptions, share: float) -> None:
        self._metric = metric
        self.mu_a_day = max(metric.rr0 * metric.expected_per_10k / 10_000 * field.per_day * share, 1e-12)

    @property
    def horizon_days(self) -> float:
        """Days until T is used up."""
        return self._metric.horizon / self.mu_a_day

    def false_alarms_per_30_days(self, llr: float) -> float:
        """Mean over the first year, or over the test's life where that is shorter."""
        days = min(_YEAR_DAYS, self.horizon_days)
        return self._signals(llr, days, 1.0) * 30 / days

    def days(self, llr: float, relative_risk: float, power: float) -> float | None:
        """Days until the test signals with this probability under a relative risk; None = not before T is used up."""
        if self._signals(llr, self.horizon_days, relative_risk) < power:
            return None
        return _smallest(lambda days: self._signals(llr, days, relative_risk) >= power, self.horizon_days)

    def smallest(self, llr: float, within_days: float, power: float, largest: float) -> float | None:
        """The smallest relative risk that it sees in so many days; None where not even the largest."""
        days = min(within_days, self.horizon_days)
        if self._signals(llr, days, largest) < power:
            return None
        return _smallest(lambda risk: self._signals(llr, days, risk) >= power, largest)

    def _signals(self, llr: float, days: float, relative_risk: float) -> float:
        try:
            found = performance(
                llr, days * self.mu_a_day, relative_risk=relative_risk, minimum_events=self._metric.minimum_events
            )
        except ValueError:
            return 0.0
        return found.power


def _smallest(holds: Callable[[float], bool], high: float) -> float:
    low = 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
