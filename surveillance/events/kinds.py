"""The ten event kinds as they stand on the wire, one struct per kind for versions 1 and 2.

Version 2 only adds, so its fields are optional here and a version 1 event leaves them unset: unset is the explicit
unknown, and everything downstream sees one shape. A null in an optional field says the same as not sending it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from surveillance.events.batch import Kind

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128)]
Text: TypeAlias = Annotated[str, Meta(max_length=1024)]
Pointer: TypeAlias = Annotated[str, Meta(max_length=2048)]
Time: TypeAlias = Annotated[
    str, Meta(max_length=64, description="RFC 3339 with Z or an offset", extra_json_schema={"format": "date-time"})
]
Digest: TypeAlias = Annotated[
    str, Meta(max_length=71, description="sha256 digest", extra_json_schema={"pattern": "^sha256:[0-9a-fA-F]{64}$"})
]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""Columns hold numbers as 64-bit floats, so whole numbers end where those stop being exact."""
SequenceNumber: TypeAlias = Annotated[int, Meta(ge=0, extra_json_schema={"maximum": 2**64 - 1})]
"""An unsigned 64-bit integer; its upper bound is more than a decoder's constraint can hold, so `checks` holds it."""
Whole: TypeAlias = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Positive: TypeAlias = Annotated[float, Meta(ge=0)]
Scalar: TypeAlias = float | bool | Text | None
Feature: TypeAlias = float | Text | None

NoText: TypeAlias = Text | None | UnsetType
NoTime: TypeAlias = Time | None | UnsetType
NoFloat: TypeAlias = float | None | UnsetType
NoBool: TypeAlias = bool | None | UnsetType


class Clock(Struct, gc=False):
    source: Literal["ntp", "ptp", "none"] | None | UnsetType = UNSET
    offset_ms: NoFloat = UNSET
    uncertainty_ms: NoFloat = UNSET
    synced_at: NoTime = UNSET


class Context(Struct, gc=False):
    age_years: NoFloat = UNSET
    sex: NoText = UNSET
    setting: NoText = UNSET
    body_part: NoText = UNSET
    race_ethnicity: NoText = UNSET


class DeviceContext(Struct, gc=False):
    vendor: NoText = UNSET
    model: NoText = UNSET
    firmware: NoText = UNSET
    sensor_id: NoText = UNSET
    protocol: NoText = UNSET


class Eligibility(Struct, gc=False):
    intended_use: NoBool = UNSET
    reason: NoText = UNSET


class PayloadRef(Struct, gc=False):
    """A pointer, never pixels."""

    uri: Pointer | None | UnsetType = UNSET
    sha256: NoText = UNSET
    bytes: Count | None | UnsetType = UNSET


class Component(Struct, gc=False):
    """What a heartbeat says of one installed component."""

    component: Name
    release_id: Name
    digest: Text
    state: Literal["active", "standby", "suspended"]


class CommandAck(Struct, gc=False):
    command_id: NoText = UNSET
    result: NoText = UNSET


class Event(Struct, tag_field="schema", kw_only=True, gc=False):
    """Envelope of every kind."""

    schema_version: Annotated[int, Meta(ge=1, le=2)]
    event_id: Id
    product: Name
    site_id: Name
    device_id: Name
    release_id: Name
    event_time: Time
    tenant: Name | None | UnsetType = UNSET
    gateway_id: NoText = UNSET
    sent_time: NoTime = UNSET
    manifest_digest: Digest | None | UnsetType = UNSET
    seq: SequenceNumber | None | UnsetType = UNSET
    boot_id: NoText = UNSET
    attempt: Whole | None | UnsetType = UNSET
    clock: Clock | None | UnsetType = UNSET
    mode: Literal["active", "shadow", "parallel", "canary", "drill"] | None | UnsetType = UNSET
    arm: Literal["candidate", "control"] | None | UnsetType = UNSET
    trace_id: NoText = UNSET
    region: NoText = UNSET
    ingest_time: NoTime = UNSET
    ext: dict[str, Any] | None | UnsetType = UNSET


class Inference(Event, tag="pms.inference", kw_only=True):
    inference_id: Id
    score: Share
    alert_raised: bool
    threshold_applied: float
    features: dict[Name, Feature]
    model_digest: NoText = UNSET
    encounter_token: NoText = UNSET
    output_class: NoText = UNSET
    input_quality: Share | None | UnsetType = UNSET
    latency_ms: Whole | None | UnsetType = UNSET
    context: Context | None | UnsetType = UNSET
    preprocessing_digest: NoText = UNSET
    feature_schema_digest: NoText = UNSET
    inference_config_digest: NoText = UNSET
    threshold_config_digest: NoText = UNSET
    explanation_id: NoText = UNSET
    uncertainty: NoFloat = UNSET
    ood_score: NoFloat = UNSET
    abstained: NoBool = UNSET
    abstain_reason: NoText = UNSET
    probabilities: list[float] | dict[Name, float] | None | UnsetType = UNSET
    quality_flags: list[Text] | dict[Name, Scalar] | None | UnsetType = UNSET
    device_context: DeviceContext | None | UnsetType = UNSET
    eligibility: Eligibility | None | UnsetType = UNSET
    timings: dict[Name, Scalar] | None | UnsetType = UNSET
    alert: dict[Name, Scalar] | None | UnsetType = UNSET
    payload_ref: PayloadRef | None | UnsetType = UNSET


