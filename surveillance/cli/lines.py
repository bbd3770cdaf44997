"""The lines that `replay`, `status` and `demo` print: contract objects as JSON, or as text a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

Line = Mapping[str, Any]


def print_lines(lines: Iterable[Line], *, as_json: bool) -> None:
    """Prints each line as it comes."""
    for line in lines:
        click.echo(_json_text(line) if as_json else text_line(line))


def _json_text(line: Line) -> str:
    from surveillance.incidents.lines import line_text

    return line_text(line)


def text_line(line: Line) -> str:
    """The line as text; a kind that has no text of its own is shown as JSON."""
    match line.get("kind"):
        case "incident":
            return _incident(line)
        case "trigger":
            return f"  -> {line['action']} asked for ({line['trigger_id']}), incident {line['incident_id']}"
        case "status":
            return _status(line)
        case "backtest":
            return f"{line['monitor_id']} at {line['level']}: {line['raised']} raised in {line['scopes']} scopes{_first(line)}"
        case "summary":
            return _summary(line)
        case _:
            return _json_text(line)


def _incident(line: Line) -> str:
    where = _scope(line["scope"])
    head = f"{line['changed_at']}  {line['state'].upper()} {line['level']} {line['monitor_id']} at {where}: {_estimate(line)}"
    return f"{head}\n  {line['summary']}" if line.get("summary") else head


def _status(line: Line) -> str:
    said = ", ".join(part for part in (_estimate(line), line.get("reason")) if part)
    return f"{line['verdict']:13} {line['monitor_id']} at {_scope(line['scope'])}: {said}"


def _summary(line: Line) -> str:
    quarantined = ", ".join(f"{count} {reason}" for reason, count in line["quarantined"].items()) or "none"
    return (
        f"{line['events']} events: {line['counted']} counted, {line['duplicates']} duplicates, {line['late']} late, "
        f"quarantined: {quarantined}; watermark {line['watermark'] or 'none'}"
    )


def _first(line: Line) -> str:
    return f", first at {line['first']}" if "first" in line else ""


def _scope(scope: Mapping[str, str]) -> str:
    return ", ".join(f"{axis} {level}" for axis, level in scope.items()) or "all"


def _estimate(line: Line) -> str:
    estimate = line.get("estimate") or {}
    parts = [_number(estimate["value"])] if "value" in estimate else []
    if "lower" in estimate and "upper" in estimate and estimate["lower"] != estimate["upper"]:
        parts[-1] += f" [{_number(estimate['lower'])}, {_number(estimate['upper'])}]"
    parts += [f"n {estimate['n']}"] if "n" in estimate else []
    parts += [f"needs {estimate['needed']}"] if "needed" in estimate else []
    return ", ".join(parts)


def _number(value: float) -> str:
    return f"{value:.4g}"
