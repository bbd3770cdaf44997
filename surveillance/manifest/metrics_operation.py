"""Metric types on use, delays, devices and the flow of telemetry and labels itself."""

from __future__ import annotations

from typing import ClassVar, Literal

from surveillance.manifest.metric_kind import CountingWord, EventKind, IntervalFamily, MetricKind, Tail
from surveillance.manifest.part import Flag, Inside01, Positive, Text


class DigestMismatch(MetricKind):
    """Events in which any of the digest fields differs from the manifest's."""

    limit_keys: ClassVar = frozenset({"ge"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True

    type: Literal["mismatch_count", "identity_mismatch"]
    field: Text | None = None
    fields: tuple[Text, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The fields compared, `field` first."""
        return ((self.field,) if self.field is not None else ()) + self.fields


class RateRatio(MetricKind):
    """`numerator` per `exposure` against `baselines.operational.{numerator}_per_100_{exposure}`."""

    limit_keys: ClassVar = frozenset({"rr_ci_lower_above", "sustained"})
    interval_family: ClassVar[IntervalFamily] = "rate_ratio"

    type: Literal["poisson_rate_ratio"]
    numerator: CountingWord
    exposure: CountingWord

    @property
    def baseline_keys(self) -> tuple[str, ...]:
        """Keys of `baselines.operational` that can hold the reference rate, first come first served."""
        own = f"{self.numerator}_per_100_{self.exposure}"
        shared = self.numerator in ("alerts", "alert_onsets") and self.exposure == "encounters"
        return (own, "alerts_per_100_encounters") if shared and own != "alerts_per_100_encounters" else (own,)


class RateOf(MetricKind):
    """A share of counting words, such as overrides / actioned alerts."""

    limit_keys: ClassVar = frozenset({"ci_lower_above", "ci_upper_below"})
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["rate"]
    numerator: CountingWord
    denominator: CountingWord


class Quantile(MetricKind):
    """Quantile `q` of a delay; with `censored` alerts without an acknowledgement are censored, not dropped."""

    limit_keys: ClassVar = frozenset({"above"})
    interval_family: ClassVar[IntervalFamily] = "kaplan_meier"

    type: Literal["quantile"]
    q: Inside01
    field: Literal["ack_latency_s", "latency_ms"]
    censored: Flag = False


class LabelArrivals(MetricKind):
    """Labels that arrived in the window against the manifest's latency curve, and coverage of the newest mature window."""

    limit_keys: ClassVar = frozenset({"p", "coverage_mature_below"})
    ignores_min_sample: ClassVar = True
    event_kind: ClassVar[EventKind] = "outcome"

    type: Literal["label_arrivals_vs_expected"]


class HeartbeatGap(MetricKind):
    """Heartbeats missed by a device, or by all devices of a gateway."""

    limit_keys: ClassVar = frozenset({"missed", "gateways"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True
    event_kind: ClassVar[EventKind] = "heartbeat"
    runs_on_partition_time: ClassVar = True

    type: Literal["heartbeat_gap"]


class Volume(MetricKind):
    """Inferences against the hour-of-week expectation."""

    limit_keys: ClassVar = frozenset({"p"})
    ignores_min_sample: ClassVar = True

    type: Literal["volume_vs_expected"]
    baseline: Literal["hour_of_week"] = "hour_of_week"
    tail: Tail = "both"
    dispersion: Positive | None = None


class DuplicateRate(MetricKind):
    """Retransmissions / events."""

    limit_keys: ClassVar = frozenset({"above"})

    type: Literal["duplicate_rate"]


class ClockOffset(MetricKind):
    """Device clock against broker time, seconds."""

    limit_keys: ClassVar = frozenset({"above"})

    type: Literal["clock_offset_s"]
    stat: Literal["p95_abs"] = "p95_abs"


CERTIFICATE_DAYS = "cert_days_left"
"""A field that is not sent: the days from the judged time to the time that heartbeats send as `cert_not_after`."""


class LowestValue(MetricKind):
    """Lowest newest value of a heartbeat field over the devices of a scope, such as days of certificate left."""

    limit_keys: ClassVar = frozenset({"below"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True
    event_kind: ClassVar[EventKind] = "heartbeat"
    runs_on_partition_time: ClassVar = True

    type: Literal["min_value"]
    field: Text
