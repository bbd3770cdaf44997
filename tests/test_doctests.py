"""The examples in docstrings run, and each detector has one with a number and names the paper that its method is from."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import re
from collections.abc import Mapping
from types import ModuleType

import pytest

from tests.project_tree import module_name, sources

FEWEST_EXAMPLES = 200
PROMPT = re.compile(r"^\s*>>> ", re.MULTILINE)
# An author and the year, as in the samples of the last test below.
PAPER = re.compile(r"\b[A-Z][\w-]+(?: et al\.)?(?:'s(?: [a-z-]+){0,4})?\s\(?(?:18|19|20)\d\d\b")

# Modules of detectors/ that follow no published method, each with the reason why there is nothing to cite.
NEED_NO_PAPER: Mapping[str, str] = {
    "detectors.arrays": "names of array types",
    "detectors.estimate": "the result type",
    "detectors.label_arrivals": "interpolates between a manifest's percentiles and adds up",
    "detectors.occupied": "an index of bins in use",
    "detectors.outcomes": "puts results together",
    "detectors.score_bins": "counts by score bin, read once",
    "detectors.within_bin": "the one-step density of a count and a mean between two edges",
    "detectors.score_sketch": "the project's own bins",
}

TEXTS = {module_name(path): text for path, text in sources().items()}
WITH_EXAMPLES = sorted(name for name, text in TEXTS.items() if PROMPT.search(text))
DETECTORS = sorted(name for name in TEXTS if name.startswith("detectors."))


def failures(module: ModuleType) -> str:
    """What a run of the module's examples reports; empty where all are right."""
    report = io.StringIO()
    runner = doctest.DocTestRunner(verbose=False)
    for found in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(found, out=report.write)
    return report.getvalue()


def docstrings(text: str) -> list[str]:
    """Of a module, its classes and its functions."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    found = [ast.get_docstring(node) for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return [docstring for docstring in found if docstring]


def shows_a_number(text: str) -> bool:
    examples = [one for docstring in docstrings(text) for one in doctest.DocTestParser().get_examples(docstring)]
    return any(re.search(r"\d", one.want) for one in examples)


def cites_a_paper(text: str) -> bool:
    return any(PAPER.search(docstring) for docstring in docstrings(text))


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_right(name: str) -> None:
    module = importlib.import_module(name)
    examples = sum(len(found.examples) for found in doctest.DocTestFinder().find(module))
    assert examples == len(PROMPT.findall(TEXTS[name])), "an example stands where doctest does not look, as in a cached_property"
    assert failures(module) == ""


def test_there_are_examples() -> None:
    assert sum(len(PROMPT.findall(text)) for text in TEXTS.values()) >= FEWEST_EXAMPLES
    assert {name.split(".")[0] for name in WITH_EXAMPLES} >= {"detectors", "surveillance"}


def test_a_wrong_example_is_reported() -> None:
    module = ModuleType("wrong", ">>> 1 + 1\n3\n")
    assert "Expected:\n    3\nGot:\n    2" in failures(module)
    assert failures(ModuleType("right", ">>> 1 + 1\n2\n")) == ""


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_has_an_example_with_a_number(name: str) -> None:
    assert shows_a_number(TEXTS[name])


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - NEED_NO_PAPER.keys()))
def test_a_detector_names_its_paper(name: str) -> None:
    assert cites_a_paper(TEXTS[name])


def test_what_needs_no_paper_is_there_and_names_none() -> None:
    assert set(DETECTORS) >= NEED_NO_PAPER.keys()
    assert [name for name in NEED_NO_PAPER if cites_a_paper(TEXTS[name])] == []


@pytest.mark.parametrize(
    ("docstring", "number", "paper"),
    [
        ("Score interval (Wilson 1927, JASA 22:209).\n>>> 1 + 1\n2", True, True),
        ("That of Kaplan & Meier (1958, JASA 53:457).\n>>> 'a'\n'a'", False, True),
        ("Sankaran's square-root approximation (1959, Biometrika 46:235).", False, True),
        ("Holds at all n (Howard et al. 2021).", False, True),
        ("For its sources see `intervals`; 1927 bins.\n>>> 2 < 1\nFalse", False, False),
    ],
)
def test_what_counts_as_a_number_and_as_a_paper(docstring: str, number: bool, paper: bool) -> None:
    text = f'"""{docstring}\n"""'
    assert (shows_a_number(text), cites_a_paper(text)) == (number, paper)
    assert not shows_a_number(f"# {docstring.splitlines()[0]}")
