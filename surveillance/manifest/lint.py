"""Lint: what a manifest says that cannot work, or that its authors may not have meant, each with its path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest import (
    lint_baselines,
    lint_coverage,
    lint_filters,
    lint_ids,
    lint_lateness,
    lint_limits,
    lint_monitors,
    lint_references,
    lint_run_lengths,
    lint_sequential_tests,
    lint_sources,
    lint_spans,
)
from surveillance.manifest.lint_view import Rule, view_of
from surveillance.manifest.parse import read_structure

RULES_OF_RELEASE: tuple[Rule, ...] = (
    *lint_ids.RULES,
    *lint_references.RULES,
    *lint_baselines.RULES,
    *lint_monitors.RULES,
    *lint_limits.RULES,
    *lint_spans.RULES,
    *lint_lateness.RULES,
    *lint_filters.RULES,
    *lint_sources.RULES,
    *lint_coverage.RULES,
)
"""Rules that keep a manifest from release, or warn its authors."""

RULES: tuple[Rule, ...] = (*RULES_OF_RELEASE, *lint_run_lengths.RULES, *lint_sequential_tests.RULES)
"""Every rule, in the order of the answer; run lengths and errors are solved for, which takes about a second."""

RULES_OF_WATCHING: tuple[Rule, ...] = (
    lint_ids.ids_stand_once,
    lint_references.monitors_point_somewhere,
    lint_references.axes_are_declared,
    *lint_baselines.RULES,
    lint_monitors.windows_suit_metrics,
    lint_limits.persistence_can_be_met,
    lint_limits.intervals_suit_metrics,
    lint_limits.designs_are_possible,
    lint_limits.drift_never_rolls_back,
)
"""Rules without which something would be counted or judged wrongly. Errors of the others keep a manifest from release, and
are no reason to leave a fleet unwatched: a missing reference is `unknown_reference`, a trigger of no monitor never fires."""


RULES_OF_TELLING: tuple[Rule, ...] = (*lint_filters.RULES, *lint_sources.RULES)
"""Rules whose warnings are told wherever a manifest is taken up: what they name counts nothing, and looks like a quiet field."""


def lint(document: Any, rules: Sequence[Rule] = RULES) -> list[Problem]:
    """Every fault of structure and of sense, errors first. An empty list: nothing to mend.

    Faulty monitors do not hide the faults of the rest; a fault elsewhere must be mended before sense can be judged.
    """
    manifest, problems = read_structure(document)
    view = view_of(document, manifest, problems) if isinstance(document, dict) else None
    if view is not None:
        problems += [problem for rule in rules for problem in rule(view)]
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.severity != "error")


def silent_zeros(document: Any) -> list[Problem]:
    """What the rules of telling find in a document; nothing in one that lint must refuse."""
    manifest, problems = read_structure(document)
    view = view_of(document, manifest, problems) if isinstance(document, dict) else None
    return [problem for rule in RULES_OF_TELLING for problem in rule(view)] if view is not None else []
