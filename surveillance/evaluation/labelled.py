"""Labelled inferences of a window: who was labelled, how the labels were come by, and the proportions they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors import begg_greenes
from detectors.arrays import as_float
from detectors.effective_counts import VerifiedCounts
from detectors.estimate import Insufficient, Outcome, Reason
from detectors.inverse_coverage import Coverage
from detectors.proportion import Method, proportion
from surveillance.arrays import Bool, Int
from surveillance.manifest.model_labels import LabelLatency
from surveillance.panes.statistics import Label

UNFLAGGED, FLAGGED = 0, 1


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Counts of the statistic `LABELS`, shape (groups, 2 * len(Label))."""

    counts: Int

    def at(self, flag: int, column: Label) -> Int:
        return self.counts[:, flag * len(Label) + column]

    def column(self, column: Label) -> Int:
        """A column over both flags."""
        return self.at(UNFLAGGED, column) + self.at(FLAGGED, column)

    def by_flag(self, column: Label) -> Int:
        """A column of the unflagged and of the flagged, shape (groups, 2)."""
        return np.stack([self.at(UNFLAGGED, column), self.at(FLAGGED, column)], axis=1)

    @property
    def coverage(self) -> Coverage:
        """Labelled cases among all inferences, by flag."""
        labelled = self.by_flag(Label.NEGATIVES) + self.by_flag(Label.POSITIVES)
        return Coverage.of(labelled, self.by_flag(Label.INFERENCES))

    @property
    def positives(self) -> Int:
        return self.column(Label.POSITIVES)

    @property
    def labelled(self) -> Int:
        return self.positives + self.column(Label.NEGATIVES)

    @property
    def inferences(self) -> Int:
        return self.column(Label.INFERENCES)

    @property
    def verified(self) -> VerifiedCounts:
        """Labelled cases and all inferences, by flag."""
        return VerifiedCounts(*(as_float(self.by_flag(at)) for at in (Label.POSITIVES, Label.NEGATIVES, Label.INFERENCES)))

    def denominator(self, event: str) -> Int:
        """Cases that a proportion is a share of."""
        if event == "sensitivity":
            return self.positives
        if event == "specificity":
            return self.column(Label.NEGATIVES)
        flag = FLAGGED if event == "ppv" else UNFLAGGED
        return self.at(flag, Label.NEGATIVES) + self.at(flag, Label.POSITIVES)

    def numerator(self, event: str) -> Int:
        """Cases that count for a proportion."""
        flag, column = {
            "sensitivity": (FLAGGED, Label.POSITIVES),
            "specificity": (UNFLAGGED, Label.NEGATIVES),
            "ppv": (FLAGGED, Label.POSITIVES),
            "npv": (UNFLAGGED, Label.NEGATIVES),
        }[event]
        return self.at(flag, column)


_EMPTY = {"sensitivity": Reason.NO_POSITIVES, "specificity": Reason.NO_NEGATIVES}


def proportion_of_labels(labels: LabelCounts, event: str, *, method: Method, level: float, corrected: bool) -> list[Outcome]:
    """Sensitivity, specificity, PPV or NPV of each group; `corrected` weights by inverse coverage (Begg & Greenes)."""
    if corrected and event != "ppv":
        detector = {"sensitivity": begg_greenes.sensitivity, "specificity": begg_greenes.specificity, "npv": begg_greenes.npv}[
            event
        ]
        return detector(
            labels.at(FLAGGED, Label.POSITIVES),
            labels.at(FLAGGED, Label.NEGATIVES),
            labels.at(UNFLAGGED, Label.POSITIVES),
            labels.at(UNFLAGGED, Label.NEGATIVES),
            flagged=labels.at(FLAGGED, Label.INFERENCES),
            unflagged=labels.at(UNFLAGGED, Label.INFERENCES),
            level=level,
        )
    found = proportion(labels.numerator(event), labels.denominator(event), method=method, level=level)
    reason = _EMPTY.get(event, Reason.NO_EXPOSURE)
    return [Insufficient(reason) if isinstance(one, Insufficient) else one for one in found]


def verification_bias(labels: LabelCounts, latency: LabelLatency | None) -> Bool:
    """Groups whose labels do not let flagged and unflagged cases be mixed (contract/semantics.md, Verification)."""
    inferences, labelled = labels.at(UNFLAGGED, Label.INFERENCES), labels.denominator("npv")
    none_verified = labels.at(UNFLAGGED, Label.VERIFIED) == 0
    expected = None if latency is None else latency.verification.unflagged
    if expected is None and latency is not None:
        expected = latency.expected_coverage
    low = labelled < 0.5 * expected * inferences if expected is not None else np.zeros(len(inferences), np.bool_)
    complete = labels.labelled == labels.inferences
    biased: Bool = ~complete & (none_verified | low)
    return biased
