"""The lines that `replay`, `status` and `demo` print: contract objects as JSON, or as text a person reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

Line = Mapping[str, Any]


def print_lines(lines: Iterable[Line], *, as_json: bool) -> None:
    """Prints each line as it comes."""
    texts = LineTexts()
    for line in lines:
        click.echo(_json_text(line) if as_json else texts.of(line))


def _json_text(line: Line) -> str:
    from surveillance.incidents.lines import line_text

    return line_text(line)


class LineTexts:
    """The lines of one run as text. What a line of an incident changes shows beside the one before it, so they are remembered."""

    def __init__(self) -> None:
        self._incidents: dict[str, Line] = {}

    def of(self, line: Line) -> str:
        """The line as text; a kind that has no text of its own is shown as JSON."""
        match line.get("kind"):
            case "incident":
                return self._incident(line)
            case "trigger":
                return f"  -> {line['action']} asked for ({line['trigger_id']}), incident {line['incident_id']}"
            case "status":
                return _status(line)
            case "backtest":
                return _backtest(line)
            case "summary":
                return f"{_summary(line)}{self._open_text()}"
            case _:
                return _json_text(line)

    def _incident(self, line: Line) -> str:
        known = self._incidents.get(line["incident_id"])
        self._incidents[line["incident_id"]] = line
        head = f"{line['changed_at']}  {_change(known, line)} {line['level']} {line['monitor_id']} at {_scope(line['scope'])}"
        window = f"window {line['window']['start']} to {line['window']['end']}"
        said = ", ".join(part for part in (_estimate(line), window, line["incident_id"]) if part)
        return f"{head}: {said}\n  {line['summary']}" if line.get("summary") else f"{head}: {said}"

    def _open_text(self) -> str:
        """How many of the incidents told are open; nothing where none was told: `pms status` has no lines of incidents."""
        still_open = sum(line["state"] == "open" for line in self._incidents.values())
        return f"; {still_open} {'incident' if still_open == 1 else 'incidents'} open" if self._incidents else ""


def _change(known: Line | None, line: Line) -> str:
    """What the line makes of an incident whose line before it is `known`."""
    if line["state"] != "open":
        return str(line["state"]).upper()
    if known is None:
        return "OPEN"
    if known["state"] != "open":
        return "REOPENED"
    return "STILL OPEN" if known["level"] == line["level"] else "ESCALATED"


def _status(line: Line) -> str:
    said = ", ".join(part for part in (_estimate(line), line.get("reason")) if part)
    last = line.get("last_conclusive")
    before = f" (last: {last['verdict']} until {last['window']['end']})" if last else ""
    return f"{line['verdict']:13} {line['monitor_id']} at {_scope(line['scope'])}: {said}{before}"


def _summary(line: Line) -> str:
    quarantined = ", ".join(f"{count} {reason}" for reason, count in line["quarantined"].items()) or "none"
    return (
        f"{line['events']} events: {line['counted']} counted, {line['duplicates']} duplicates, {line['late']} late, "
        f"quarantined: {quarantined}; watermark {line['watermark'] or 'none'}"
    )


def _backtest(line: Line) -> str:
    """How often it raised, told apart from what was quiet because nothing could be judged."""
    raised = f"{line['raised']} raised" + (f" in {_scopes(line['scopes'])}" if line["raised"] else "")
    judged = f"{_scopes(line['judged'])} judged" if line["judged"] else "nothing judged"
    first = f", first at {line['first']}" if "first" in line else ""
    return f"{line['monitor_id']} at {line['level']}: {raised}, {judged}{first}"


def _scopes(count: int) -> str:
    return "1 scope" if count == 1 else f"{count} scopes"


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
