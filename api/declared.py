"""What the manifest of an incident tells those who answer it: steps to take, level of the interval, what it counts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from api.desk import Line
from surveillance.errors import InvalidManifest
from surveillance.incidents.lines import counts_from_first_event, level_text
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.manifest.yaml12 import load_document
from surveillance.store.protocol import Store

_MANIFESTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Declared:
    """`interval_level` as text; `counts_from_first_event`: whether `breached_since` is no window of a breach."""

    steps: Sequence[str]
    interval_level: str
    counts_from_first_event: bool


class Declarations:
    """The manifests of some incidents as they are registered; of the service's own incidents there is none."""

    def __init__(self, manifests: Mapping[str, Manifest]) -> None:
        self._manifests = manifests

    def of(self, incident: Line) -> Declared | None:
        """None where the manifest or the monitor is not known."""
        manifest = self._manifests.get(incident.get("manifest_digest", ""))
        monitor = None if manifest is None else manifest.monitor(incident["monitor_id"])
        if manifest is None or monitor is None:
            return None
        playbook = manifest.playbooks.get(monitor.playbook or "")
        steps = () if playbook is None else playbook.steps
        return Declared(steps, level_text(monitor.interval.level), counts_from_first_event(monitor))


def declarations(store: Store, incidents: Iterable[Line]) -> Declarations:
    """Blocks. Raises StoreUnavailable."""
    digests = sorted({one["manifest_digest"] for one in incidents if "manifest_digest" in one})
    documents = store.newest("manifests", keys=digests) if digests else ()
    read = {one.manifest_digest: _manifest(one.body) for one in documents}
    return Declarations({digest: manifest for digest, manifest in read.items() if manifest is not None})


@lru_cache(_MANIFESTS_KEPT)
def _manifest(body: str) -> Manifest | None:
    """None for one that an earlier release of the service took and this one cannot read: the page is shown without it."""
    try:
        return parse_manifest(load_document(body.encode(), "registered manifest"))
    except InvalidManifest:
        return None
