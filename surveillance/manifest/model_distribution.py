"""A reference distribution as the manifest freezes it: shares over numeric bins or over categories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from surveillance.manifest.part import Count, NonNegative, Number, Part, Share

Probs = Annotated[
    Annotated[tuple[Share, ...], Tag("<list>")] | Annotated[dict[str, Share], Tag("<map>")],
    Discriminator(lambda value: "<map>" if isinstance(value, dict) else "<list>"),
]
"""Shares of bins in order, or by category."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """`probs` over B bins (`edges` has B + 1, ascending) or over B named `levels`; exactly one of the two is set.

    `n` = rows the shares were counted from, None where the manifest does not say.
    """

    edges: tuple[float, ...] | None
    levels: tuple[str, ...] | None
    probs: tuple[float, ...]
    n: int | None


class Bins(Part):
    """`edges` ascending, one more than `probs`."""

    edges: tuple[Number, ...]
    probs: tuple[Share, ...] | None = None


class StratumReference(Part):
    """The reference of one level of one axis. Without `bins` its shares stand over the bins of the whole."""

    n: Count | None = None
    missing: Share | None = None
    absent: Share | None = None
    out_of_range: Share | None = None
    bins: Bins | None = None
    probs: Probs | None = None
    mean: Number | None = None
    sd: NonNegative | None = None


class Reference(StratumReference):
    """A reference with, where the manifest gives them, references of its own per axis and level: `strata[axis][level]`."""

    strata: dict[str, dict[str, StratumReference]] = Field(default_factory=dict)

    @property
    def distribution(self) -> Distribution | None:
        """The overall distribution, None where no shares are given."""
        return _distribution(self, self.bins)

    def of(self, axis: str, level: str) -> StratumReference | None:
        """The reference that `axis` = `level` has of its own."""
        return self.strata.get(axis, {}).get(level)

    def distribution_of(self, axis: str, level: str) -> Distribution | None:
        """The distribution that `axis` = `level` has of its own; None where it has none, and the overall one serves."""
        own = self.of(axis, level)
        return _distribution(own, own.bins or self.bins) if own is not None else None


def _distribution(reference: StratumReference, bins: Bins | None) -> Distribution | None:
    probs: Any = reference.probs if reference.probs is not None else bins.probs if bins is not None else None
    if reference.bins is not None and reference.bins.probs is not None:
        probs = reference.bins.probs
    if isinstance(probs, dict):
        return Distribution(None, tuple(probs), tuple(probs.values()), reference.n)
    if probs is None or bins is None:
        return None
    return Distribution(bins.edges, None, probs, reference.n)
