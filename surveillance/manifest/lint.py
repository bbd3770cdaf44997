"""Lint: what a manifest says that cannot work, or that its authors may not have meant, each with its path."""

from __future__ import annotations

from typing import Any

from surveillance.errors import Problem
from surveillance.manifest import lint_baselines, lint_coverage, lint_ids, lint_limits, lint_monitors, lint_references
from surveillance.manifest.lint_view import Rule, view_of
from surveillance.manifest.parse import read_structure

RULES: tuple[Rule, ...] = (
    *lint_ids.RULES,
    *lint_references.RULES,
    *lint_baselines.RULES,
    *lint_monitors.RULES,
    *lint_limits.RULES,
    *lint_coverage.RULES,
)
"""Every rule, in the order of the answer."""


def lint(document: Any) -> list[Problem]:
    """Every fault of structure and of sense, errors first. An empty list: nothing to mend.

    Faulty monitors do not hide the faults of the rest; a fault elsewhere must be mended before sense can be judged.
    """
    manifest, problems = read_structure(document)
    view = view_of(document, manifest, problems) if isinstance(document, dict) else None
    if view is not None:
        problems += [problem for rule in RULES for problem in rule(view)]
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.severity != "error")
