"""The join of outcomes and alert actions with the inferences they speak of, vectorised.

An outcome joins the inference that stands at a smaller position of its partition, or waits and joins when it arrives. One
label counts per inference: reference_standard > clinician_read > report > code, then the highest revision, then the first
position. A better label takes the old one out and puts the new one in, in the same panes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Bool, Codes, Hashes, Int, Small
from surveillance.ingest.run_index import Records, RunIndex
from surveillance.ingest.waiting import WAIT_MS, Waiting, WaitingReport

LABEL_RANK = {"code": 0, "report": 1, "clinician_read": 2, "reference_standard": 3}
ACTION_BITS = {
    "delivered": 1,
    "displayed": 2,
    "ack": 4,
    "override": 8,
    "dismiss": 16,
    "escalate": 32,
    "snooze": 64,
    "expired": 128,
}
ACTIONED_MASK = ACTION_BITS["ack"] | ACTION_BITS["override"] | ACTION_BITS["dismiss"] | ACTION_BITS["escalate"]

FLAGGED_BIT, FIELD_USE_BIT = 1 << 24, 1 << 25
_SCORE_MASK = FLAGGED_BIT - 1

_INFERENCE = np.dtype([("key", "<u8"), ("at_ms", "<i8"), ("score", "<i4"), ("cell", "<i4")])
"""24 bytes for a waiting inference; `score` holds micro-units and the two bits above."""
_LABEL = np.dtype([("key", "<u8"), ("at_ms", "<i8"), ("arrival_ms", "<i8"), ("said", "<i8")])
"""32 bytes for a label; `said` = 8 x grade + 4 x treated + 2 x verified + label."""
_ACTIONS = np.dtype([("key", "<u8"), ("at_ms", "<i8"), ("arrival_and_mask", "<i8")])
_MASK_BITS = 8
_REVISIONS = 1 << 32


class Inferences(NamedTuple):
    """Counted inferences in position order; `row` = row of the batch."""

    row: Int
    key: Hashes
    event_ms: Int
    score_micro: Int
    flagged: Bool
    field_use: Bool
    cell: Codes

    def none(self) -> Inferences:
        """No inferences."""
        return Inferences(
            self.row[:0],
            self.key[:0],
            self.event_ms[:0],
            self.score_micro[:0],
            self.flagged[:0],
            self.field_use[:0],
            self.cell[:0],
        )


class Reports(NamedTuple):
    """Counted outcomes or actions in position order. `grade` orders labels; `value` = label, or action bit.

    `verified`: 1 routine or random sample, 0 not, -1 not said (the manifest's default applies). `treated`: 1 where treatment
    began before the label was found, else 0. `when_ms` of an action: its
    event time, or -1 - the time since the alert where it says that itself; no outcome is asked.
    """

    row: Int
    key: Hashes
    grade: Int
    value: Small
    verified: Int
    treated: Int
    when_ms: Int

    def where(self, mine: Bool) -> Reports:
        """The reports marked."""
        return Reports(
            row=self.row[mine],
            key=self.key[mine],
            grade=self.grade[mine],
            value=self.value[mine],
            verified=self.verified[mine],
            treated=self.treated[mine],
            when_ms=self.when_ms[mine],
        )


@dataclass(frozen=True, slots=True)
class Joined:
    """One contribution each, ascending by `row`, the row whose record completes the join.

    `sign` +1 adds, -1 takes out; `first` marks the first label of an inference. For actions `value` holds the bits that
    are new, and `before` those known earlier; for labels `value` is the label and `before` is zero. `delay_ms` = from the
    alert to the action, never below 0; of a label zero.
    """

    row: Int
    cell: Codes
    event_ms: Int
    score_micro: Int
    flagged: Bool
    field_use: Bool
    value: Small
    before: Small
    verified: Bool
    treated: Bool
    sign: Int
    first: Bool
    arrival_ms: Int
    delay_ms: Int


def grade_of(kind: Sequence[str], revision: Int) -> Int:
    """One integer that orders labels: kind first, then revision."""
    ranks = np.fromiter((LABEL_RANK[text] for text in kind), np.int64, len(kind))
    return ranks * _REVISIONS + np.clip(revision, 0, _REVISIONS - 1)


def delay_of(event_ms: Int, when_ms: Int) -> Int:
    """From alerts at `event_ms` to the actions on them: what `Reports.when_ms` says."""
    return np.maximum(np.where(when_ms < 0, -1 - when_ms, when_ms - event_ms), 0)


class _Matched(NamedTuple):
    row: Int
    inference: Records
    grade: Int
    value: Small
    verified: Int
    treated: Int
    when_ms: Int


class JoinIndex:
    """State of the join of one partition: inferences, their labels and actions, and what still waits for its inference."""

    def __init__(self) -> None:
        self._inferences = RunIndex(_INFERENCE, newest=False)
        self._labels = RunIndex(_LABEL, newest=True)
        self._actions = RunIndex(_ACTIONS, newest=True)
        self.waiting_outcomes, self.waiting_actions = Waiting(), Waiting()

    def __len__(self) -> int:
        return len(self._inferences)

    @property
    def nbytes(self) -> int:
        """Of the indexes; what waits for its inference is apart."""
        return self._inferences.nbytes + self._labels.nbytes + self._actions.nbytes

    def knows(self, key: Hashes) -> Bool:
        """Which inferences are in memory."""
        return self._inferences.find(key)[0]

    def expire(self, before_ms: int) -> None:
        """Forget inferences with event time < `before_ms`, with their labels and actions."""
        for index in (self._inferences, self._labels, self._actions):
            index.expire(before_ms)

    def fold(
        self, inferences: Inferences, outcomes: Reports, actions: Reports, *, broker_ms: Int, verified_by_default: Bool
    ) -> tuple[Joined, Joined]:
        """Labels and actions that the batch completes.

        `broker_ms[row]` is of the batch; `verified_by_default[cell]` is the default of the cell's manifest.
        """
        records = np.zeros(len(inferences.key), _INFERENCE)
        records["key"], records["at_ms"], records["cell"] = inferences.key, inferences.event_ms, inferences.cell
        records["score"] = inferences.score_micro + inferences.flagged * FLAGGED_BIT + inferences.field_use * FIELD_USE_BIT
        keys, first = np.unique(inferences.key, return_index=True)
        fresh = _Fresh(keys, records[first], inferences.row[first])
        labels = self._label(self._match(outcomes, fresh, self.waiting_outcomes, broker_ms), broker_ms, verified_by_default)
        acted = self._act(self._match(actions, fresh, self.waiting_actions, broker_ms), broker_ms)
        self._inferences.insert(records)
        return labels, acted

    def _match(self, reports: Reports, fresh: _Fresh, waiting: Waiting, broker_ms: Int) -> _Matched:
        found, inference = self._inferences.find(reports.key)
        row = reports.row.copy()
        waits = ~found
        if len(fresh.keys) and len(reports.key):
            nearest = np.searchsorted(fresh.keys, reports.key)
            nearest[nearest == len(fresh.keys)] = 0
            here = ~found & (fresh.keys[nearest] == reports.key)
            inference[here] = fresh.records[nearest[here]]
            row[here] = np.maximum(row[here], fresh.rows[nearest[here]])
            waits &= ~here
            found |= here & (broker_ms[row] - broker_ms[reports.row] <= WAIT_MS)
        known = reports.where(found)
        matched = _Matched(row[found], inference[found], known.grade, known.value, known.verified, known.treated, known.when_ms)
        matched = _released(matched, fresh, waiting, broker_ms)
        for at in np.flatnonzero(waits).tolist():
            said = (reports.grade, reports.value, reports.verified, reports.treated, reports.when_ms, broker_ms[reports.row])
            waiting.add(int(reports.key[at]), WaitingReport(*(int(column[at]) for column in said)))
        # Stable: reports completed by the same record keep the order of their own positions.
        order = np.argsort(matched.row, kind="stable")
        return _picked(matched, order)

    def _label(self, matched: _Matched, broker_ms: Int, verified_by_default: Bool) -> Joined:
        key = matched.inference["key"]
        default = verified_by_default[matched.inference["cell"]] if len(key) else np.zeros(0, np.bool_)
        verified = np.where(matched.verified < 0, default, matched.verified == 1)
        had, old = self._labels.find(key)
        _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
        simple = ~had & (count[inverse] == 1)
        states = np.zeros(len(key), _LABEL)
        states["key"], states["at_ms"], states["arrival_ms"] = key, matched.inference["at_ms"], broker_ms[matched.row]
        states["said"] = matched.grade * 8 + matched.treated * 4 + verified * 2 + matched.value
        steps = _Steps()
        newest: dict[int, np.void] = {}
        for at in np.flatnonzero(~simple).tolist():
            current = newest.get(int(key[at]), old[at] if had[at] else None)
            if current is None:
                steps.add(at, states[at], 1, True)
                newest[int(key[at])] = states[at].copy()
            elif matched.grade[at] > current["said"] >> 3:
                steps.add(at, current, -1, False)
                better = states[at].copy()
                better["arrival_ms"] = current["arrival_ms"]
                steps.add(at, better, 1, False)
                newest[int(key[at])] = better
        changed = [states[simple], np.array(list(newest.values()), _LABEL)] if newest else [states[simple]]
        self._labels.insert(np.concatenate(changed))
        return _joined_labels(matched, states, np.flatnonzero(simple), steps)

    def _act(self, matched: _Matched, broker_ms: Int) -> Joined:
        flagged = (matched.inference["score"] & FLAGGED_BIT) != 0
        matched = _picked(matched, np.flatnonzero(flagged))
        key = matched.inference["key"]
        had, old = self._actions.find(key)
        before = np.zeros(len(key), np.uint8)
        arrival = broker_ms[matched.row]
        states: dict[int, tuple[int, int]] = {}
        for at, code in enumerate(key.tolist()):
            mask, first_ms = states.get(code, _unpacked(int(old["arrival_and_mask"][at])) if had[at] else (0, 0))
            before[at] = mask
            bits = mask | int(matched.value[at])
            if bits & ACTIONED_MASK and not mask & ACTIONED_MASK:
                first_ms = int(arrival[at])
            arrival[at] = first_ms
            states[code] = (bits, first_ms)
        fresh = matched.value & ~before
        records = np.zeros(len(states), _ACTIONS)
        if states:
            at_ms = dict(zip(key.tolist(), matched.inference["at_ms"].tolist(), strict=True))
            records["key"] = np.fromiter(states, np.uint64, len(states))
            records["at_ms"] = np.fromiter((at_ms[code] for code in states), np.int64, len(states))
            packed = ((first_ms << _MASK_BITS) + mask for mask, first_ms in states.values())
            records["arrival_and_mask"] = np.fromiter(packed, np.int64, len(states))
        self._actions.insert(records)
        ones = np.ones(len(key), np.int64)
        nobody = np.zeros(len(key), np.bool_)
        delay_ms = delay_of(matched.inference["at_ms"], matched.when_ms)
        return _joined(matched.row, matched.inference, fresh, before, nobody, nobody, ones, ones > 0, arrival, delay_ms)


def _unpacked(arrival_and_mask: int) -> tuple[int, int]:
    return arrival_and_mask & ((1 << _MASK_BITS) - 1), arrival_and_mask >> _MASK_BITS


def _picked(matched: _Matched, at: Int) -> _Matched:
    return _Matched(
        row=matched.row[at],
        inference=matched.inference[at],
        grade=matched.grade[at],
        value=matched.value[at],
        verified=matched.verified[at],
        treated=matched.treated[at],
        when_ms=matched.when_ms[at],
    )


class _Fresh(NamedTuple):
    """The inferences of the batch itself, by key, the first of each."""

    keys: Hashes
    records: Records
    rows: Int


class _Steps:
    """Contributions of labels that replace others, in order."""

    def __init__(self) -> None:
        self.at: list[int] = []
        self.state: list[np.void] = []
        self.sign: list[int] = []
        self.first: list[bool] = []

    def add(self, at: int, state: np.void, sign: int, first: bool) -> None:
        self.at.append(at)
        self.state.append(state)
        self.sign.append(sign)
        self.first.append(first)


def _released(matched: _Matched, fresh: _Fresh, waiting: Waiting, broker_ms: Int) -> _Matched:
    """`matched` with the reports that waited for inferences of this batch, before those that stand in it."""
    released = waiting.release(fresh.keys, broker_ms[fresh.rows])
    if not released:
        return matched
    picked = np.fromiter((number for number, _ in released), np.int64, len(released))
    entries = np.array([entry for _, entry in released], np.int64)
    return _Matched(
        np.concatenate([fresh.rows[picked], matched.row]),
        np.concatenate([fresh.records[picked], matched.inference]),
        np.concatenate([entries[:, 0], matched.grade]),
        np.concatenate([entries[:, 1].astype(np.uint8), matched.value]),
        np.concatenate([entries[:, 2], matched.verified]),
        np.concatenate([entries[:, 3], matched.treated]),
        np.concatenate([entries[:, 4], matched.when_ms]),
    )


def _joined_labels(matched: _Matched, states: Records, simple: Int, steps: _Steps) -> Joined:
    at: Int = np.concatenate([simple, np.array(steps.at, np.int64)])
    state = np.concatenate([states[simple], np.array(steps.state, _LABEL)]) if steps.state else states[simple]
    sign = np.concatenate([np.ones(len(simple), np.int64), np.array(steps.sign, np.int64)])
    first = np.concatenate([np.ones(len(simple), np.bool_), np.array(steps.first, np.bool_)])
    order = np.argsort(matched.row[at], kind="stable")
    at, state = at[order], state[order]
    before = np.zeros(len(at), np.uint8)
    return _joined(
        matched.row[at],
        matched.inference[at],
        (state["said"] & 1).astype(np.uint8),
        before,
        (state["said"] & 2) != 0,
        (state["said"] & 4) != 0,
        sign[order],
        first[order],
        state["arrival_ms"],
        np.zeros(len(at), np.int64),
    )


def _joined(
    row: Int,
    inference: Records,
    value: Small,
    before: Small,
    verified: Bool,
    treated: Bool,
    sign: Int,
    first: Bool,
    arrival_ms: Int,
    delay_ms: Int,
) -> Joined:
    packed = inference["score"]
    return Joined(
        row=row,
        cell=inference["cell"],
        event_ms=inference["at_ms"],
        score_micro=(packed & _SCORE_MASK).astype(np.int64),
        flagged=(packed & FLAGGED_BIT) != 0,
        field_use=(packed & FIELD_USE_BIT) != 0,
        value=value,
        before=before,
        verified=verified,
        treated=treated,
        sign=sign,
        first=first,
        arrival_ms=arrival_ms,
        delay_ms=delay_ms,
    )
