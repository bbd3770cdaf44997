"""Incidents in order of time: windows judged as the watermark passes them, persistence, escalation, resolution.

(none) --k of the last `of` breached--> open --higher level holds--> open (escalated)
open --clear_after met in a row--> resolved --breach inside cooldown--> open (same ordinal)
resolved --breach later--> open (next ordinal)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import heartbeats, lowest
from .judge import Judge, Judgement, ends
from .ledger import Ledger
from .policy import LEVELS, Document, Policy, Registry, Scope
from .replay import window_of
from .times import format_time, parse_duration, parse_time
from .whole_series import WHOLE_SERIES

BY_PERIOD = ("trend_test", "run_rule")
"""Types whose revisions are seen whenever anything is judged, a silence included."""


@dataclass(frozen=True)
class IncidentLine:
    """One line of an incident. On the watermark clock: `at` = when it was decided, `opened_at` = when the incident opened."""

    digest: str
    monitor_id: str
    scope: Scope
    ordinal: int
    level: str
    state: str
    opened_at: str
    at: str
    breached_since: str
    window: dict[str, str]


class Incident:
    """The incidents of one monitor and scope, one after the other."""

    def __init__(self, policy: Policy, monitor: Document, scope: Scope) -> None:
        self.policy, self.monitor, self.scope = policy, monitor, scope
        self.history: dict[int, Judgement] = {}
        self.ordinal = -1
        self.level: str | None = None
        self.opened_ms = 0
        self.resolved_ms: int | None = None
        self.since_ms = 0
        self.matched = 0

    def judge(self, judged: list[Judgement], now_ms: int, complete: bool = False) -> list[IncidentLine]:
        """Steps through the judgements that differ, then through new ones as they follow in time.

        Revisions are all known before the first step; `complete`: a window end that is not among the judgements is none any more.
        """
        changed = [one for one in judged if self.history.get(one.end_ms) != one]
        if complete:
            kept = {one.end_ms for one in judged}
            self.history = {end: one for end, one in self.history.items() if end in kept}
        lines = []
        self.history |= {one.end_ms: one for one in changed if one.end_ms in self.history}
        for one in sorted(changed, key=lambda one: one.end_ms):
            self.history[one.end_ms] = one
            line = self._step(one, now_ms)
            if line is not None:
                lines.append(line)
        return lines

    @property
    def is_open(self) -> bool:
        return self.level is not None and self.resolved_ms is None

    def _step(self, one: Judgement, now_ms: int) -> IncidentLine | None:
        reached = next((level for level in reversed(LEVELS) if self._persists(one, level)), None)
        if reached is not None:
            since_ms = self._breached_since(one)
            if not self.is_open:
                self._open(now_ms)
            elif LEVELS.index(reached) <= LEVELS.index(str(self.level)) and not self._another_match(one):
                return None
            self.level, self.since_ms, self.matched = reached, since_ms, one.measure.n
            return self._line("open", one, now_ms)
        if self.is_open and self._clears(one):
            self.resolved_ms = now_ms
            return self._line("resolved", one, now_ms)
        return None

    def _another_match(self, one: Judgement) -> bool:
        """A windowless count grows: each further match is a new line of its incident."""
        grows = self.monitor["metric"]["type"] == "event_count" and self.policy.window(self.monitor).cumulative
        return grows and one.measure.n > self.matched

    def _open(self, now_ms: int) -> None:
        cooldown_ms = parse_duration(self.policy.persistence(self.monitor)["cooldown"])
        if self.resolved_ms is None or now_ms - self.resolved_ms > cooldown_ms:
            self.ordinal, self.opened_ms = self.ordinal + 1, now_ms
        self.resolved_ms = None

    def _persists(self, one: Judgement, level: str) -> bool:
        if one.levels.get(level) != "breached":
            return False
        sustained = self.monitor["limits"][level].get("sustained")
        if sustained is not None:
            return self._sustained(one, level, parse_duration(sustained))
        rule = self.policy.persistence(self.monitor, level)
        conclusive = [past for past in self.history.values() if past.levels.get(level) in ("breached", "met")]
        recent = independent(conclusive)[-rule["of"] :]
        return one in recent and sum(past.levels[level] == "breached" for past in recent) >= rule["k"]

    def _sustained(self, one: Judgement, level: str, span_ms: int) -> bool:
        since_ms = one.end_ms - span_ms
        if min(past.start_ms for past in self.history.values()) > since_ms:
            return False
        spanned = [past.levels[level] for past in self.history.values() if since_ms < past.end_ms <= one.end_ms]
        return "met" not in spanned

    def _clears(self, one: Judgement) -> bool:
        wanted = self.policy.persistence(self.monitor)["clear_after"]
        recent = independent([past for past in self.history.values() if past.conclusive])[-wanted:]
        return len(recent) == wanted and one in recent and all(past.verdict == "met" for past in recent)

    def _breached_since(self, one: Judgement) -> int:
        since_ms = one.start_ms
        for past in sorted(self.history.values(), key=lambda past: -past.end_ms):
            if past.end_ms > one.end_ms or not past.conclusive:
                continue
            if past.verdict == "met":
                break
            since_ms = past.start_ms
        return since_ms

    def _line(self, state: str, one: Judgement, now_ms: int) -> IncidentLine:
        return IncidentLine(
            self.policy.digest, str(self.monitor["id"]), self.scope, self.ordinal, str(self.level), state,
            format_time(self.opened_ms), format_time(now_ms), format_time(self.since_ms), window_of(one),
        )  # fmt: skip


def independent(judged: list[Judgement]) -> list[Judgement]:
    """In order of time, leaving out evaluations that share events with a newer one because a small window was extended."""
    kept: list[Judgement] = []
    for one in sorted(judged, key=lambda one: -one.end_ms):
        newer = kept[-1] if kept else None
        if newer is None or not (one.extended or newer.extended) or one.end_ms <= newer.start_ms:
            kept.append(one)
    return kept[::-1]


class Surveillance:
    """A replay that judges each monitor whenever the watermark passes an end of its own windows."""

    def __init__(self, manifests: list[Document], until_ms: int | None) -> None:
        self.registry = Registry(manifests)
        self.ledger = Ledger(self.registry, until_ms)
        self.judge = Judge(self.ledger)
        self.incidents: dict[tuple[int, str, Scope], Incident] = {}
        self.lines: list[IncidentLine] = []
        self.newest_look: dict[tuple[int, str], int] = {}

    def feed(self, line: bytes | str) -> None:
        before = (self.ledger.watermark_ms, self.ledger.partition_ms)
        self.ledger.feed(line)
        self._look(*before, finished=False)

    def finish(self) -> None:
        before = (self.ledger.watermark_ms, self.ledger.partition_ms)
        self.ledger.finish()
        self._look(*before, finished=True)

    def _look(self, watermark_ms: int | None, partition_ms: int | None, finished: bool) -> None:
        for policy in self.registry.policies:
            for monitor in policy.monitors:
                if monitor["metric"]["type"] == "heartbeat_gap":
                    self._look_at_heartbeats(policy, monitor, partition_ms)
                elif monitor["metric"]["type"] == "min_value":
                    self._look_at_lowest(policy, monitor, partition_ms)
                elif (
                    finished
                    or self._passed(policy.window(monitor).slide, watermark_ms)
                    or (monitor["metric"]["type"] in BY_PERIOD and self._beat_passed(policy, partition_ms))
                ):
                    self._look_at_windows(policy, monitor)

    def _passed(self, slide_ms: int, before_ms: int | None) -> bool:
        now_ms = self.ledger.watermark_ms
        return now_ms is not None and (before_ms is None or now_ms // slide_ms > before_ms // slide_ms)

    def _beat_passed(self, policy: Policy, before_ms: int | None) -> bool:
        interval, now_ms = policy.telemetry_ms("heartbeat_interval_s"), self.ledger.partition_ms
        return now_ms is not None and (before_ms is None or now_ms // interval > before_ms // interval)

    def _look_at_windows(self, policy: Policy, monitor: Document) -> None:
        now_ms = self.ledger.watermark_ms
        if now_ms is None:
            return
        if monitor["metric"]["type"] in WHOLE_SERIES:
            for scope, judged in WHOLE_SERIES[monitor["metric"]["type"]](self.ledger, policy, monitor).items():
                self._step(policy, monitor, scope, judged, now_ms, complete=True)
            return
        found: dict[Scope, list[Judgement]] = defaultdict(list)
        closed = ends(self.ledger, policy, monitor)
        if policy.window(monitor).cumulative and closed:  # looks that were taken stand, but for the newest
            key = (policy.index, str(monitor["id"]))
            newest, self.newest_look[key] = self.newest_look.get(key, closed[0]), closed[-1]
            closed = range(max(newest, closed[0]), closed[-1] + 1, closed.step)
        for end_ms in closed:
            for scope, one in self.judge.at(policy, monitor, end_ms).items():
                found[scope].append(one)
        for scope, judged in found.items():
            self._step(policy, monitor, scope, judged, now_ms)

    def _look_at_heartbeats(self, policy: Policy, monitor: Document, before_ms: int | None) -> None:
        last_ms, interval = heartbeats.judged_until(self.ledger, policy, monitor), policy.telemetry_ms("heartbeat_interval_s")
        if last_ms is None or before_ms is None:
            return
        for at_ms in range((before_ms // interval + 1) * interval, last_ms + 1, interval):
            for scope, one in heartbeats.judge_heartbeats(self.ledger, policy, monitor, at_ms).items():
                self._step(policy, monitor, scope, [one], at_ms)

    def _look_at_lowest(self, policy: Policy, monitor: Document, before_ms: int | None) -> None:
        last_ms, width = lowest.judged_until(self.ledger, policy, monitor), policy.base_pane_ms
        if last_ms is None or before_ms is None:
            return
        for at_ms in range((before_ms // width + 1) * width, last_ms + 1, width):
            for scope, one in lowest.judge_lowest(self.ledger, policy, monitor, at_ms).items():
                self._step(policy, monitor, scope, [one], at_ms)

    def _step(
        self, policy: Policy, monitor: Document, scope: Scope, judged: list[Judgement], now_ms: int, complete: bool = False
    ) -> None:
        if monitor.get("dry_run"):
            return
        key = (policy.index, str(monitor["id"]), scope)
        incident = self.incidents.setdefault(key, Incident(policy, monitor, scope))
        self.lines += incident.judge(judged, now_ms, complete)


def replay_incidents(manifests: list[Document], lines: Iterable[bytes | str], until: str | None = None) -> list[dict[str, Any]]:
    """Every incident line in the order decided: at each moment by manifest, monitor, scope, window end."""
    surveillance = Surveillance(manifests, None if until is None else parse_time(until))
    for line in lines:
        surveillance.feed(line)
    surveillance.finish()
    return [dict(vars(line)) for line in surveillance.lines]
