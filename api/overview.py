"""What the page shows, in words: incidents as cards, counts, and what could not be judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.declared import Declared, declarations
from api.desk import Desk, FieldState, Line
from surveillance.incidents.reading import newest_events, newest_triggers

SHOWN_MOST = 50

_URGENCY = ("rollback_or_field_safety", "pause", "investigate")


@dataclass(frozen=True, slots=True)
class Card:
    """An incident as a person reads it; times are RFC 3339. `counts_from` None = no manifest tells what `since` is."""

    incident_id: str
    monitor_id: str
    hazard: str
    level: str
    scope: str
    release: str
    since: str
    counts_from: bool | None
    opened: str
    resolved: str
    estimate: str
    window: str
    limit: str
    owner: str
    ack_by: str
    decide_by: str
    summary: str
    playbook: str
    steps: Sequence[str]
    triggers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A monitor and scope that is inconclusive, why, on how many, and the last verdict that said something."""

    monitor_id: str
    scope: str
    reason: str
    n: str
    before: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The lists are cut at `SHOWN_MOST`; `resolved_total` and `verdicts` count everything."""

    state: FieldState
    age: str
    open: Sequence[Card]
    resolved: Sequence[Card]
    resolved_total: int
    verdicts: Mapping[str, int]
    unjudged: Sequence[Unjudged]
    quarantined: int


def overview_of(desk: Desk) -> Overview:
    """Blocks. Raises NothingWritten, StoreUnavailable."""
    state = desk.field_state()
    store = desk.offer.store
    lines = [one.line for one in newest_events(store, state.log_id)]
    triggers = defaultdict(list)
    for trigger in newest_triggers(store, state.log_id):
        triggers[trigger["incident_id"]].append(_trigger(trigger))
    still_open = sorted((one for one in lines if one["state"] == "open"), key=lambda one: _URGENCY.index(one["level"]))
    resolved = [one for one in lines if one["state"] != "open"]
    inconclusive = [line for line in state.monitors if line["verdict"] == "inconclusive"]
    shown = [*still_open, *resolved[:SHOWN_MOST]]
    declared = declarations(store, shown)
    cards = [_card(one, declared.of(one), triggers[one["incident_id"]]) for one in shown]
    return Overview(
        state=state,
        age=_age(state.freshness.age_ms),
        open=cards[: len(still_open)],
        resolved=cards[len(still_open) :],
        resolved_total=len(resolved),
        verdicts=Counter(line["verdict"] for line in state.monitors),
        unjudged=[_unjudged(line) for line in inconclusive[:SHOWN_MOST]],
        quarantined=0 if state.summary is None else sum(state.summary["quarantined"].values()),
    )


def _card(line: Line, declared: Declared | None, triggers: Sequence[str]) -> Card:
    return Card(
        incident_id=line["incident_id"],
        monitor_id=line["monitor_id"],
        hazard=line.get("hazard_id") or "none named",
        level=line["level"].replace("_", " "),
        scope=_scope(line["scope"]),
        release=line.get("release_id", "the service itself"),
        since=line["breached_since"],
        counts_from=None if declared is None else declared.counts_from_first_event,
        opened=line["opened_at"],
        resolved=line["resolved_at"] or "",
        estimate=_estimate(line["estimate"], None if declared is None else declared.interval_level),
        window=f"{line['window']['start']} to {line['window']['end']}",
        limit=", ".join(f"{key} {_value(value)}" for key, value in line["limit"].items()) or "none",
        owner=(line["owner"] or "nobody named").replace("_", " "),
        ack_by=line["ack_by"],
        decide_by=line["decide_by"],
        summary=line["summary"],
        playbook=line.get("playbook") or "none named",
        steps=() if declared is None else [step.replace("_", " ") for step in declared.steps],
        triggers=triggers,
    )


def _unjudged(line: Line) -> Unjudged:
    estimate, before = line["estimate"], line.get("last_conclusive")
    needed = f" of {estimate['needed']} needed" if "needed" in estimate else ""
    return Unjudged(
        monitor_id=line["monitor_id"],
        scope=_scope(line["scope"]),
        reason=(line["reason"] or "inconclusive").replace("_", " "),
        n=f"{estimate['n']}{needed}" if "n" in estimate else "unknown",
        before=f"{before['verdict']} until {before['window']['end']}" if before else "never conclusive",
    )


def _trigger(line: Line) -> str:
    drill = " (drill)" if line["drill"] else ""
    confirms = line["requires_confirmation_by"]
    confirmed = f"to be confirmed by the {confirms.replace('_', ' ')}" if confirms else "nobody has to confirm it"
    return f"{line['action'].replace('_', ' ')}{drill}{_back(line)}, {confirmed}, expires {line['expires_at']}"


def _back(line: Line) -> str:
    """Where a rollback leads; without a target in the manifest it names the release itself."""
    if line["action"] != "rollback_request":
        return ""
    target = line["target"]["release_id"]
    return " (the manifest names no target)" if target == line["release_id"] else f" to {target}"


def _scope(scope: Mapping[str, str]) -> str:
    return ", ".join(f"{axis} {level}" for axis, level in scope.items()) or "all sites and groups"


def _estimate(estimate: Line, level: str | None) -> str:
    """The number with its interval, of that level where it is known, and n, or that there is none."""
    if "value" not in estimate:
        return f"no number, n {estimate['n']}" if "n" in estimate else "no number: it is not a measurement"
    exact = estimate["lower"] == estimate["upper"]
    of_level = "" if level is None else f"{level}: "
    interval = "" if exact else f" [{of_level}{_value(estimate['lower'])}, {_value(estimate['upper'])}]"
    return f"{_value(estimate['value'])}{interval}, n {estimate['n']} ({estimate['method'].replace('_', ' ')})"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _age(age_ms: int | None) -> str:
    if age_ms is None:
        return ""
    minutes = max(age_ms, 0) // 60_000
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
