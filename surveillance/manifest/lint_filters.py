"""Rule on event filters: a field or a value that telemetry does not have makes a count of zero that looks like a quiet field."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.events.batch import Kind
from surveillance.events.declared import Field, comparable, fields, is_among
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.metrics_safety import EventCount, EventFilter, MaxSprtPoisson, RunRule, TrendTest
from surveillance.manifest.part import shown
from surveillance.manifest.shape import nearest

FIELD_USE = ("active", "canary")
"""The modes whose events are counted: contract/semantics.md, Counting words."""
_NAMES = {str: "text", float: "a number", bool: "true or false"}


def filters_can_match(view: LintView) -> Iterator[Problem]:
    """Fields of `filter` are those of its kind of event, and accepted values are among those that a field can have."""
    for path, monitor in view.monitors:
        if isinstance(monitor.metric, EventCount | MaxSprtPoisson | TrendTest | RunRule):
            for place, message in _faults(monitor.metric.filter):
                yield Problem(f"{path}.metric.filter.{place}", f'monitor "{monitor.id}": {message}', "warning")


def _faults(events: EventFilter) -> Iterator[tuple[str, str]]:
    """Place inside the filter, and what is wrong there."""
    kind = Kind[events.kind.upper()]
    known, names = fields(kind), comparable(kind)
    for name, accepted in events.where.items():
        if not is_among(name, names):
            yield name, _no_field(events.kind, name, names)
        elif name in known:
            yield from _values(name, known[name], accepted)


def _no_field(kind: str, name: str, names: frozenset[str]) -> str:
    return (
        f'{kind} events have no field "{name}" that can be compared, so no event ever matches: '
        f'did you mean "{nearest(name, names)}"? They have {", ".join(sorted(names))}'
    )


def _values(name: str, field: Field, accepted: tuple[str | bool | float, ...]) -> Iterator[tuple[str, str]]:
    impossible = [value for value in accepted if not _can_be(field, value)]
    lost = "no event ever matches" if len(impossible) == len(accepted) else "it never matches"
    choices = [shown(one).strip('"') for one in field.choices]
    for value in impossible:
        if choices:
            meant = f'did you mean "{nearest(str(value), choices)}"? It is one of {", ".join(choices)}'
        else:
            meant = f"it is {' or '.join(_NAMES[kind] for kind in _NAMES if kind in field.scalars)}"
        yield name, f'"{name}" is never {_written(value)}, so {lost}: {meant}'
    uncounted = [value for value in accepted if value not in FIELD_USE] if name == "mode" else []
    for value in uncounted:
        if value not in impossible:
            yield name, f'"mode" {_written(value)} is no field use, so {lost}: only {" and ".join(FIELD_USE)} are counted'


def _can_be(field: Field, value: str | bool | float) -> bool:
    """As events are compared: flags are numbers of 0 or 1, and what is not text is spelled as JSON."""
    if field.choices:
        return any(value == one or value == str(one) for one in field.choices)
    if isinstance(value, str):
        if str in field.scalars:
            return True
        return (bool in field.scalars and value in ("true", "false")) or (float in field.scalars and _is_number(value))
    return float in field.scalars or (bool in field.scalars and value in (0, 1))


def _written(value: str | bool | float) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


RULES = (filters_can_match,)
