"""The statistics: what each integer of a pane's vector counts. An id ends in its layout version and never changes meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from detectors.score_sketch import SKETCH_BINS

LEDGER = "ledger.v1"
USE = "use.v1"
FEATURE = "feature.v1"
SCORE = "score.v1"
OUTPUT = "output.v1"
LABELS = "labels.v1"
LABEL_SCORES = "label_scores.v1"
FLOW = "flow.v1"
ARRIVALS = "arrivals.v1"
IDENTITY = "identity.v1"
EVENTS = "events.v1"
BEATS = "beats.v1"
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
    """Columns after the B bins of `FEATURE`: null or sentinel, sentinel alone, not sent, outside `range`, sent at all."""

    MISSING = 0
    SENTINEL = 1
    ABSENT = 2
    OUT_OF_RANGE = 3
    SENT = 4


class ScoreTail(IntEnum):
    """Columns after the B bins of `SCORE`."""

    LOW = 0
    HIGH = 1
    SCORES = 2


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


class Beats(IntEnum):
    """Blocks of `BEAT_SLOTS` columns of `BEATS`, by slot of broker time.

    Whether the last beat stood exactly at its slot's start is all that missed = floor((T - last) / interval) needs at
    multiples T of the interval, so two counts keep the time of the last beat exactly and still merge by addition.
    """

    AT_START = 0
    INSIDE = 1
    ANY_EVENT = 2


LABEL_COUNT_AT = len(LabelScoreHead)
LABEL_SUM_AT = LABEL_COUNT_AT + 4 * SKETCH_BINS
LABEL_SCORES_LENGTH = LABEL_SUM_AT + SKETCH_BINS
LABELS_LENGTH = 2 * len(Label)
BEATS_LENGTH = len(Beats) * BEAT_SLOTS


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic of a manifest: its id, vector length, pane width, and the sets of axes it is grouped by."""

    id: str
    length: int
    pane_ms: int
    axis_sets: tuple[tuple[str, ...], ...]

    @property
    def family(self) -> str:
        """The id without what it is about: `feature.v1:px_mean` -> `feature.v1`."""
        return self.id.split(":", 1)[0]

    @property
    def subject(self) -> str:
        """What it is about: `feature.v1:px_mean` -> `px_mean`; empty where it is about nothing in particular."""
        return self.id.partition(":")[2]
