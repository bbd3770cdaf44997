"""`volume_vs_expected`: no inference at all is a count, so that every closed window is judged, whether it holds rows or not."""

from __future__ import annotations

import numpy as np

from surveillance.evaluation.estimators.request import Request
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.judging import Judged, Moment
from surveillance.evaluation.sums_monitor import SumsMonitor
from surveillance.panes.plan import Series


class VolumeMonitor(SumsMonitor):
    """A windowed monitor for which emptiness is a finding; its windows are neither extended nor pooled."""

    def accumulates(self) -> bool:
        return False

    def _pooled(self, series: Series, scope: Scope, start: int, end: int, moment: Moment) -> None:
        return None

    def _empty(self, series: Series, start: int, end: int) -> Judged:
        if self._needed:
            return super()._empty(series, start, end)
        nothing = np.zeros((1, self._sums[0].length), np.int64)
        request = Request(self.subject.plan.manifest, series, [()], nothing, start, end)
        return Judged(series, (), start, self._estimator.findings(request)[0], ())
