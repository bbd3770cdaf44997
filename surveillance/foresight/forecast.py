"""`foresee`: what a manifest will do in the field it assumes. Nothing of it is read at run time."""

from __future__ import annotations

from dataclasses import dataclass

from surveillance.errors import Problem
from surveillance.foresight.assumed_shares import assumptions_on_shares
from surveillance.foresight.assumptions import Assumption, assumptions_of
from surveillance.foresight.blind_spots import blind_spots
from surveillance.foresight.false_alarms import FalseAlarms, false_alarms_of
from surveillance.foresight.fitting import BudgetLine, Fit, budget_of, fits_of, over_budget
from surveillance.foresight.foreseen_harm import ForeseenHarm, Stated, foreseen_harms, stated_harm
from surveillance.foresight.quiet_events import assumptions_on_events
from surveillance.foresight.quiet_rates import assumptions_on_rates
from surveillance.foresight.quiet_use import assumptions_on_use
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_operational import Operational


@dataclass(frozen=True, slots=True)
class Forecast:
    """`assumptions` that all of it rests on; false alarms by monitor and level, against the budget, with limits that would
    fit; what is seen of the `stated` harm; and what nobody would see."""

    assumptions: tuple[Assumption, ...]
    false_alarms: tuple[FalseAlarms, ...]
    budget: tuple[BudgetLine, ...]
    over_budget: tuple[Problem, ...]
    fits: tuple[Fit, ...]
    stated: Stated
    foreseen: tuple[ForeseenHarm, ...]
    blind_spots: tuple[Problem, ...]


def foresee(manifest: Manifest, seed: str) -> Forecast:
    """The forecast of a manifest for an average month; the same each time for one seed.

    With the id of the manifest as seed a revision moves the figures of what it changes, and no others by chance.
    """
    manifest = without_season(manifest)
    field = assumptions_of(manifest)
    monitors = manifest.surveillance.monitors
    alarms = [one for monitor in monitors for one in false_alarms_of(manifest, seed, field, monitor)]
    budget = budget_of(manifest, alarms)
    stated, foreseen = power_of(manifest, seed)
    return Forecast(
        assumptions=(
            *field.told,
            *assumptions_on_events(manifest, field),
            *assumptions_on_rates(manifest, field),
            *assumptions_on_shares(manifest, field),
            *assumptions_on_use(manifest, field),
        ),
        false_alarms=tuple(alarms),
        budget=tuple(budget),
        over_budget=tuple(over_budget(budget)),
        fits=tuple(fits_of(manifest, seed, field, alarms, budget)),
        stated=stated,
        foreseen=foreseen,
        blind_spots=tuple(blind_spots(manifest, foreseen, stated)),
    )


def power_of(
    manifest: Manifest, seed: str, *, effect: float | None = None, power: float | None = None
) -> tuple[Stated, tuple[ForeseenHarm, ...]]:
    """What each monitor and scope would see of the stated harm, and how soon; `effect` and `power` replace the manifest's."""
    manifest = without_season(manifest)
    field, stated = assumptions_of(manifest), stated_harm(manifest, effect, power)
    return stated, tuple(
        one for monitor in manifest.surveillance.monitors for one in foreseen_harms(manifest, seed, field, monitor, stated)
    )


def without_season(manifest: Manifest) -> Manifest:
    """The manifest as it judges an average month."""
    metrics = tuple(metric.model_copy(update={"month_factor": None}) for metric in manifest.baselines.metrics)
    baselines = manifest.baselines.model_copy(update={"metrics": metrics, "operational": _of_average_month(manifest)})
    return manifest.model_copy(update={"baselines": baselines})


def _of_average_month(manifest: Manifest) -> Operational:
    operational = manifest.baselines.operational
    volume = operational.expected_volume
    if volume is None or volume.month_factor is None:
        return operational
    mean = sum(volume.month_factor) / len(volume.month_factor)
    hours = {key: tuple(mean * hour for hour in each) for key, each in volume.hour_of_week.items()}
    average = volume.model_copy(update={"month_factor": None, "hour_of_week": hours})
    return operational.model_copy(update={"expected_volume": average})
