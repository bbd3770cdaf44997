"""What the release is and who stands for it: device, intended use, approvals, hazards, gates, regulation, privacy, waivers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from surveillance.manifest.part import (
    CalendarDuration,
    Count,
    Flag,
    NonNegative,
    Number,
    Pair,
    Part,
    PositiveCount,
    Share,
    Text,
    TimeMs,
)


class Authorisation(Part):
    """A market authorisation; `valid_until` None = without end."""

    market: Text
    ref: Text | None = None
    valid_until: Text | None = None


class Device(Part):
    """The device as its registrations name it."""

    name: Text | None = None
    manufacturer_srn: Text | None = None
    basic_udi_di: Text | None = None
    udi_di: Text | None = None
    udi_pi: dict[str, Any] = Field(default_factory=dict)
    product_type: Text | None = None
    risk: dict[str, Any] = Field(default_factory=dict)
    markets: tuple[Text, ...] = ()
    authorisations: tuple[Authorisation, ...] = ()


class Claim(Part):
    """A claim of the intended use."""

    id: Text
    text: Text | None = None


class IntendedUse(Part):
    """What the device is for; `claim_coverage` = monitors that watch each claim."""

    statement: Text | None = None
    claims: tuple[Claim, ...] = ()
    population: dict[str, Any] = Field(default_factory=dict)
    users: tuple[Text, ...] = ()
    output_action: Text | None = None
    claim_coverage: dict[str, tuple[Text, ...]] = Field(default_factory=dict)


class Threshold(Part):
    """A named operating threshold."""

    name: Text
    value: Number
    alert_priority: Text | None = None


class Abstain(Part):
    """When the device gives no answer."""

    input_quality_below: Number | None = None
    ood_above: Number | None = None


class OperatingPoint(Part):
    """Thresholds on the score, and when the device abstains."""

    score_range: Pair = (0, 1)
    thresholds: tuple[Threshold, ...] = ()
    abstain: Abstain = Abstain()

    def threshold(self, name: str) -> float | None:
        """Value of the named threshold."""
        return next((threshold.value for threshold in self.thresholds if threshold.name == name), None)


class Approval(Part):
    """Printed name, time and meaning of a signature (21 CFR 11.50)."""

    role: Text
    user: Text | None = None
    printed_name: Text | None = None
    meaning: Text | None = None
    signed_at_ms: Annotated[TimeMs | None, Field(alias="signed_at")] = None


class RequiredApproval(Part):
    """How many people of a role must approve."""

    role: Text
    min: PositiveCount = 1


class Hazard(Part):
    """A hazard of the risk file."""

    id: Text
    text: Text | None = None
    harm: Text | None = None
    severity: Text | None = None
    assumed_rate_per_10k: NonNegative | None = None
    control: Text | None = None


class Regression(Part):
    """A metric that must not get worse."""

    id: Text
    metric: Text
    at: Text | None = None
    vs: Text | None = None
    non_inferiority_margin: NonNegative | None = None
    confidence: Share | None = None
    strata: tuple[Text, ...] = ()
    floor: Number | None = None
    ceiling: Number | None = None
    delta_to_overall: NonNegative | None = None
    range: Pair | None = None


class FieldRequirements(Part):
    """What the field must have shown before promotion; insufficient evidence is never a pass."""

    min_exposure: dict[str, Count] = Field(default_factory=dict)
    no_open_incident_at_or_above: Text | None = None
    max_evidence_age_days: NonNegative | None = None
    label_coverage_min: Share | None = None
    monitor_coverage_min: Share | None = None
    verdict_on_insufficient: Literal["hold", "fail"] = "hold"


class FieldPromotion(Part):
    """From which status to which, and what that takes."""

    from_status: Annotated[Text | None, Field(alias="from")] = None
    to_status: Annotated[Text | None, Field(alias="to")] = None
    requires: FieldRequirements = FieldRequirements()


class Gates(Part):
    """What must hold before promotion."""

    must_not_regress: tuple[Regression, ...] = ()
    field_promotion: FieldPromotion | None = None
    looks: Any = None


class PmsPlan(Part):
    """The post-market surveillance plan this manifest implements."""

    id: Text | None = None
    revision: Count | None = None
    digest: Text | None = None


class TrendMethod(Part):
    """The monitor that tests the trend of MDR Art. 88."""

    monitor: Text
    observation_period: CalendarDuration | None = None


class Regulatory(Part):
    """Time zone and clocks of the regulators concerned."""

    pms_plan: PmsPlan | None = None
    psur_interval: CalendarDuration | None = None
    time_zone: Text = "UTC"
    trend_method: TrendMethod | None = None
    clocks: tuple[Text, ...] = ()
    imdrf_defaults: dict[str, Any] = Field(default_factory=dict)
    competent_authorities: dict[str, Text] = Field(default_factory=dict)


class Pseudonym(Part):
    """How tokens of encounters are made."""

    scheme: Text | None = None
    key_rotation: CalendarDuration | None = None
    rotate_with_linkage_table: Flag = False


class Generalisation(Part):
    """How a field is made coarser before it is stored."""

    field: Text
    top_code: Number | None = None
    to: Text | None = None


class Privacy(Part):
    """`retention` values are ISO 8601 durations, or a rule in words."""

    pseudonym: Pseudonym | None = None
    allow_list: Any = None
    forbid: tuple[Text, ...] = ()
    generalise: tuple[Generalisation, ...] = ()
    small_cell_threshold: Count = 11
    residency: dict[str, Text] = Field(default_factory=dict)
    lawful_basis: dict[str, Any] = Field(default_factory=dict)
    legal_hold: Text | None = None
    retention: dict[str, Text] = Field(default_factory=dict)


class Waiver(Part):
    """A signed, expiring exception for one monitor."""

    id: Text
    monitor: Text | None = None
    scope: Any = None
    reason: Text | None = None
    signed_by: Any = None
    expires_at: Text | None = None
