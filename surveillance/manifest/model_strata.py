"""Section `strata`: the axes by which the field is divided, and how small groups and many groups are treated."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from surveillance.manifest.part import Count, Level, Number, Part, Text


class Axis(Part):
    """One axis: `source` is the dotted path of the telemetry field. `bins` = n + 1 edges of n levels, closed on the left."""

    id: Text
    source: Text
    bins: tuple[Number, ...] | None = None
    labels: tuple[Level, ...] | None = None
    values: tuple[Level, ...] | None = None
    other: Text | None = None
    lawful_basis: dict[str, Any] = Field(default_factory=dict)

    @property
    def levels(self) -> tuple[str, ...] | None:
        """Declared levels in order; None where the axis takes whatever is sent."""
        if self.bins is None:
            return self.values
        return self.labels or tuple(f"[{low:g},{high:g})" for low, high in pairwise(self.bins))


class MinSample(Part):
    """Fewest rows a window needs before it is judged; 0 = no minimum."""

    inferences: Count = 0
    labelled: Count = 0
    positives: Count = 0


class Multiplicity(Part):
    """How p limits account for the many groups that are judged together."""

    method: Literal["benjamini_hochberg", "none"] = "benjamini_hochberg"
    family: Literal["per_window"] = "per_window"


class Strata(Part):
    """`below_min` None: a window below its minimum is inconclusive and nothing else."""

    axes: tuple[Axis, ...] = ()
    two_way: tuple[Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)], ...] = ()
    min_sample: MinSample = MinSample()
    below_min: Literal["accumulate", "pool_to_parent"] | None = None
    multiplicity: Multiplicity = Multiplicity(method="none")
