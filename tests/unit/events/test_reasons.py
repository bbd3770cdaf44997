"""Why an event is refused: every reason that decoding gives, what goes before what, and what is kept of the event."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from surveillance.events import declared
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import counted_as, is_reason
from tests.unit.events.records import (
    ARROW_HEADERS,
    BATCH_HEADERS,
    BROKER_MS,
    CLOUD_BATCH_HEADERS,
    CLOUD_HEADERS,
    ENVELOPE,
    SMALLEST,
    Sent,
    arrow,
    cloud_event,
    decoded,
    event,
    reason_of,
    reasons,
    written,
)

SMALL = DecodeLimits(max_record_bytes=2_000, max_batch_events=3, max_depth=6, max_inflated_bytes=4_000)
DEEP: Any = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}
LONG = {"note": "x" * 2_000}


@pytest.mark.parametrize(
    "text", [b"", b" ", b"{", b"[]", b"1", b'"pms.inference"', b"null", b"{} {}", b"\xff", b"{'schema':1}", None]
)
def test_not_json(text: bytes | None) -> None:
    assert reason_of(text) == "not_json"


def test_too_large() -> None:
    assert reason_of(event(ext=LONG), limits=SMALL) == "too_large"
    assert reason_of(b"x" * 2_001, limits=SMALL) == "too_large"


@pytest.mark.parametrize("where", ["ext", "nobody_declares_this"])
def test_too_deep(where: str) -> None:
    assert reason_of(event(**{where: DEEP}), limits=SMALL) == "too_deep"
    shallower = DEEP["a"]
    assert len(decoded(*written(event(**{where: shallower})), limits=SMALL)) == 1


def test_too_deep_in_the_payload_of_a_correction() -> None:
    assert reason_of(event("pms.correction", payload=DEEP), limits=SMALL) == "too_deep"


@pytest.mark.parametrize("schema", ["pms.unheard", "PMS.INFERENCE", "", None, 1, ["pms.inference"]])
def test_schema_unknown(schema: Any) -> None:
    assert reason_of({**event(), "schema": schema}) == "schema_unknown"


@pytest.mark.parametrize("version", [0, 3, -1, "1", 1.5, True, None])
def test_version_unknown(version: Any) -> None:
    assert reason_of(event(schema_version=version)) == "version_unknown"


@pytest.mark.parametrize("name", ["schema", *ENVELOPE])
def test_field_missing_in_the_envelope(name: str) -> None:
    whole = event()
    del whole[name]
    assert reason_of(whole) == f"field_missing:{name}"


def test_field_missing_inside_a_list_names_the_path() -> None:
    one = {"component": "model", "release_id": "r", "state": "active"}
    assert reason_of(event("pms.heartbeat", releases=[one])) == "field_missing:releases.digest"


@pytest.mark.parametrize(
    ("schema", "fields", "name"),
    [
        ("pms.inference", {"event_id": 7}, "event_id"),
        ("pms.inference", {"event_id": ""}, "event_id"),
        ("pms.inference", {"device_id": "x" * 129}, "device_id"),
        ("pms.inference", {"score": 1.01}, "score"),
        ("pms.inference", {"score": -0.01}, "score"),
        ("pms.inference", {"score": "0.5"}, "score"),
        ("pms.inference", {"score": None}, "score"),
        ("pms.inference", {"alert_raised": 1}, "alert_raised"),
        ("pms.inference", {"features": []}, "features"),
        ("pms.inference", {"features": {"a": {"b": 1}}}, "features.a"),
        ("pms.inference", {"features": {"a": True}}, "features.a"),
        ("pms.inference", {"context": {"sex": 1}}, "context.sex"),
        ("pms.inference", {"mode": "test"}, "mode"),
        ("pms.inference", {"clock": {"source": "gps"}}, "clock.source"),
        ("pms.inference", {"manifest_digest": "sha256:12"}, "manifest_digest"),
        ("pms.inference", {"seq": -1}, "seq"),
        ("pms.inference", {"seq": 2**64}, "seq"),
        ("pms.inference", {"sent_time": "yesterday"}, "sent_time"),
        ("pms.outcome", {"label": 2}, "label"),
        ("pms.outcome", {"label_kind": "guess"}, "label_kind"),
        ("pms.outcome", {"label_time": "2026-05-06"}, "label_time"),
        ("pms.outcome", {"revision": 2**53}, "revision"),
        ("pms.alert_action", {"action": "shrug"}, "action"),
        ("pms.heartbeat", {"uptime_s": -1}, "uptime_s"),
        ("pms.heartbeat", {"cert_not_after": "soon"}, "cert_not_after"),
        ("pms.adverse_event", {"seriousness": "bad"}, "seriousness"),
        ("pms.adverse_event", {"imdrf": {"Z": "1"}}, "imdrf"),
    ],
)
def test_field_invalid(schema: str, fields: dict[str, Any], name: str) -> None:
    assert reason_of(event(schema, **fields)) == f"field_invalid:{name}"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_score_not_finite(number: str) -> None:
    assert reason_of(written(event(score=0.125))[0].replace(b"0.125", number.encode())) == "score_not_finite"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
@pytest.mark.parametrize("name", ["threshold_applied", "features.f"])
def test_another_number_that_is_not_finite_is_an_invalid_field(name: str, number: str) -> None:
    text = written(event(threshold_applied=8.125, features={"f": 8.25}))[0]
    text = text.replace(b"8.125" if name == "threshold_applied" else b"8.25", number.encode())
    assert reason_of(text) == f"field_invalid:{name}"


NO_TIMES = """
2026-05-06 | 2026-05-06T00:00:00 | 2026-05-06 00:00:00Z | 2026-05-06T00:00Z | 2026-05-06T00:00:00.Z | 2026-05-06T00:00:00+0200
2026-02-30T00:00:00Z | 2026-13-01T00:00:00Z | 2026-05-06T24:00:00Z | 2026-05-06T00:00:60Z | 2026-05-06T00:00:00+25:00 | now
0000-01-01T00:00:00Z | 9999-12-31T23:59:59-00:01 | +2026-05-06T00:00:00Z | 1778025600000
"""


@pytest.mark.parametrize("time", [*(one.strip() for line in NO_TIMES.split("\n") for one in line.split("|")), "x" * 65, 1, None])
def test_time_invalid(time: Any) -> None:
    assert reason_of(event(event_time=time)) == "time_invalid"


@pytest.mark.parametrize(
    "fields",
    [{"mrn": 1}, {"ext": {"deep": [{"mrn": None}]}}, {"features": {"mrn": 1.0}}, {"nobody": {"mrn": 1}}, {"timings": {"mrn": 1}}],
    ids=str,
)
def test_forbidden_field(fields: dict[str, Any]) -> None:
    (reject,) = decoded(*written(event(**fields))).rejects
    assert (reject.reason, reject.payload) == ("forbidden_field", None)
    assert reject.sha256 == sha256(written(event(**fields))[0]).hexdigest()


def test_a_forbidden_name_that_is_a_field_of_the_contract() -> None:
    forbidden = frozenset({"race_ethnicity"})
    batch = decoded(*written(event(context={"race_ethnicity": "x"}), event(context={"sex": "F"})), forbidden=forbidden)
    assert (reasons(batch), batch.offset.tolist()) == (["forbidden_field"], [1])


def test_a_forbidden_name_as_a_value_is_no_field() -> None:
    assert len(decoded(*written(event(site_id="mrn", ext={"word": "mrn"})))) == 1


@pytest.mark.parametrize("spelled", [b'"\\u006drn"', b'"m\\u0072n"'])
def test_a_forbidden_name_in_another_spelling(spelled: bytes) -> None:
    assert reason_of(written(event(zz=1))[0].replace(b'"zz"', spelled)) == "forbidden_field"


@pytest.mark.parametrize(
    "text",
    [b'{"mrn": "1"', b"{'mrn': 1}", b"mrn=1", '{"mrn": 1}'.encode("utf-16"), b'[{"mrn":1}]', b'{"\\u006drn": 1', b"\xff mrn"],
)
def test_a_forbidden_name_in_what_is_no_event_is_not_kept_either(text: bytes) -> None:
    (reject,) = decoded(text).rejects
    assert (reject.reason, reject.payload) == ("forbidden_field", None)


def test_a_word_that_only_contains_a_forbidden_name_is_none() -> None:
    (reject,) = decoded(b"{smrnz").rejects
    assert (reject.reason, reject.payload) == ("not_json", b"{smrnz")


def test_batch_too_large() -> None:
    texts = written(*[event("pms.withdrawal")] * 4)
    limits = DecodeLimits(max_batch_events=3)
    records = [
        Sent(0, b"[" + b",".join(texts) + b"]", BATCH_HEADERS),
        Sent(1, arrow([event("pms.withdrawal")] * 4), ARROW_HEADERS),
        Sent(2, b"[" + b",".join([cloud_event(event())] * 4) + b"]", CLOUD_BATCH_HEADERS),
    ]
    assert reasons(decoded(*records, limits=limits)) == ["batch_too_large"] * 3


def test_decompression_limit() -> None:
    headers = (("content-encoding", b"gzip"),)
    (text,) = written(event())
    limits = DecodeLimits(max_inflated_bytes=len(text))
    batch = decoded(Sent(0, gzip.compress(text + b" "), headers), Sent(1, gzip.compress(text), headers), limits=limits)
    assert (reasons(batch), batch.offset.tolist()) == (["decompression_limit"], [1])


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_decompression_limit_of_arrow_buffers(compression: str) -> None:
    stream = arrow([event("pms.withdrawal", ext={"note": "x" * 5_000})], compression)
    assert len(stream) < SMALL.max_inflated_bytes
    limits = DecodeLimits(max_inflated_bytes=4_000)
    assert reasons(decoded(Sent(0, stream, ARROW_HEADERS), limits=limits)) == ["decompression_limit"]


# ------------------------------------------------------------------------------------------------------- precedence
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"mrn": 1, "schema": "pms.unheard"}, "forbidden_field"),
        ({"mrn": 1, "event_time": "x"}, "forbidden_field"),
        ({"schema": "pms.unheard", "schema_version": 9}, "schema_unknown"),
        ({"schema_version": 9, "event_id": 7}, "version_unknown"),
        ({"schema_version": 9, "score": float("nan")}, "version_unknown"),
        ({"score": float("nan"), "features": {"f": float("nan")}}, "score_not_finite"),
        ({"features": {"f": float("nan")}, "event_id": 7}, "field_invalid:features.f"),
        ({"score": float("nan"), "event_time": "x"}, "score_not_finite"),
        ({"event_time": "x", "score": 2}, "field_invalid:score"),
        ({"event_time": "x", "manifest_digest": "y"}, "time_invalid"),
    ],
    ids=str,
)
def test_of_several_faults_the_more_fundamental_is_named(fields: dict[str, Any], reason: str) -> None:
    assert reason_of({**event(), **fields}) == reason


def test_size_goes_before_depth_and_depth_before_content() -> None:
    assert reason_of(event(ext=LONG | DEEP), limits=SMALL) == "too_large"
    assert reason_of({**event(ext=DEEP), "schema": "pms.unheard"}, limits=SMALL) == "too_deep"


def test_a_forbidden_name_goes_before_depth() -> None:
    assert reason_of(event(ext=DEEP, mrn=1), limits=SMALL) == "forbidden_field"


# ----------------------------------------------------------------------------------------- what is kept of the event
def test_a_reject_has_coordinates_hash_bytes_sender_and_the_time_it_said() -> None:
    bad = written(event(score=2, tenant="north"))[0]
    batch = decoded(Sent(41, b"[" + b",".join([*written(event()), bad]) + b"]", BATCH_HEADERS, timestamp=BROKER_MS + 9))
    (reject,) = batch.rejects
    assert (reject.offset, reject.index, reject.broker_ms) == (41, 1, BROKER_MS + 9)
    assert (reject.tenant, reject.device_id, reject.event_ms) == ("north", "dev-01", BROKER_MS)
    assert (reject.payload, reject.sha256) == (bad, sha256(bad).hexdigest())
    assert batch.index.tolist() == [0]


def test_what_was_not_searched_for_forbidden_names_is_not_kept() -> None:
    gz = (("content-encoding", b"gzip"),)
    brotli = (("content-encoding", b"br"),)
    body = gzip.compress(json.dumps({"mrn": 1}).encode())
    records = [
        Sent(0, b"x" * 2_001),
        Sent(1, body[:-9], gz),
        Sent(2, body, brotli),
        Sent(3, arrow([{"mrn": 1}])[:-40], ARROW_HEADERS),
        Sent(4, b"mrn", ARROW_HEADERS),
    ]
    batch = decoded(*records, limits=SMALL)
    assert reasons(batch) == ["too_large", "not_json", "not_json", "not_json", "not_json"]
    assert [reject.payload for reject in batch.rejects] == [None] * 5
    assert [reject.sha256 for reject in batch.rejects] == [sha256(one.value or b"").hexdigest() for one in records]


def test_the_envelope_of_a_cloud_event_is_searched_for_forbidden_names() -> None:
    (reject,) = decoded(Sent(0, cloud_event(event(), mrn="1"), CLOUD_HEADERS)).rejects
    assert (reject.reason, reject.payload) == ("forbidden_field", None)


SECRET = event(patient_name="Patient-Zero")


def structured(**attributes: Any) -> Sent:
    return Sent(0, json.dumps({"specversion": "1.0", "id": "1", **attributes}).encode(), CLOUD_HEADERS)


@pytest.mark.parametrize(
    "record",
    [
        structured(data_base64=b64encode(written(SECRET)[0]).decode()),
        structured(data=json.dumps(SECRET)),
        structured(data_base64=b64encode(gzip.compress(written(SECRET)[0])).decode()),
        Sent(0, json.dumps(json.dumps(SECRET)).encode()),
        Sent(0, gzip.compress(written(SECRET)[0])),
        Sent(0, zlib.compress(written(SECRET)[0])),
        Sent(0, arrow([SECRET], "zstd")),
        Sent(0, written(event(ext={"context.mrn": "Patient-Zero"}))[0]),
        Sent(0, written(event("pms.correction", payload={"context.patient_name": "Patient-Zero"}))[0]),
        Sent(0, arrow([{**event(), "ext.at.mrn": "Patient-Zero"}]), ARROW_HEADERS),
    ],
)
def test_what_is_forbidden_is_not_kept_however_it_is_packed(record: Sent) -> None:
    batch = decoded(record)
    assert len(batch) == 0
    assert [(one.payload, "Patient" in one.detail) for one in batch.rejects] == [(None, False)]


def test_the_event_of_a_cloud_event_may_be_sent_as_base64() -> None:
    packed = b64encode(written(event(event_id=...))[0]).decode()
    assert decoded(structured(data_base64=packed)).envelope.ids("event_id").text == ["1"]
    assert reasons(decoded(structured(data_base64="%"))) == ["field_invalid:data_base64"]


def test_rejects_are_in_order_of_position() -> None:
    bad, good = written(event(score=2), event())
    batch = decoded(bad, good, Sent(2, b"[1," + good + b",2]", BATCH_HEADERS), b"{")
    assert [(reject.offset, reject.index) for reject in batch.rejects] == [(0, 0), (2, 0), (2, 2), (3, 0)]
    assert list(zip(batch.offset.tolist(), batch.index.tolist(), strict=True)) == [(1, 0), (2, 1)]


def test_reasons_are_a_closed_set_and_labels_do_not_grow_with_what_senders_make_up() -> None:
    made_up = reason_of(event(features={"anything": True}))
    assert is_reason(made_up)
    assert counted_as(made_up, declared.paths()) == "field_invalid:features"
    assert counted_as("field_invalid:zzz", declared.paths()) == "field_invalid:other"
    assert counted_as("field_missing:score", declared.paths()) == "field_missing:score"
    assert not is_reason("bad_luck")
    assert not is_reason("field_missing")


@pytest.mark.parametrize("schema", SMALLEST)
def test_a_value_of_the_wrong_type_is_refused_in_every_field(schema: str) -> None:
    for name in SMALLEST[schema]:
        reason = reason_of(event(schema, **{name: [[["wrong"]]]}))
        assert reason.startswith(f"field_invalid:{name}"), name
