"""Rules on names: each stands once, and digests are written as digests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.digest import join
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.part import is_extension

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def ids_stand_once(view: LintView) -> Iterator[Problem]:
    """Monitors, windows, axes, hazards, features, claims and stop conditions are named once each."""
    manifest = view.manifest
    canary = manifest.rollout.canary
    named: dict[str, list[tuple[str, str]]] = {
        "monitor": [(f"{path}.id", monitor.id) for path, monitor in view.monitors],
        "window": [(f"surveillance.windows[{i}].id", window.id) for i, window in enumerate(manifest.surveillance.windows)],
        "axis": [(f"strata.axes[{i}].id", axis.id) for i, axis in enumerate(manifest.strata.axes)],
        "hazard": [(f"hazards[{i}].id", hazard.id) for i, hazard in enumerate(manifest.hazards)],
        "feature": [(f"baselines.features[{i}].name", feature.name) for i, feature in enumerate(manifest.baselines.features)],
        "claim": [(f"intended_use.claims[{i}].id", claim.id) for i, claim in enumerate(manifest.intended_use.claims)],
        "stop condition": [
            (f"rollout.canary.stop_conditions[{i}].id", stop.id)
            for i, stop in enumerate(canary.stop_conditions if canary else ())
        ],
    }
    for what, places in named.items():
        times = Counter(name for _, name in places)
        first = {name: path for path, name in reversed(places)}
        for path, name in places:
            if times[name] > 1 and path != first[name]:
                yield Problem(path, f'{what} "{name}" stands {times[name]} times, first at {first[name]}')


def digests_are_digests(view: LintView) -> Iterator[Problem]:
    """`sha256:` + 64 lower-case hexadecimal digits: an error where telemetry is compared with it, a warning elsewhere."""
    yield from _digests(view.document, "")


def _digests(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, child in value.items():
            if is_extension(key):
                continue
            place = join(path, key)
            named = key == "digest" or key.endswith("_digest") or (isinstance(child, str) and child.startswith("sha256:"))
            if named and isinstance(child, str) and not _DIGEST.fullmatch(child):
                severity = "error" if path.startswith("release.identities") else "warning"
                yield Problem(place, f'expected sha256: and 64 lower-case hexadecimal digits, got "{child}"', severity)
            yield from _digests(child, place)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _digests(child, join(path, index))


RULES = (ids_stand_once, digests_are_digests)
