"""Section `release`: which artefacts were released, and the evidence behind them."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from surveillance.manifest.part import Count, Flag, Level, Part, Text


class Artefact(Part):
    """A released artefact known by its digest (`sha256:` + 64 hex)."""

    id: Text | None = None
    version: Level | None = None
    digest: Text | None = None


class Identities(Part):
    """What runs in the field under this release; telemetry is compared with these digests."""

    model_config = ConfigDict(extra="allow")

    source_commit: Text | None = None
    container_image: Text | None = None
    model: Artefact | None = None
    preprocessing: Artefact | None = None
    feature_schema: Artefact | None = None
    inference_config_digest: Text | None = None
    threshold_config_digest: Text | None = None
    explanation_config_digest: Text | None = None
    sbom_digest: Text | None = None
    model_bom_digest: Text | None = None

    @property
    def digests(self) -> dict[str, str]:
        """Digest by the name telemetry uses: `model_digest`, `preprocessing_digest`, `threshold_config_digest`, ...

        An artefact `x` with a digest gives `x_digest`; a key that ends in `_digest` stands as it is.
        """
        found: dict[str, str] = {}
        for name, value in self.model_dump().items():
            if isinstance(value, str) and name.endswith("_digest"):
                found[name] = value
            elif isinstance(value, dict) and isinstance(value.get("digest"), str):
                found[f"{name}_digest"] = value["digest"]
        return found


class Dataset(Part):
    """A frozen data set; `n` rows."""

    id: Text | None = None
    snapshot: Text | None = None
    digest: Text | None = None
    n: Count | None = None
    sites: Count | None = None


class Datasets(Part):
    """Data sets by their use."""

    training: tuple[Dataset, ...] = ()
    locked_validation: Dataset | None = None
    monitoring_baseline: Dataset | None = None


class EvidenceDocument(Part):
    """A document in the evidence store, named by id or version and digest."""

    id: Text | None = None
    version: Level | None = None
    revision: Count | None = None
    digest: Text | None = None
    issued: Text | None = None
    fresh_until: Text | None = None


class PredeterminedChange(Part):
    """Predetermined change control plan the change was made under."""

    plan_id: Text | None = None
    protocol_id: Text | None = None
    inside_bounds: Flag | None = None


class SignificantChange(Part):
    """Whether the change is significant to a regulator, and who said so."""

    answer: Text | None = None
    evaluated_by: Text | None = None
    record: Text | None = None


class Change(Part):
    """Why this release differs from the one before."""

    change_class: Annotated[Text | None, Field(alias="class")] = None
    types: tuple[Text, ...] = ()
    rationale: Text | None = None
    change_request: Text | None = None
    pccp: PredeterminedChange | None = None
    significant_change: SignificantChange | None = None


class Release(Part):
    """What was released. Only `release_id` is required."""

    release_id: Text
    previous_release_id: Text | None = None
    identities: Identities = Identities()
    datasets: Datasets = Datasets()
    evidence: dict[str, EvidenceDocument] = Field(default_factory=dict)
    change: Change | None = None
