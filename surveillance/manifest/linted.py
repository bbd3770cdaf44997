"""A manifest for use, or all that lint finds wrong with it: whoever mends it wants to do so once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surveillance.errors import InvalidManifest
from surveillance.manifest.lint import lint
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest, read_document


def load_linted(path: Path | str) -> tuple[Manifest, dict[str, Any]]:
    """Manifest and document of a YAML or JSON file.

    Raises:
        InvalidInput: the file cannot be read.
        InvalidManifest: it has faults of structure; those of sense stand beside them.
    """
    document = read_document(path)
    try:
        return parse_manifest(document, str(path)), document
    except InvalidManifest:
        problems = [problem for problem in lint(document) if problem.severity == "error"]
        raise InvalidManifest(str(path), problems) from None
