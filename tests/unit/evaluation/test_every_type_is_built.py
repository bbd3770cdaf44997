"""A manifest may name any type of the contract: what it reads, and who judges it, is there for each."""

from __future__ import annotations

from surveillance.evaluation.estimators.table import ESTIMATORS
from surveillance.evaluation.monitors import JUDGES
from surveillance.manifest.model_metrics import METRIC_CLASSES
from surveillance.panes.readings import READERS


def test_every_metric_type_has_something_to_read_and_somebody_to_judge_it() -> None:
    assert READERS.keys() == METRIC_CLASSES.keys()
    assert JUDGES.keys() | ESTIMATORS.keys() == METRIC_CLASSES.keys()
