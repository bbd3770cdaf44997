"""The statistics: what each integer of a pane's vector counts. An id ends in its layout version and never changes meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from detectors.score_sketch import SKETCH_BINS

LEDGER = "ledger.v1"
USE = "use.v1"
FEATURE = "feature.v2"
SCORE = "score.v1"
OUTPUT = "output.v1"
SHAPE = "shape.v1"
"""Bins and power sums of a feature's numbers or of the score, named behind the colon."""
MIX = "mix.v1"
"""Inferences by level of the axis named behind the colon: the levels of its reference, `other`, then `Mix`."""
OOD = "ood.v1"
"""The threshold stands behind the colon."""
QUALITY = "quality.v1"
LABELS = "labels.v1"
LABEL_SCORES = "label_scores.v1"
TREATED_LABELS = "treated_labels.v1"
"""`LABELS` of the cases alone that were treated before their label: taken from `LABELS`, it leaves the others."""
TREATED_SCORES = "treated_scores.v1"
"""`LABEL_SCORES` of these cases alone."""
LABEL_FREE = "label_free.v1"
"""All inferences, labelled or not: counts [flag][sketch bin], then sums of score in micro-units [flag][sketch bin]."""
FLOW = "flow.v1"
ARRIVALS = "arrivals.v1"
IDENTITY = "identity.v1"
EVENTS = "events.v1"
BEATS = "beats.v1"
DELAYS = "delays.v1"
"""Alerts and their first acknowledgements by base pane of the alert. Behind the colon the limits that have a bin edge."""
LATENCIES = "latencies.v1"
"""`latency_ms` of inferences: counts [log bin], then sums in milliseconds [log bin]. Behind the colon as for `DELAYS`."""
CLOCKS = "clocks.v1"
"""Distance of device clocks from broker time, by broker time: as `LATENCIES`, quarantined events included."""
LOWEST = "lowest.v1"
"""A number that heartbeats carry, named behind the colon, by device and gateway and by slot of broker time."""
SAFETY = "safety.v1"
"""Events that match a filter, and uses, by event time. The uses' counting word and the filter stand behind the colon."""
SPREAD = "spread.v1"
"""The bins of `FEATURE`, `SCORE` or `OUTPUT` alone, named behind the colon, by the axes of a drift monitor and one field more:
what an incident's attribution reads. Apart from its source, whose panes may be narrower."""
SPAN = "span.v1"
"""One column: counted events by base pane. Its first pane is the manifest's first event."""

BEAT_SLOTS = 60
"""Heartbeat intervals in one pane of `BEATS`."""


class Use(IntEnum):
    """Counting words of contract/semantics.md, by pane of the inference."""

    INFERENCES = 0
    ENCOUNTERS = 1
    ALERTS = 2
    ALERT_ONSETS = 3
    ACTIONED_ALERTS = 4
    OVERRIDES = 5
    DISMISSALS = 6
    ACKS = 7
    DELIVERED = 8
    ABSTAINED = 9
    INELIGIBLE = 10
    LABELLED = 11


class FeatureTail(IntEnum):
    """Columns after the B bins of `FEATURE`: null or sentinel, sentinel alone, not sent, outside `range`, sent at all, numbers
    that are no sentinel."""

    MISSING = 0
    SENTINEL = 1
    ABSENT = 2
    OUT_OF_RANGE = 3
    SENT = 4
    NUMBERS = 5


class ScoreTail(IntEnum):
    """Columns after the B bins of `SCORE`."""

    LOW = 0
    HIGH = 1
    SCORES = 2


class Shape(IntEnum):
    """Columns after the B bins of `SHAPE`: numbers, and sums of z, the numbers standardised as `panes.standard_scale` says.

    `SUM_MICRO` is for means, of z within +-1e6. The four others are for the variance, of z within +-8 before any power is
    taken, so that a million rows at the clip fit into 64 bits and a variance of 1e-4 keeps its digits.
    """

    NUMBERS = 0
    SUM_MICRO = 1
    FIRST_NANO = 2
    SQUARE_NANO = 3
    CUBE = 4
    """In units of 1e-8, as `FOURTH`."""
    FOURTH = 5


class Mix(IntEnum):
    """Columns after the levels of `MIX`: inferences of which the level is known."""

    KNOWN = 0


class Ood(IntEnum):
    """Columns of `OOD`: inferences that sent `ood_score`, and those above the threshold."""

    SENT = 0
    ABOVE = 1


class Quality(IntEnum):
    """Columns of `QUALITY`: inferences that sent `input_quality`, its sum and that of its squares."""

    SENT = 0
    SUM_MICRO = 1
    SQUARE_MICRO = 2


