"""The ledger as numbers: produced = counted + duplicates + quarantined + late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surveillance.panes.groups import scope_of


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where every event went. `quarantined` by reason."""

    counted: int = 0
    duplicates: int = 0
    late: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        return self.counted + self.duplicates + self.late + sum(self.quarantined.values())

    @staticmethod
    def of_totals(totals: Mapping[str, int]) -> Ledger:
        """The ledger from the totals of the ledger statistic by group."""
        found: dict[str, int] = {}
        quarantined: dict[str, int] = {}
        for text, count in totals.items():
            scope = scope_of(text)
            if scope["disposition"] == "quarantined":
                quarantined[scope["reason"]] = quarantined.get(scope["reason"], 0) + count
            else:
                found[scope["disposition"]] = found.get(scope["disposition"], 0) + count
        return Ledger(found.get("counted", 0), found.get("duplicate", 0), found.get("late", 0), dict(sorted(quarantined.items())))

    def line(self) -> dict[str, Any]:
        """The counts as the summary line writes them."""
        return {
            "events": self.events,
            "counted": self.counted,
            "duplicates": self.duplicates,
            "quarantined": dict(self.quarantined),
            "late": self.late,
        }
