"""What is asked of the rows of one window and scope, and the answer: a number with its interval, or the reason there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import intervals
from .intervals import Interval
from .ledger import Event
from .policy import Document, Policy, Scope, Window
from .times import format_time

COUNTED_WORDS: dict[str, Callable[[Event], bool]] = {
    "inferences": lambda row: True,
    "alerts": lambda row: row.alert,
    "alert_onsets": lambda row: row.onset,
    "encounters": lambda row: row.encounter,
    "overrides": lambda row: row.alert and "override" in row.actions,
    "dismissals": lambda row: row.alert and "dismiss" in row.actions,
    "acks": lambda row: row.alert and "ack" in row.actions,
    "actioned_alerts": lambda row: row.actioned,
    "undelivered": lambda row: row.alert and "delivered" not in row.actions,
    "abstained": lambda row: bool(row.document.get("abstained", False)),
    "ineligible": lambda row: row.document.get("eligibility", {}).get("intended_use") is False,
    "labelled": lambda row: row.label is not None,
}
NESTED = {
    ("overrides", "actioned_alerts"), ("dismissals", "actioned_alerts"), ("acks", "actioned_alerts"),
    *((word, "alerts") for word in ("overrides", "dismissals", "acks", "actioned_alerts", "undelivered", "alert_onsets")),
    *((word, "inferences") for word in COUNTED_WORDS),
}  # fmt: skip


@dataclass(frozen=True)
class Measure:
    """A number with interval, or `reason`. Limits read `adjusted_p` before `p`; `thresholds` holds baselines of ratio limits.

    `e` = e-value, `identical` = consecutive windows with equal bin counts, `hit` = a run rule holds; None = not said. `basis` =
    earlier points that the number rests on as well: when one of them is revised, so is the number.
    """

    n: int
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    method: str = ""
    p: float | None = None
    adjusted_p: float | None = None
    reason: str | None = None
    needed: int | None = None
    thresholds: dict[str, float | None] = field(default_factory=dict)
    e: float | None = None
    identical: int | None = None
    hit: bool | None = None
    basis: tuple[float | None, ...] = ()

    @property
    def conclusive(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Question:
    """One scope of one monitor over one window. `rows` are its field-use inferences there (or its events: duplicate_rate).

    `peers` are the rows of every scope of the same axes in the window: what a gap and a funnel compare with.
    """

    policy: Policy
    monitor: Document
    scope: Scope
    window: Window
    end_ms: int
    watermark_ms: int
    rows: list[Event]
    start_ms: int = 0
    by: str = ""
    peers: list[Event] = field(default_factory=list)

    @property
    def metric(self) -> Document:
        found: Document = self.monitor["metric"]
        return found

    @property
    def type(self) -> str:
        return str(self.metric["type"])

    @property
    def feature(self) -> str:
        return dict(self.scope).get("feature") or str(self.metric.get("feature", "score"))

    @property
    def labelled(self) -> list[tuple[Event, int]]:
        return [(row, row.label.value) for row in self.rows if row.label is not None]

    @property
    def corrected(self) -> bool:
        return self.metric.get("verification_correction") == "begg_greenes"

    def season(self, metric_id: str) -> float:
        """Factor that `baselines.metrics` has for a metric in the month of the window's last instant; 1 where it has none."""
        entries = self.policy.baselines.get("metrics", [])
        factors = next((entry.get("month_factor") for entry in entries if entry["id"] == metric_id), None)
        return float(factors[int(format_time(self.end_ms - 1)[5:7]) - 1]) if factors else 1.0

    def stated_rate(self, numerator: str, exposure: str) -> tuple[float, float | None] | None:
        """What the manifest states per unit of exposure, in its season, and the exposure it was found in; None where nothing."""
        operational = self.policy.baselines.get("operational", {})
        keys = [f"{numerator}_per_100_{exposure}"]
        if numerator in ("alerts", "alert_onsets") and exposure == "encounters":
            keys.append("alerts_per_100_encounters")
        key = next((key for key in keys if key in operational), None)
        return None if key is None else (operational[key]["value"] / 100 * self.season(key), operational[key].get("n"))

    def proportion(self, k: float, n: float) -> tuple[str, Interval]:
        """Default method by window kind: wilson in tumbling windows, confidence_sequence in sliding and cumulative ones."""
        wanted = self.monitor.get("interval", {})
        fixed_look = self.window.tumbling and not self.window.cumulative
        method = wanted.get("method") or ("wilson" if fixed_look else "confidence_sequence")
        rule = {
            "wilson": intervals.wilson,
            "clopper_pearson": intervals.clopper_pearson,
            "confidence_sequence": intervals.confidence_sequence,
        }[method]
        return method, rule(k, n, self.level)

    @property
    def level(self) -> float:
        return float(self.monitor.get("interval", {}).get("level", 0.95))

    def share(self, k: int, n: int, thresholds: dict[str, float | None] | None = None) -> Measure:
        """The share k / n with the interval of the monitor."""
        method, (lower, upper) = self.proportion(k, n)
        return Measure(n, k / n, lower, upper, method, thresholds=thresholds or {})


def count(rows: list[Event], word: str) -> int:
    """Rows of which a counting word of the contract is true."""
    return sum(COUNTED_WORDS[word](row) for row in rows)
