"""Whose labels may stand for all cases (contract/semantics.md, Verification)."""

from __future__ import annotations

import numpy as np
import pytest

from surveillance.evaluation.labelled import FLAGGED, UNFLAGGED, LabelCounts, verification_bias
from surveillance.panes.statistics import Label


def counts(*, flagged: int, labelled: int, unflagged: int = 0, unflagged_labelled: int = 0, verified: int = 0) -> LabelCounts:
    found = np.zeros((1, 2 * len(Label)), np.int64)
    for flag, inferences, known in ((FLAGGED, flagged, labelled), (UNFLAGGED, unflagged, unflagged_labelled)):
        found[0, flag * len(Label) + Label.INFERENCES] = inferences
        found[0, flag * len(Label) + Label.POSITIVES] = known
    found[0, Label.VERIFIED] = verified
    return LabelCounts(found)


@pytest.mark.parametrize(
    ("labels", "biased"),
    [
        (counts(flagged=4, labelled=4), False),
        (counts(flagged=4, labelled=3), True),
        (counts(flagged=4, labelled=4, unflagged=6), True),
        (counts(flagged=4, labelled=4, unflagged=6, unflagged_labelled=3, verified=3), False),
        (counts(flagged=4, labelled=4, unflagged=6, unflagged_labelled=3), True),
        (counts(flagged=0, labelled=0), False),
    ],
    ids=["all labelled", "all flagged, one unlabelled", "none unflagged labelled", "some by chance", "some by the way", "nobody"],
)
def test_without_a_routine_label_of_an_unflagged_case_labels_stand_for_all_only_where_every_case_has_one(
    labels: LabelCounts, biased: bool
) -> None:
    assert verification_bias(labels, None).tolist() == [biased]
