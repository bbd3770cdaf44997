"""From a manifest document to a registration: what is checked before anything counts under it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from surveillance.errors import InvalidManifest, Problem
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.lint import RULES_OF_RELEASE, RULES_OF_WATCHING, lint, silent_zeros
from surveillance.manifest.lint_view import Rule
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.panes.plan import plan_of
from surveillance.registry import ALWAYS_MS, IN_FORCE_DELAY_MS, Registration

log = logging.getLogger(__name__)


def registration_of(document: Mapping[str, Any], source: str, *, registered_ms: int | None = None) -> Registration:
    """The registration of a manifest that was read from a file or a log.

    In force from `registered_ms` (broker time of the registration) + 60 s or `effective_from`, whichever is later; without
    `registered_ms`, as in replay and header time, from `effective_from`, else from the start.

    Raises:
        InvalidManifest: it cannot be watched by as it stands. Warnings, and errors that only keep a manifest from release,
            stop nothing; the latter are logged.
    """
    problems = _errors(document, RULES_OF_WATCHING)
    try:
        manifest = parse_manifest(document, source)
    except InvalidManifest:
        raise InvalidManifest(source, problems) from None  # faults of sense beside those of structure
    if problems:
        raise InvalidManifest(source, problems)
    for problem in _errors(document, RULES_OF_RELEASE):
        log.warning("%s: watched by in spite of an error of the manifest: %s", source, problem)
    for problem in silent_zeros(document):
        log.warning("%s: %s", source, problem)
    plan = plan_of(manifest, manifest_digest(document))
    return Registration(plan, in_force_ms(manifest, registered_ms))


def in_force_ms(manifest: Manifest, registered_ms: int | None) -> int:
    """Broker time from which a manifest is in force, as `registration_of` says."""
    effective_ms = manifest.surveillance.effective_from_ms
    earliest_ms = ALWAYS_MS if effective_ms is None else effective_ms
    return earliest_ms if registered_ms is None else max(registered_ms + IN_FORCE_DELAY_MS, earliest_ms)


def _errors(document: Mapping[str, Any], rules: Sequence[Rule]) -> list[Problem]:
    return [problem for problem in lint(document, rules) if problem.severity == "error"]