class Outcome(Event, tag="pms.outcome", kw_only=True):
    outcome_id: Id
    inference_id: Id
    label: Literal[0, 1]
    label_kind: Literal["reference_standard", "report", "code", "clinician_read"]
    label_time: Time
    revision: Count | None | UnsetType = UNSET
    verification: Literal["flagged", "random_sample", "routine", "incidental"] | None | UnsetType = UNSET
    treated_before_label: NoBool = UNSET
    adjudication: Text | dict[Name, Scalar] | None | UnsetType = UNSET
    censored: NoBool = UNSET
    follow_up_days: NoFloat = UNSET


class AlertAction(Event, tag="pms.alert_action", kw_only=True):
    action_id: Id
    inference_id: Id
    action: Literal["delivered", "displayed", "ack", "override", "dismiss", "escalate", "snooze", "expired"]
    action_time: Time
    actor_role: Name
    alert_id: NoText = UNSET
    reason_code: NoText = UNSET
    latency_from_alert_ms: Positive | None | UnsetType = UNSET


class Heartbeat(Event, tag="pms.heartbeat", kw_only=True):
    uptime_s: Positive
    inferences_since_last: Count
    errors_since_last: Count
    buffer_depth: Count
    releases: list[Component]
    firmware: NoText = UNSET
    fallback_mode: bool | Text | None | UnsetType = UNSET
    threshold_config_digest: NoText = UNSET
    cert_not_after: NoTime = UNSET
    ack_of_command: CommandAck | None | UnsetType = UNSET
    sensor_self_test: bool | Text | dict[Name, Scalar] | None | UnsetType = UNSET


ImdrfCodes: TypeAlias = Annotated[
    dict[Literal["A", "B", "C", "D", "E", "F", "G"], Text | list[Text] | None],
    Meta(extra_json_schema={"propertyNames": {"enum": ["A", "B", "C", "D", "E", "F", "G"]}}),
]
"""IMDRF annexes to codes."""
Seriousness: TypeAlias = Literal[
    "death", "life_threatening", "hospitalisation", "impairment", "intervention", "near_miss", "none"
]


class AdverseEvent(Event, tag="pms.adverse_event", kw_only=True):
    ae_id: Id
    reported_at: Time
    awareness_at: Time
    seriousness: Seriousness
    public_health_threat: bool
    suspected_device_role: Literal["caused", "contributed", "unknown", "none"]
    linked_inference_ids: list[Id]
    imdrf: ImdrfCodes
    narrative_ref: Pointer | PayloadRef | None
    country: Text
    udi: Text | None
    stage: Literal["initial", "follow_up", "final"] | None | UnsetType = UNSET
    remedial_action: NoText = UNSET
    potential_seriousness: Seriousness | None | UnsetType = UNSET
    expectedness: Literal["expected", "unexpected", "unknown"] | None | UnsetType = UNSET
    malfunction: NoBool = UNSET


class Feedback(Event, tag="pms.feedback", kw_only=True):
    feedback_id: Id
    inference_id: Id
    kind: Text
    theme_code: Text
    severity: Text | float


class Deployment(Event, tag="pms.deployment", kw_only=True):
    actor: Text
    from_digest: Text | None
    to_digest: Text
    scope: Text | dict[Name, Scalar]
    reason: Text
    change_request: Text | None
    effective_from: Time


class ConfigChange(Event, tag="pms.config_change", kw_only=True):
    actor: Text
    from_digest: Text | None
    to_digest: Text
    scope: Text | dict[Name, Scalar]
    reason: Text
    change_request: Text | None
    effective_from: Time


class Correction(Event, tag="pms.correction", kw_only=True):
    corrects: Id
    payload: dict[str, Any]


class Withdrawal(Event, tag="pms.withdrawal", kw_only=True):
    encounter_token: Name
    scope: Text | dict[Name, Scalar]
    effective_from: Time


class Tick(Struct, tag_field="schema", tag="pms.tick"):
    """Control record: time passed on a silent partition. It is no event and stands outside the ledger."""


AnyEvent: TypeAlias = (
    Inference | Outcome | AlertAction | Heartbeat | AdverseEvent | Feedback | Deployment | ConfigChange | Correction | Withdrawal
)

KIND_OF: Final[dict[type[Event], Kind]] = {
    Inference: Kind.INFERENCE,
    Outcome: Kind.OUTCOME,
    AlertAction: Kind.ALERT_ACTION,
    Heartbeat: Kind.HEARTBEAT,
    AdverseEvent: Kind.ADVERSE_EVENT,
    Feedback: Kind.FEEDBACK,
    Deployment: Kind.DEPLOYMENT,
    ConfigChange: Kind.CONFIG_CHANGE,
    Correction: Kind.CORRECTION,
    Withdrawal: Kind.WITHDRAWAL,
}
STRUCT_OF: Final[dict[Kind, type[Event]]] = {kind: struct for struct, kind in KIND_OF.items()}
SCHEMA_OF: Final[dict[Kind, str]] = {kind: f"pms.{kind.name.lower()}" for kind in Kind}
KIND_OF_SCHEMA: Final[dict[str, Kind]] = {schema: kind for kind, schema in SCHEMA_OF.items()}
TICK_SCHEMA: Final = "pms.tick"

VALUE_WHEN_NOT_SENT: Final[dict[str, str | float]] = {"tenant": "default", "mode": "active", "revision": 1.0}
"""Defaults of the contract. They stand in columns, never in payloads, which say only what was sent."""
