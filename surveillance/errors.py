"""The errors of the product, as a tree. Facts are attributes; the message says what, where and how to mend it.

SurveillanceError
├─ InvalidManifest      every problem at once, each with its path
├─ InvalidEvent         topic, partition, offset, index, reason
├─ InvalidInput         a file, flag or setting of the user
│  └─ InvalidSetting    a setting, so wrong usage
├─ QuarantineLimit      too many invalid events: the partition stops and pages
├─ LogMismatch          the topic is not what the promise rests on
└─ StoreError
   ├─ StoreUnavailable  retry, do not advance
   └─ EvidenceConflict  same revision, other content: never overwrite
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SurveillanceError(Exception):
    """Root of every error this product raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document: where it is, what it is, and whether it stops use (`error`) or not (`warning`)."""

    path: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidManifest(SurveillanceError):
    """A manifest cannot be used. `problems` holds every fault at once."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} problem(s)\n{lines}")


class InvalidEvent(SurveillanceError):
    """An event cannot be counted; `reason` is one of the closed set of contract reason codes."""

    def __init__(
        self, reason: str, detail: str = "", *, topic: str = "", partition: int = 0, offset: int = 0, index: int = 0
    ) -> None:
        self.reason, self.detail = reason, detail
        self.topic, self.partition, self.offset, self.index = topic, partition, offset, index
        super().__init__(f"{topic}[{partition}]@{offset}#{index}: {reason}{': ' + detail if detail else ''}")


class InvalidInput(SurveillanceError):
    """A user's file, flag or setting cannot be used; `mend` says what to do."""

    def __init__(self, what: str, mend: str = "") -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what}\n  to mend: {mend}" if mend else what)


class InvalidSetting(InvalidInput):
    """A setting is missing, or its value cannot be used with this command."""


class QuarantineLimit(SurveillanceError):
    """Too many invalid events on one partition: it stops, so that a bad deploy is not drained into quarantine."""

    def __init__(self, partition: int, offset: int, invalid: int, of: int) -> None:
        self.partition, self.offset, self.invalid, self.of = partition, offset, invalid, of
        super().__init__(
            f"at offset {offset}, {invalid} of the last {of} events are invalid; "
            "find the sender in the quarantine topic, then restart the worker to go on"
        )


class LogMismatch(SurveillanceError):
    """The topic is not the log the promises rest on (timestamps, cleanup, partitions, epoch)."""

    def __init__(self, topic: str, problems: Sequence[str]) -> None:
        self.topic, self.problems = topic, tuple(problems)
        super().__init__(f"topic {topic} cannot be used:\n" + "\n".join(f"  {problem}" for problem in self.problems))


class StoreError(SurveillanceError):
    """The store refused or lost something."""


class StoreUnavailable(StoreError):
    """The store does not answer: nothing advances until it does."""


class EvidenceConflict(StoreError):
    """The same key and revision was offered with other content: it is never overwritten."""
