"""Rules on what nobody watches: hazards, claims, and a manifest that nobody approved."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView, dangling


def status_is_approved(view: LintView) -> Iterator[Problem]:
    """A manifest in the field is approved."""
    if not view.manifest.is_approved:
        status = view.manifest.status
        yield Problem(
            "status", f"{status}: not approved for the field" if status else "no status: not approved for the field", "warning"
        )


def hazards_are_watched(view: LintView) -> Iterator[Problem]:
    """Each hazard has a monitor that can open an incident."""
    watched = {monitor.hazard_id for _, monitor in view.monitors if monitor.limits.by_level and not monitor.dry_run}
    severity = "error" if view.manifest.surveillance.coverage_rules.every_hazard_monitored else "warning"
    for index, hazard in enumerate(view.manifest.hazards):
        if view.complete and hazard.id not in watched:
            yield Problem(f"hazards[{index}]", f'no monitor watches hazard "{hazard.id}"', severity)


def claims_are_watched(view: LintView) -> Iterator[Problem]:
    """Each claim of the intended use is covered by a monitor, and coverage speaks of claims there are."""
    use = view.manifest.intended_use
    claims = [claim.id for claim in use.claims]
    severity = "error" if view.manifest.surveillance.coverage_rules.every_claim_monitored else "warning"
    for index, claim in enumerate(claims):
        if not use.claim_coverage.get(claim):
            yield Problem(
                f"intended_use.claims[{index}]", f'no monitor covers claim "{claim}" in intended_use.claim_coverage', severity
            )
    for claim in use.claim_coverage:
        if claim not in claims:
            yield dangling(f"intended_use.claim_coverage.{claim}", "claim", claim, claims)


RULES = (status_is_approved, hazards_are_watched, claims_are_watched)
