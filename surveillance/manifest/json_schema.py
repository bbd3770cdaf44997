"""JSON Schema of the release manifest, made from the models that read it."""

from __future__ import annotations

from typing import Any

from surveillance.manifest.manifest import Manifest


def manifest_json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12). Monitors are closed: a key they do not know is refused; other sections take more keys.

    Which limit keys a metric type may use depends on the type and is checked beside the schema.
    """
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Manifest.model_json_schema(by_alias=True)
