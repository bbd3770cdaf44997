"""From a document to a `Manifest`: every fault at once, each with its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from surveillance.errors import InvalidInput, InvalidManifest, Problem
from surveillance.manifest import shape
from surveillance.manifest.digest import join, json_problems, manifest_digest
from surveillance.manifest.limit_keys import limit_key_problems
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_metrics import METRIC_CLASSES
from surveillance.manifest.part import shown
from surveillance.manifest.yaml12 import load_document


def parse_manifest(document: Any, source: str = "manifest") -> Manifest:
    """The typed tree of a document as `load_document` gives it.

    Raises:
        InvalidManifest: every error of structure, type, range or limit key, each with its path.
    """
    manifest, problems = read_structure(document)
    errors = [problem for problem in problems if problem.severity == "error"]
    if manifest is None or errors:
        raise InvalidManifest(source, errors)
    return manifest


def load_manifest(path: Path | str) -> tuple[Manifest, dict[str, Any], str]:
    """Manifest, document and digest of a YAML or JSON file.

    Raises:
        InvalidInput: the file cannot be read.
        InvalidManifest: what it holds is no manifest.
    """
    document = read_document(path)
    return parse_manifest(document, str(path)), document, manifest_digest(document)


def read_document(path: Path | str) -> dict[str, Any]:
    """The document of a YAML or JSON file.

    Raises:
        InvalidInput: the file cannot be read.
        InvalidManifest: what it holds is no document.
    """
    try:
        written = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"manifest {path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    return load_document(written, str(path))


def read_structure(document: Any) -> tuple[Manifest | None, list[Problem]]:
    """The manifest, None where it has a fault of type or range, and what is wrong with its structure, warnings included."""
    if not isinstance(document, dict):
        return None, [Problem("", f"expected a map of sections, got {shown(document)}")]
    unwritable = list(json_problems(document))
    if unwritable:
        return None, unwritable
    whole = _whole_numbers(document)
    problems = shape.unknown_keys(whole)
    limits = {problem.path: problem for problem in limit_key_problems(whole)}
    problems = [problem for problem in problems if problem.path not in limits] + list(limits.values())
    try:
        manifest = Manifest.model_validate(whole)
    except ValidationError as invalid:
        faults = (_fault(error, whole) for error in invalid.errors(include_url=False))
        return None, list(dict.fromkeys([*faults, *problems]))
    return manifest, problems


def _whole_numbers(value: Any) -> Any:
    """1.0 is 1 in RFC 8785, so it is 1 here: one digest must not have two readings."""
    if isinstance(value, dict):
        return {key: _whole_numbers(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _fault(error: ErrorDetails, document: dict[str, Any]) -> Problem:
    path, node, value = _locate(error, document)
    match error["type"]:
        case "missing":
            return Problem(path, f"required, but missing: expected {shape.described(node)}")
        case "union_tag_not_found" if path.endswith(".metric"):
            return Problem(join(path, "type"), "required, but missing: expected the type of the metric")
        case "union_tag_invalid" if path.endswith(".metric"):
            tag = value.get("type")
            close = shape.nearest(str(tag), METRIC_CLASSES)
            return Problem(join(path, "type"), f"expected a metric type, the nearest is {close}, got {shown(tag)}")
        case "value_error":
            return Problem(path, str(error["ctx"]["error"]))
        case _:
            return Problem(path, f"expected {shape.described(node)}, got {shown(value)}")


def _locate(error: ErrorDetails, document: dict[str, Any]) -> tuple[str, shape.Node, Any]:
    """Path, schema and value of an error. Steps that name a choice among types are no places of the document."""
    path, node = "", shape.root()
    value: Any = document
    steps = error["loc"]
    for position, step in enumerate(steps):
        is_choice = "discriminator" in node
        node = shape.resolve(node, value)
        is_place = _has(value, step) or (error["type"] == "missing" and position == len(steps) - 1)
        if is_place and not is_choice:
            path = join(path, step)
            node = shape.child(node, step) or {}
            value = value[step] if _has(value, step) else None
    return path, node, value


def _has(value: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value
