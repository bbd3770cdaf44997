"""`baselines.operational`: volumes, rates and delays that the release was expected to have in use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from surveillance.manifest.part import NonNegative, Number, NumberOrMap, Pair, Part, Positive, Text

HoursOfWeek = Annotated[tuple[NonNegative, ...], Field(min_length=168, max_length=168)]


class ExpectedVolume(Part):
    """Inferences expected in each hour of the week, Monday 00:00 UTC first; keys are site ids, or one key for all."""

    per: Literal["site", "overall"] = "overall"
    hour_of_week: dict[str, HoursOfWeek] = Field(default_factory=dict)
    month_factor: Annotated[tuple[Positive, ...], Field(min_length=12, max_length=12)] | None = None
    dispersion: Positive | None = None

    def hours(self, site: str | None = None) -> tuple[float, ...] | None:
        """The 168 numbers of `site`, or the overall ones; None where the manifest gives none for it."""
        if site is not None:
            return self.hour_of_week.get(site) if self.per == "site" else None
        return next(iter(self.hour_of_week.values()), None) if self.per == "overall" else None


class Figure(NumberOrMap):
    """An operational number. A plain number is read as `{value: number}`; delays have quantiles instead of a value.

    `n` = exposures the value was measured on: with it, a rate ratio is judged against a measured reference.
    """

    value: Number | None = None
    ci95: Pair | None = None
    n: NonNegative | None = None
    p50: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    strata: dict[str, dict[str, Figure]] = Field(default_factory=dict)


class Operational(Part):
    """Known keys, and any other key as a `Figure`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Figure] = Field(init=False)

    expected_volume: ExpectedVolume | None = None
    alerts_per_100_encounters: Figure | None = None
    strata: dict[str, dict[str, dict[str, Figure]]] = Field(default_factory=dict)
    digest: Text | None = None

    def figure(self, key: str, axis: str | None = None, level: str | None = None) -> Figure | None:
        """The figure `key`; with `axis` and `level` only the one which that level has of its own.

        A level's own figure stands under `strata.{axis}.{level}.{key}` or under `{key}.strata.{axis}.{level}`.
        """
        overall = (
            self.alerts_per_100_encounters if key == "alerts_per_100_encounters" else (self.__pydantic_extra__ or {}).get(key)
        )
        if axis is None or level is None:
            return overall
        own = self.strata.get(axis, {}).get(level, {}).get(key)
        return own or (overall.strata.get(axis, {}).get(level) if overall is not None else None)

    def nearest(self, key: str, own: tuple[str, str] | None) -> Figure | None:
        """The figure `key` of (axis, level) `own` where it has one, else the overall one."""
        return (self.figure(key, *own) if own is not None else None) or self.figure(key)
