"""Inferences of eight scanners at four sites, of two vendors, of which some begin to send brighter images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from surveillance.manifest.parse import read_document
from surveillance.times import HOUR_MS, to_text
from tests.scenario.stage import BEGIN_MS

Document = dict[str, Any]

HOURS, ONSET = 60, 48
"""Hours told, and the hour from which on things are different: a midnight."""
ONSET_MS = BEGIN_MS + ONSET * HOUR_MS
A_HOUR = 120
"""Patients an hour, over all scanners."""
BRIGHTER, SD = {"VendorA": 0.5, "VendorB": -0.5, "VendorC": 2.0}, 0.7
"""How much brighter the images of a vendor always were, and how they differ from patient to patient."""
EDGES = (-4.0, -0.8, -0.25, 0.25, 0.8, 4.0)


class Scanner(NamedTuple):
    """One device, which stays where it is."""

    number: int
    site: str
    vendor: str
    releases: tuple[str, str] = ("triage-1", "triage-1")
    """Before and after the onset."""
    is_after: bool = False

    def at(self, is_after: bool) -> Scanner:
        """As it is before the onset, or after."""
        return self._replace(is_after=is_after)

    @property
    def release(self) -> str:
        return self.releases[self.is_after]

    @property
    def is_odd(self) -> bool:
        """One scanner of each site, half of them of either vendor."""
        return self.number in (0, 3, 4, 7)


SITES = ("north", "south", "west", "east")
SCANNERS = tuple(Scanner(2 * at + vendor, site, f"Vendor{'AB'[vendor]}") for at, site in enumerate(SITES) for vendor in range(2))


class Plan(NamedTuple):
    """Which scanners, as they are before or after the onset, send images brighter by `shift`, and with which firmware.

    `vendor_b` = share of patients that go to scanners of VendorB, before and after. `sensitivity` by site, for patients whose
    outcome is told within a minute; a site that is not named tells of none.
    """

    drifts: Callable[[Scanner], bool] = lambda scanner: False
    shift: float = 1.5
    onset_ms: int = ONSET_MS
    firmware: Callable[[Scanner], str] = lambda scanner: "1.0"
    vendor_b: tuple[float, float] = (0.5, 0.5)
    scanners: tuple[Scanner, ...] = SCANNERS
    replaced_by: tuple[Scanner, ...] = ()
    """What stands in the place of the scanners of these numbers after the onset."""
    sensitivity: Mapping[str, float] = MappingProxyType({})
    hours: int = HOURS
    a_hour: int = A_HOUR
    seed: int = 3


def manifest(*, release: int = 1, drift_by: tuple[str, ...] = (), sensitivity_by: tuple[str, ...] = ()) -> Document:
    """The ward's manifest with hourly drift of the pixels, and sensitivity over six hours."""
    document: Document = read_document(Path(__file__).parent / "ward.manifest.yaml")
    document |= {"manifest_id": f"rm-triage-{release}"}
    document["release"] |= {"release_id": f"triage-{release}"}
    surveillance = document["surveillance"]
    surveillance["windows"].append({"id": "w6h", "size": "PT6H", "slide": "PT1H"})
    pixels = document["baselines"]["features"][0]
    pixels["bins"] = {"edges": list(EDGES), "probs": quiet_shares()}
    wanted = {one["id"]: one for one in surveillance["monitors"] if one["id"] in ("drift", "sensitivity")}
    wanted["drift"] |= {"window": "w1h"} | ({"by": list(drift_by)} if drift_by else {})
    wanted["sensitivity"] |= {"window": "w6h"} | ({"by": list(sensitivity_by)} if sensitivity_by else {})
    surveillance["monitors"] = list(wanted.values())
    document["rollback"] = {}
    return document


def quiet_shares() -> list[float]:
    """What share of the images falls into each bin while nothing has happened, half of them from each vendor."""
    below = [
        np.mean([NormalDist(centre, SD).cdf(edge) for centre in (BRIGHTER["VendorA"], BRIGHTER["VendorB"])])
        for edge in EDGES[1:-1]
    ]
    return [round(float(share), 6) for share in np.diff([0.0, *below, 1.0])]


def events(plan: Plan) -> Iterator[bytes]:
    """Every event in order of arrival."""
    rng = np.random.default_rng(plan.seed)
    by_vendor = {vendor: [one for one in plan.scanners if one.vendor == vendor] for vendor in BRIGHTER}
    replaced = {one.number: one for one in plan.replaced_by}
    step_ms = HOUR_MS // plan.a_hour
    for number, at_ms in enumerate(range(BEGIN_MS, BEGIN_MS + plan.hours * HOUR_MS, step_ms), 1):
        is_after = at_ms >= plan.onset_ms
        of_vendor = by_vendor["VendorB" if rng.random() < plan.vendor_b[is_after] else "VendorA"]
        chosen = of_vendor[int(rng.integers(len(of_vendor)))]
        scanner = (replaced.get(chosen.number, chosen) if is_after else chosen).at(is_after)
        pixels = rng.normal(BRIGHTER[scanner.vendor] + plan.shift * plan.drifts(scanner), SD)
        told, is_ill = scanner.site in plan.sensitivity, number % 3 == 0
        is_caught = told and is_ill and rng.random() < plan.sensitivity[scanner.site]
        envelope = {
            "schema_version": 2,
            "product": "triage",
            "site_id": scanner.site,
            "device_id": f"scanner-{scanner.number}",
            "release_id": scanner.release,
        }
        yield _line(
            envelope
            | {
                "schema": "pms.inference",
                "event_id": f"e-{number}",
                "event_time": to_text(at_ms),
                "ingest_time": to_text(at_ms),
                "inference_id": f"i-{number}",
                "score": 0.9 if is_caught else 0.1,
                "alert_raised": is_caught,
                "threshold_applied": 0.5,
                "features": {"px": round(float(np.clip(pixels, -4, 4)), 4)},
                "device_context": {"vendor": scanner.vendor, "firmware": plan.firmware(scanner)},
                "model_digest": f"sha256:{1:064x}",
            }
        )
        if told:
            arrival_ms = at_ms + step_ms - 1
            yield _line(
                envelope
                | {
                    "schema": "pms.outcome",
                    "event_id": f"o-{number}",
                    "event_time": to_text(arrival_ms),
                    "ingest_time": to_text(arrival_ms),
                    "outcome_id": f"o-{number}",
                    "inference_id": f"i-{number}",
                    "label": int(is_ill),
                    "label_kind": "report",
                    "label_time": to_text(arrival_ms),
                }
            )


def _line(event: Document) -> bytes:
    return json.dumps(event).encode()
