"""Rules on where numbers and levels are read from: a field that no device sends is an axis of `unknown`, or a silent monitor."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.events.batch import Kind
from surveillance.events.declared import comparable, fields, is_among
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.metrics_operation import CERTIFICATE_DAYS, LowestValue
from surveillance.manifest.shape import nearest


def axis_sources_are_sent(view: LintView) -> Iterator[Problem]:
    """The source of an axis is a field of inferences."""
    known = comparable(Kind.INFERENCE)
    for index, axis in enumerate(view.manifest.strata.axes):
        if not is_among(axis.source, known):
            message = (
                f'axis "{axis.id}" reads "{axis.source}", which no inference carries, so every case is of level unknown: '
                f'did you mean "{nearest(axis.source, known)}"?'
            )
            yield Problem(f"strata.axes[{index}].source", message, "warning")


def lowest_values_are_sent(view: LintView) -> Iterator[Problem]:
    """The field of a `min_value` is a number that heartbeats carry, or the days of certificate left."""
    numbers = [name for name, field in fields(Kind.HEARTBEAT).items() if field.scalars & {float, bool}]
    for path, monitor in view.monitors:
        metric = monitor.metric
        known = [CERTIFICATE_DAYS, *numbers]
        if isinstance(metric, LowestValue) and metric.field not in known and not metric.field.startswith("ext."):
            message = (
                f'monitor "{monitor.id}": no heartbeat carries a number "{metric.field}", so nothing is ever judged: '
                f'did you mean "{nearest(metric.field, known)}"? They carry {", ".join(sorted(known))}'
            )
            yield Problem(f"{path}.metric.field", message, "warning")


RULES = (axis_sources_are_sent, lowest_values_are_sent)
