"""Rule on counts by window: what is told so late that its windows open no incident any more."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.durations import HOUR_MS, format_duration
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.manifest import WINDOWS_REMEMBERED
from surveillance.manifest.metrics_operation import DigestMismatch
from surveillance.manifest.metrics_safety import EventCount


def late_events_open_incidents(view: LintView) -> Iterator[Problem]:
    """A window older than the last `of` opens nothing, however many events it turns out to hold: `of` spans the lateness."""
    lateness_ms = view.manifest.surveillance.telemetry.allowed_lateness_ms
    for path, monitor in view.monitors:
        window = view.manifest.surveillance.window(monitor.window) if monitor.window is not None else None
        counts = isinstance(monitor.metric, DigestMismatch | EventCount)
        if window is None or not counts or monitor.dry_run or not monitor.limits.by_level:
            continue
        # An event lies in windows up to one that begins within a slide after it.
        latest_ms, slide_ms = lateness_ms - (window.size_ms - window.slide_ms), window.slide_ms
        rules = {level: view.manifest.persistence_of(monitor, level) for level in monitor.limits.by_level}
        seen_ms, level = min((_reach_ms(rule.k, rule.of, slide_ms), level) for level, rule in rules.items())
        if seen_ms >= latest_ms:
            continue
        own = monitor.limits.by_level[level].persistence is not None
        message = (
            f"events told later than {format_duration(seen_ms)} after the last window that holds them ended open no incident, "
            f"however many they are, and allowed_lateness lets them come up to {format_duration(latest_ms)} after it; "
            f"to mend: {_mending(rules[level].k, slide_ms, seen_ms, latest_ms)}"
        )
        yield Problem(f"{path}.limits.{level}.persistence" if own else f"{path}.persistence", message, "warning")


def _reach_ms(k: int, of: int, slide_ms: int) -> int:
    """How long after the end of their last window events that fill at least `k` windows can still open an incident.

    The watermark is behind by `out_of_orderness` while events come: so much longer, on which nothing is promised.
    """
    return max(0, min(of, WINDOWS_REMEMBERED) - k + 1) * slide_ms


def _mending(k: int, slide_ms: int, seen_ms: int, latest_ms: int) -> str:
    ways = []
    of_an_hour, of_all = (k - 1 + -(-span_ms // slide_ms) for span_ms in (HOUR_MS, latest_ms))
    if seen_ms < HOUR_MS < latest_ms and of_an_hour <= WINDOWS_REMEMBERED:
        ways.append(f"persistence {{k: {k}, of: {of_an_hour}}} sees what is told within an hour")
    furthest_ms = _reach_ms(k, WINDOWS_REMEMBERED, slide_ms)
    if of_all <= WINDOWS_REMEMBERED:
        ways.append(f"persistence {{k: {k}, of: {of_all}}} sees all of it")
    elif furthest_ms > seen_ms:
        most = f"persistence {{k: {k}, of: {WINDOWS_REMEMBERED}}} sees what is told within {format_duration(furthest_ms)}"
        ways.append(f"{most}, as no more windows are remembered")
    if of_all > WINDOWS_REMEMBERED:
        ways.append("a wider slide reaches back further")
    return ", ".join(ways)


RULES = (late_events_open_incidents,)