class Label(IntEnum):
    """Columns of `LABELS`, once for unflagged and once for flagged inferences (stride `len(Label)`), by pane of the inference."""

    INFERENCES = 0
    NEGATIVES = 1
    POSITIVES = 2
    VERIFIED = 3
    """Labels whose verification is `routine` or `random_sample`."""
    SCORE_MICRO = 4
    SQUARE_MICRO = 5
    """(p - y)^2"""
    QUARTIC_MICRO = 6
    """(p - y)^4"""
    SPIEGELHALTER_MICRO = 7
    """(y - p)(1 - 2p)"""
    SPIEGELHALTER_VARIANCE_MICRO = 8
    """(1 - 2p)^2 p (1 - p)"""


class LabelScoreHead(IntEnum):
    """First columns of `LABEL_SCORES`; then counts [flag][label][sketch bin], then sums of score in micro-units [sketch bin]."""

    INFERENCES_UNFLAGGED = 0
    INFERENCES_FLAGGED = 1
    VERIFIED_UNFLAGGED = 2


class Flow(IntEnum):
    """Columns of `FLOW`, by pane of arrival (broker time) and UTC day of the inference."""

    INFERENCES_UNFLAGGED = 0
    INFERENCES_FLAGGED = 1
    NEGATIVES_UNFLAGGED = 2
    POSITIVES_UNFLAGGED = 3
    NEGATIVES_FLAGGED = 4
    POSITIVES_FLAGGED = 5
    ACTIONED = 6
    OVERRIDDEN = 7


class Arrival(IntEnum):
    """Columns of `ARRIVALS`: inferences and labelled by pane of the inference, arrivals by pane of arrival."""

    INFERENCES = 0
    ARRIVALS = 1
    LABELLED = 2


class Identity(IntEnum):
    """Columns of `IDENTITY`."""

    CHECKED = 0
    MISMATCHED = 1


class Events(IntEnum):
    """Columns of `EVENTS`: everything that arrived and was not quarantined, and the retransmissions among it."""

    ARRIVED = 0
    DUPLICATES = 1


class Safety(IntEnum):
    """Columns of `SAFETY`: uses, matching events, and which of those are serious or not in the sense of a trend (MDR Art. 88)."""

    USES = 0
    MATCHED = 1
    SERIOUS = 2
    NONSERIOUS = 3
    """Not serious, or expected."""


class Beats(IntEnum):
    """Blocks of `BEAT_SLOTS` columns of `BEATS`, by slot of broker time.

    Whether the last beat stood exactly at its slot's start is all that missed = floor((T - last) / interval) needs at
    multiples T of the interval, so two counts keep the time of the last beat exactly and still merge by addition.
    """

    AT_START = 0
    INSIDE = 1
    ANY_EVENT = 2


class Delays(IntEnum):
    """First columns of `DELAYS`; then acknowledged alerts [log bin], and the sums of their delays in milliseconds [log bin].

    `_AT_MS` are sums of how far into their pane the alerts stood, so that a wait nobody ended is known to the millisecond.
    """

    ALERTS = 0
    ALERTS_AT_MS = 1
    ACKNOWLEDGED = 2
    ACKNOWLEDGED_AT_MS = 3


class Lowest(IntEnum):
    """Blocks of `BEAT_SLOTS` columns of `LOWEST`: heartbeats that carried the number, and its sum in thousandths."""

    HEARTBEATS = 0
    SUM_MILLI = 1


LABEL_COUNT_AT = len(LabelScoreHead)
LABEL_SUM_AT = LABEL_COUNT_AT + 4 * SKETCH_BINS
LABEL_SCORES_LENGTH = LABEL_SUM_AT + SKETCH_BINS
LABELS_LENGTH = 2 * len(Label)
LABEL_FREE_LENGTH = 4 * SKETCH_BINS
BEATS_LENGTH = len(Beats) * BEAT_SLOTS
LOWEST_LENGTH = len(Lowest) * BEAT_SLOTS


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a manifest: its id, vector length, pane width, and the sets of axes it is grouped by."""

    id: str
    length: int
    pane_ms: int
    axis_sets: tuple[tuple[str, ...], ...]

    @property
    def family(self) -> str:
        """The id without what it is about: `feature.v2:px_mean` -> `feature.v2`."""
        return self.id.split(":", 1)[0]

    @property
    def subject(self) -> str:
        """What it is about: `feature.v2:px_mean` -> `px_mean`; empty where it is about nothing in particular."""
        return self.id.partition(":")[2]
