"""A forecast as fields for JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from surveillance.errors import Problem
from surveillance.foresight.assumptions import Assumption
from surveillance.foresight.false_alarms import FalseAlarms
from surveillance.foresight.fitting import BudgetLine, Fit
from surveillance.foresight.forecast import Forecast
from surveillance.foresight.foreseen_harm import NONE_SEEN, ForeseenHarm, Stated
from surveillance.foresight.span_text import span_text

_NEGLIGIBLE, _NEGLIGIBLE_OF_BUDGET = 0.02, 0.001
"""Standard error, as part of a number or of its budget, that is not worth a word."""
_SHOWN = 6
"""Monitors with the most false alarms that the text shows; JSON has all."""


def forecast_body(forecast: Forecast) -> dict[str, Any]:
    """Fields beside `problems`."""
    return {
        "assumptions": [_assumption_body(one) for one in forecast.assumptions],
        "false_alarms": {
            "per_30_days": [_budget_body(line) for line in forecast.budget],
            "monitors": [_alarms_body(one) for one in forecast.false_alarms],
            "would_fit": [_fit_body(one) for one in forecast.fits],
        },
        "detection": power_body(forecast.stated, forecast.foreseen),
        "over_budget": [problem_body(one) for one in forecast.over_budget],
        "blind_spots": [problem_body(one) for one in forecast.blind_spots],
    }


def power_body(stated: Stated, foreseen: Sequence[ForeseenHarm]) -> dict[str, Any]:
    """The stated harm, and what is seen of it by monitor and scope. What is never seen is absent."""
    head = {"effect": stated.effect, "power": stated.power, "within_days": stated.within_days, "source": stated.source}
    return head | {"monitors": [_harm_body(one) for one in foreseen]}


def problem_body(problem: Problem) -> dict[str, str]:
    """Path, severity and message."""
    return {"path": problem.path, "severity": problem.severity, "message": problem.message}


def _assumption_body(one: Assumption) -> dict[str, Any]:
    return {"name": one.name, "value": one.value, "unit": one.unit, "source": one.source}


def _budget_body(line: BudgetLine) -> dict[str, Any]:
    body: dict[str, Any] = {"level": line.level, "expected": _rounded(line.expected), "fits": line.fits}
    body |= {"simulation_error": _rounded(line.error)} if line.error else {}
    return body if line.budget is None else body | {"budget": line.budget}


def _alarms_body(one: FalseAlarms) -> dict[str, Any]:
    body: dict[str, Any] = {"monitor_id": one.monitor_id, "level": one.level, "how": one.how}
    body |= {"simulation_error": _rounded(one.error)} if one.error else {}
    return body if one.per_30_days is None else body | {"per_30_days": _rounded(one.per_30_days)}


def _fit_body(fit: Fit) -> dict[str, Any]:
    body: dict[str, Any] = {"monitor_id": fit.monitor_id, "level": fit.level, "share": _rounded(fit.share)}
    found = {"key": fit.key, "now": fit.now, "value": fit.value}
    return body | {name: one for name, one in found.items() if one is not None}


def _harm_body(one: ForeseenHarm) -> dict[str, Any]:
    body: dict[str, Any] = {"monitor_id": one.monitor_id, "scope": dict(one.scope), "alike": one.alike, "level": one.level}
    body["harm"] = one.harm
    if one.days is not None:
        body["days"] = _rounded(one.days)
    if one.smallest is not None:
        body["minimum_detectable"] = _rounded(one.smallest)
    return body if one.smallest_text == NONE_SEEN else body | {"minimum_detectable_text": one.smallest_text}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


# text ------------------------------------------------------------------------------------------------------
def forecast_text(forecast: Forecast) -> Iterator[str]:
    """Lines for a person: what is assumed, false alarms, limits that would fit, detection."""
    yield "assumed of the field:"
    yield from table((one.name, one.value, one.unit, one.source) for one in forecast.assumptions)
    yield "false alarms, in incidents per 30 days of a field in which all is well:"
    yield from table((line.level, _simulated(line.expected, line.error, line.budget), _against(line)) for line in forecast.budget)
    worst = sorted((one for one in forecast.false_alarms if one.per_30_days), key=lambda one: -(one.per_30_days or 0.0))
    if worst:
        yield "  most of them from:"
        yield from table(
            (one.monitor_id, one.level, _simulated(one.per_30_days or 0.0, one.error), one.how) for one in worst[:_SHOWN]
        )
    unknown = sorted({one.monitor_id for one in forecast.false_alarms if one.per_30_days is None})
    if unknown:
        yield f"  not estimated, and not in the sums: {', '.join(unknown)}"
    for fit in forecast.fits:
        yield f"  {_fit_text(fit)}"
    yield from power_text(forecast.stated, forecast.foreseen)
    seen = {one.monitor_id for one in forecast.foreseen}
    silent = dict.fromkeys(one.monitor_id for one in forecast.false_alarms if one.monitor_id not in seen)
    if silent:
        yield f"  of {', '.join(silent)} nothing is said: what their numbers are like when all is well is not stated"


def power_text(stated: Stated, foreseen: Sequence[ForeseenHarm]) -> Iterator[str]:
    """Lines on what is seen of the stated harm."""
    yield f"how soon a harm opens an incident with power {stated.power:g}, shares moved by {stated.effect:g} ({stated.source}):"
    head = ("monitor", "where", "harm", "seen after", f"smallest harm seen within {span_text(stated.within_days)}")
    rows = ((one.monitor_id, _where(one), one.harm, _seen(one), one.smallest_text) for one in foreseen)
    yield from table([head, *rows]) if foreseen else ["  no monitor of which that can be said"]


def forecast_warnings(forecast: Forecast, told: Iterable[Problem]) -> Iterator[Problem]:
    """What is above its budget and what nobody sees; a hazard, a claim that lint has `told` of is not told of twice."""
    places = {problem.path for problem in told}
    yield from forecast.over_budget
    yield from (problem for problem in forecast.blind_spots if problem.path not in places)


def table(rows: Iterable[tuple[str | float, ...]]) -> Iterator[str]:
    """Columns side by side, indented by two; numbers with four digits."""
    texts = [[_number(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _simulated(value: float, error: float, budget: float | None = None) -> str:
    """A number with its standard error, where that is negligible neither against the number nor against the budget."""
    if error <= max(_NEGLIGIBLE * value, _NEGLIGIBLE_OF_BUDGET * (budget or 1.0)):
        return _number(value)
    return f"{_number(value)} (± {error:.1g} simulation)"


def _against(line: BudgetLine) -> str:
    if line.budget is None:
        return "no budget is stated"
    if not line.fits:
        return f"ABOVE the budget of {line.budget:g}"
    if line.excess:
        return f"at the budget of {line.budget:g}, within the error of simulation"
    return f"inside the budget of {line.budget:g}"


def _fit_text(fit: Fit) -> str:
    head = f"to mend: {fit.monitor_id} at {fit.level} is above its share of the budget, {fit.share:.3g} incidents per 30 days"
    if fit.key is None:
        return f"{head}; of none of its limits can a value be foretold that would keep it"
    if fit.value is None:
        return f"{head}; no value of {fit.key} would do (now {fit.now:g})"
    return f"{head}; {fit.key} {fit.value:g} would keep it (now {fit.now:g})"


def _seen(one: ForeseenHarm) -> str:
    if one.days is not None:
        return span_text(one.days)
    return "never: n too small" if one.shortfall is not None else "never"


def _where(one: ForeseenHarm) -> str:
    where = ", ".join(f"{axis} {level}" for axis, level in one.scope) or "all"
    return f"{where} (each of {one.alike:.0f})" if one.alike > 1 else where
