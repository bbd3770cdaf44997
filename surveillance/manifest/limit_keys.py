"""Which limit keys a metric type may use: the last column of contract/monitors.md, checked on the document as written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.model_limits import LEVELS, MODIFIERS, LevelLimit
from surveillance.manifest.model_metrics import METRIC_CLASSES
from surveillance.manifest.part import is_extension
from surveillance.manifest.shape import nearest


def limit_key_problems(document: dict[str, Any]) -> list[Problem]:
    """Limit keys a metric type does not have, and levels that state no condition (they would be breached for ever)."""
    surveillance = document.get("surveillance")
    monitors = surveillance.get("monitors") if isinstance(surveillance, dict) else None
    problems: list[Problem] = []
    for index, monitor in enumerate(monitors if isinstance(monitors, list) else ()):
        if isinstance(monitor, dict):
            problems += _monitor_problems(monitor, f"surveillance.monitors[{index}].limits")
    return problems


def allowed_keys(metric_type: str, mode: object) -> frozenset[str]:
    """Conditions and modifiers a level of this type may state; `ge` of a drift distance needs mode `raw`, which has no p."""
    kind = METRIC_CLASSES[metric_type]
    keys: frozenset[str] = kind.limit_keys | {"persistence"} | ({"e"} if kind.has_e_value else set())
    if {"p", "ge"} <= kind.limit_keys:
        keys -= {"p"} if mode == "raw" else {"ge"}
    return keys


def _monitor_problems(monitor: dict[str, Any], path: str) -> Iterator[Problem]:
    metric, limits = monitor.get("metric"), monitor.get("limits")
    metric_type = metric.get("type") if isinstance(metric, dict) else None
    if not isinstance(metric_type, str) or metric_type not in METRIC_CLASSES or not isinstance(limits, dict):
        return
    allowed = allowed_keys(metric_type, limits.get("mode"))
    conditions = sorted(allowed - MODIFIERS)
    for level in LEVELS:
        limit = limits.get(level)
        if not isinstance(limit, dict):
            continue
        stated = [key for key, value in limit.items() if value is not None and not is_extension(key)]
        for key in stated:
            if key not in allowed:
                meant = "" if key in LevelLimit.contract_keys() else f'; the nearest is "{nearest(key, allowed)}"'
                yield Problem(
                    f"{path}.{level}.{key}", f"not a limit of {metric_type}, which takes {', '.join(conditions)}{meant}"
                )
        if not any(key not in MODIFIERS for key in stated):
            yield Problem(f"{path}.{level}", f"states no condition; expected {' or '.join(conditions)}, or null for never")
