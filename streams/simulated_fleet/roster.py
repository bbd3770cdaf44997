"""Who sends: 12 sites with scanners of 4 vendors, 40 devices behind one gateway per site."""

from __future__ import annotations

from dataclasses import dataclass

SITES, DEVICES = 12, 40
VENDORS = ("VendorA", "VendorB", "VendorC", "VendorD")
OLD_SOFTWARE = "VendorD"
"""Its devices still send version 1 of the telemetry."""
SHIFTED_SITE = "site-07"
"""Where the scanners get the firmware that shifts the images."""


@dataclass(frozen=True, slots=True)
class Device:
    """A scanner with the model in it; all devices of a site are of one vendor."""

    device_id: str
    site_id: str
    vendor: str

    @property
    def gateway_id(self) -> str:
        return f"gw-{self.site_id}"

    @property
    def schema_version(self) -> int:
        return 1 if self.vendor == OLD_SOFTWARE else 2


def _device(number: int) -> Device:
    site = number % SITES
    return Device(f"scanner-{number + 1:02d}", f"site-{site + 1:02d}", VENDORS[site % len(VENDORS)])


ROSTER = tuple(_device(number) for number in range(DEVICES))
