"""Plays a story: each `expect` is a replay of everything that arrived so far, up to the present moment."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from surveillance.times import from_text, to_text
from tests.scenario.replaying import Line, of_kind, replayed
from tests.scenario.script import Advance, Expect, Load, duration_ms, statements
from tests.scenario.ward_events import WardEvents

BEGIN_MS = from_text("2026-03-02T00:00:00Z")
_TICK_MS = 60_000
_SUBJECT = re.compile(r"(?P<monitor>[\w.]+)(\{(?P<scope>[^}]*)\})?")
_LEVELS = ("investigate", "pause", "rollback_or_field_safety")


def play(story: str, manifest: Line) -> None:
    """Raises AssertionError with the line of the story, what was expected and what was there."""
    stage = _Stage(manifest)
    for number, statement in statements(story):
        match statement:
            case Load():
                stage.lines += WardEvents.of(stage.events, statement, stage.now_ms)
            case Advance(by_ms):
                stage.advance(by_ms)
            case Expect(clauses):
                seen = stage.seen()
                for clause in clauses:
                    assert seen.holds(clause), f"line {number}: expected {clause!r}, there was\n{seen.told()}"


class _Stage:
    def __init__(self, manifest: Line) -> None:
        self.manifest, self.events, self.now_ms = manifest, WardEvents(), BEGIN_MS
        self.lines: list[tuple[int, bytes]] = []

    def advance(self, by_ms: int) -> None:
        """Time passes; a silent log has ticks in it, as the service would put them there."""
        for at_ms in range(self.now_ms + _TICK_MS, self.now_ms + by_ms + 1, _TICK_MS):
            self.lines.append((at_ms, json.dumps({"schema": "pms.tick", "ingest_time": to_text(at_ms)}).encode()))
        self.now_ms += by_ms

    def seen(self) -> _Seen:
        arrived = [line for at_ms, line in sorted(self.lines, key=lambda pair: pair[0]) if at_ms <= self.now_ms]
        return _Seen(replayed([self.manifest], arrived, to_text(self.now_ms)), self.now_ms)


class _Seen:
    """What stands at one moment."""

    def __init__(self, lines: Sequence[Line], now_ms: int) -> None:
        self.now_ms = now_ms
        self.status = of_kind(lines, "status")
        self.incident_lines = of_kind(lines, "incident")
        self.triggers = of_kind(lines, "trigger")
        self.incidents = {line["incident_id"]: line for line in self.incident_lines}

    def holds(self, clause: str) -> bool:
        """Whether a clause of `expect` is so. Raises ValueError: the clause says nothing known."""
        match clause.split():
            case ["no", "incident"]:
                return not self.incidents
            case ["no", "incident", subject]:
                return not [line for line in self.incidents.values() if _is(line, subject)]
            case ["incidents", subject, number]:
                return len([line for line in self.incidents.values() if _is(line, subject)]) == int(number)
            case ["incident", subject, state, *rest]:
                return any(_is(line, subject) and line["state"] == state and self._as(line, rest) for line in self.newest())
            case ["no", "trigger", action]:
                return not [line for line in self.triggers if line["action"] == action]
            case ["trigger", action, "once"]:
                return len([line for line in self.triggers if line["action"] == action]) == 1
            case [subject, verdict, *reason]:
                found = [line for line in self.status if _is(line, subject)]
                return bool(found) and all(
                    line["verdict"] == verdict and (not reason or line["reason"] == reason[0]) for line in found
                )
        raise ValueError(clause)

    def newest(self) -> list[Line]:
        """The newest line of the newest incident of each monitor and scope."""
        by_case = {(line["monitor_id"], str(line["scope"])): line for line in self.incident_lines}
        return list(by_case.values())

    def _as(self, line: Line, words: Sequence[str]) -> bool:
        """`at LEVEL`, `since DURATION` (breached since so long ago), `opened DURATION` (ago)."""
        facts: Mapping[str, str] = dict(zip(words[::2], words[1::2], strict=True))
        known = {
            "at": lambda level: level in _LEVELS and line["level"] == level,
            "since": lambda ago: from_text(line["breached_since"]) == self.now_ms - duration_ms(ago),
            "opened": lambda ago: from_text(line["opened_at"]) == self.now_ms - duration_ms(ago),
        }
        return all(known[word](value) for word, value in facts.items())

    def told(self) -> str:
        lines = [*self.incident_lines, *self.triggers, *self.status]
        wanted = (
            "kind",
            "monitor_id",
            "scope",
            "verdict",
            "reason",
            "level",
            "state",
            "action",
            "window",
            "breached_since",
            "estimate",
        )
        shown = [" ".join(f"{name}={line[name]}" for name in wanted if name in line) for line in lines]
        return "\n".join([f"now={to_text(self.now_ms)}", *shown])


def _is(line: Line, subject: str) -> bool:
    """Whether a line is of `monitor` or of `monitor{axis=level,...}`."""
    found = _SUBJECT.fullmatch(subject)
    assert found is not None, subject
    if line["monitor_id"] != found["monitor"]:
        return False
    return found["scope"] is None or line["scope"] == dict(part.split("=", 1) for part in found["scope"].split(",") if part)
