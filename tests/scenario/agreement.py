"""Where the output of a replay differs from the oracle's. Identities of incidents apart, everything both say is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.oracle import OracleResult
from tests.scenario.replaying import Line, of_kind

FROM_BINS = {"auroc": 0.002, "slope": 0.01}
"""Monitors whose numbers come from score bins, and how near they must be on windows of ROWS labelled rows."""
ROWS = 1000
FEWEST_ROWS = 30
"""Below these, one tie within a bin may make a perfect ranking imperfect."""
ARRIVALS = 0.05
"""Relative: expected arrivals stand for the middles of panes (READINGS, R48)."""
LOG_BINS = frozenset({"ack.site", "ack.all", "ack.seen", "latency", "clock.device", "clock.gateway"})
WITHIN_A_BIN = 0.42
"""Relative: a wait is told as the mean of its bin, of which there are two to a doubling (READINGS, R122)."""
SUMS = 5e-6
"""Sums of scores and of squares are whole micro-units."""
P_WITHIN = 5e-5
FUNNELS = ("sites", "sites.spec", "sites.ppv", "sites.alerts", "sites.burden")
"""A funnel draws the value of a site towards the others; the oracle tells its p and its share as it is (READINGS, R103)."""
OF_SUMS = dict.fromkeys(FUNNELS, math.inf) | {
    "z": 2e-5,
    "z.day": 2e-5,
    "intercept": 0.002,
    "steep": 2e-5,
    "brier.p": 2e-5,
    "brier.w": 2e-5,
}
"""Z divides such a sum by the root of one that may be far below 1; the intercept takes the mean score of a bin for its rows; the
interval of a Brier score of eight rows, on logits, divides the error of their squares by the score."""

IncidentFacts = tuple[Any, ...]


def status_differences(lines: Iterable[Line], oracle: OracleResult) -> list[str]:
    """One sentence for each status line that one side does not have, or has otherwise."""
    ours = {
        (line["manifest_digest"], line["monitor_id"], frozenset(line["scope"].items())): line for line in of_kind(lines, "status")
    }
    found = []
    for key in sorted(ours.keys() | oracle.status.keys(), key=str):
        name = f"{oracle.digests.index(key[0])} {key[1]} {dict(key[2])}"
        if key not in ours or key not in oracle.status:
            found.append(f"{name}: only in the {'service' if key in ours else 'oracle'}")
            continue
        found += [f"{name}: {difference}" for difference in _of_line(key[1], ours[key], oracle.status[key])]
    return found


def _of_line(monitor: str, ours: Line, theirs: Mapping[str, Any]) -> list[str]:
    words = ["window", "needed", "pooled_to"]
    if monitor not in FROM_BINS:
        words += ["verdict", "levels"]
    found = [f"{word} {ours.get(word)} for {theirs[word]}" for word in words if ours.get(word) != theirs[word]]
    if monitor in FROM_BINS and theirs["estimate"]["n"] < FEWEST_ROWS:
        return found
    # The oracle gives no reason where there is a number: it spans the limit, or coverage is asked that waits for labels.
    with_a_number = {(None, "interval_spans_limit"), (None, "immature_labels")} if "value" in ours["estimate"] else set()
    if ours["reason"] != theirs["reason"] and (theirs["reason"], ours["reason"]) not in with_a_number:
        found.append(f"reason {ours['reason']} for {theirs['reason']}")
    found += _of_estimate(monitor, ours["estimate"], theirs["estimate"])
    if monitor not in FROM_BINS:
        found += _of_last_conclusive(ours.get("last_conclusive"), theirs["last_conclusive"])
    return found


def _of_estimate(monitor: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("value", "lower", "upper", "n"):
        one, other = ours.get(name), theirs[name]
        if other is None:
            missing = name == "value" and one is not None
        else:
            missing = one is None or abs(one - other) > _tolerance(monitor, other, theirs["n"])
        if missing:
            found.append(f"{name} {one} for {other}")
    return found


def _tolerance(monitor: str, value: float, n: int) -> float:
    if monitor in FROM_BINS:
        return FROM_BINS[monitor] * max(1.0, ROWS / max(n, 1))
    if monitor in LOG_BINS:
        return WITHIN_A_BIN * abs(value)
    return ARRIVALS * abs(value) if monitor == "labels" else OF_SUMS.get(monitor, SUMS)


def _of_last_conclusive(ours: Mapping[str, Any] | None, theirs: Mapping[str, Any] | None) -> list[str]:
    shown = [None if one is None else (one["window"], one["verdict"]) for one in (ours, theirs)]
    return [] if shown[0] == shown[1] else [f"last_conclusive {shown[0]} for {shown[1]}"]


def p_differences(lines: Iterable[Line], oracle: OracleResult, e_within: float = P_WITHIN) -> list[str]:
    """One sentence for each status line whose p, or e, is not the oracle's; relative, down to a thousandth of it."""
    found = []
    for line in of_kind(lines, "status"):
        theirs = oracle.status[line["manifest_digest"], line["monitor_id"], frozenset(line["scope"].items())]
        for word, within in (("p", P_WITHIN), ("e", e_within)):
            one, other = line["estimate"].get(word), theirs[word]
            if other is not None and (one is None or abs(one - other) > within * max(abs(other), 1e-3)):
                found.append(f"{line['monitor_id']} {line['scope']}: {word} {one} for {other}")
    return found


def summary_differences(lines: Sequence[Line], oracle: OracleResult) -> dict[str, tuple[Any, Any]]:
    """(ours, theirs) of each count of the ledger that differs."""
    ours = lines[-1]
    return {name: (ours[name], theirs) for name, theirs in oracle.summary.items() if ours[name] != theirs}


def incidents_of_service(lines: Iterable[Line]) -> list[IncidentFacts]:
    """Sorted facts of the incident lines, but for those that hang on the verdict of an approximation."""
    return sorted(
        (
            line["manifest_digest"], line["monitor_id"], str(sorted(line["scope"].items())), line["level"], line["state"],
            line["opened_at"], line["changed_at"], line["breached_since"], line["window"]["start"], line["window"]["end"],
        )
        for line in of_kind(lines, "incident")
        if line["monitor_id"] not in FROM_BINS
    )  # fmt: skip


def incidents_of_oracle(lines: Iterable[Line]) -> list[IncidentFacts]:
    """The same facts as the oracle tells them."""
    return sorted(
        (
            line["digest"], line["monitor_id"], str(sorted(line["scope"])), line["level"], line["state"],
            line["opened_at"], line["at"], line["breached_since"], line["window"]["start"], line["window"]["end"],
        )
        for line in lines
        if line["monitor_id"] not in FROM_BINS
    )  # fmt: skip
