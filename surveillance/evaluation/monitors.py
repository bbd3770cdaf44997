"""Which judge serves which metric type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from surveillance.evaluation.acknowledgements import AcknowledgementMonitor
from surveillance.evaluation.arrivals import ArrivalsMonitor
from surveillance.evaluation.clocks import ClockMonitor
from surveillance.evaluation.event_monitors import EventMonitor
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.heartbeats import HeartbeatMonitor
from surveillance.evaluation.identical_windows import VarianceMonitor
from surveillance.evaluation.judging import Moment, Subject
from surveillance.evaluation.label_flow import CusumMonitor
from surveillance.evaluation.lowest_values import LowestMonitor
from surveillance.evaluation.normal_charts import NormalChartMonitor
from surveillance.evaluation.periodic import RunRuleMonitor, TrendMonitor
from surveillance.evaluation.sums_monitor import SumsMonitor
from surveillance.evaluation.volume import VolumeMonitor
from surveillance.manifest.metrics_operation import Quantile
from surveillance.manifest.model_monitors import Monitor


class MonitorJudge(Protocol):
    """Judges one monitor of one subject whenever it is asked."""

    subject: Subject
    monitor: Monitor

    @property
    def is_cumulative(self) -> bool:
        """Whether it is one window that grows, judged at its newest end only."""

    def judge(self, moment: Moment) -> Iterator[Evidence]: ...


def _quantile(subject: Subject, monitor: Monitor) -> MonitorJudge:
    metric = monitor.metric
    assert isinstance(metric, Quantile)
    return SumsMonitor(subject, monitor) if metric.field == "latency_ms" else AcknowledgementMonitor(subject, monitor)


def _event_count(subject: Subject, monitor: Monitor) -> MonitorJudge:
    return EventMonitor(subject, monitor) if monitor.is_cumulative else SumsMonitor(subject, monitor)


@runtime_checkable
class Standing(Protocol):
    """A judge that makes no evidence of what stays as it is."""

    def standing(self) -> Iterator[Evidence]:
        """What stands at the newest end judged of the scopes that nothing was said of there, once."""


@runtime_checkable
class TakesLooks(Protocol):
    """A judge that takes looks: of those taken only few are taken again when rows come."""

    def stands(self, end_ms: int, taken: Moment, offsets: Mapping[int, int]) -> bool:
        """Whether the look at this end, if taken at that moment, is not taken again for rows beyond these offsets."""


def judge_of(subject: Subject, monitor: Monitor) -> MonitorJudge:
    """The judge of a monitor."""
    return JUDGES.get(monitor.metric.type, SumsMonitor)(subject, monitor)


JUDGES: Mapping[str, Callable[[Subject, Monitor], MonitorJudge]] = {
    "label_arrivals_vs_expected": ArrivalsMonitor,
    "heartbeat_gap": HeartbeatMonitor,
    "bernoulli_cusum": CusumMonitor,
    "variance_ratio": VarianceMonitor,
    "cusum": NormalChartMonitor,
    "ewma": NormalChartMonitor,
    "volume_vs_expected": VolumeMonitor,
    "quantile": _quantile,
    "clock_offset_s": ClockMonitor,
    "min_value": LowestMonitor,
    "maxsprt_poisson": EventMonitor,
    "event_count": _event_count,
    "trend_test": TrendMonitor,
    "run_rule": RunRuleMonitor,
}
"""Types whose result is no function of the sums of one window; the others have an estimator."""
