"""Content types, encodings, CloudEvents: from a record to its events."""

from __future__ import annotations

import gzip
import json

import pytest

from surveillance.events.decode import decode
from surveillance.events.headers import Origin, sign_origin
from surveillance.events.limits import DecodeLimits
from tests.unit.events.records import (
    BATCH_HEADERS,
    BROKER_MS,
    CLOUD_BATCH_HEADERS,
    CLOUD_HEADERS,
    Sent,
    cloud_event,
    decoded,
    event,
    reasons,
    written,
)

GZIP = ("content-encoding", b"gzip")


JSON_OR_UNKNOWN = (b"application/json", b"Application/JSON; charset=utf-8", b"text/plain", b"\xff", b"", None)


@pytest.mark.parametrize("headers", [(), (("x", b"y"),), *((("Content-Type", value),) for value in JSON_OR_UNKNOWN)])
def test_a_record_is_one_json_event_unless_it_says_otherwise(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert len(decoded(Sent(0, *written(event()), headers))) == 1


@pytest.mark.parametrize("text", [b"[]", b" [ ] ", b"\n[\n]\n"])
def test_an_empty_batch_has_no_events_and_no_rejects(text: bytes) -> None:
    batch = decoded(Sent(0, text, BATCH_HEADERS))
    assert (len(batch), batch.rejects, batch.record_offsets.tolist()) == (0, [], [0])


@pytest.mark.parametrize("text", [b"{}", b"[", b"[{}", b"[1,]x", b"[]]", b"1", b"[{]}", b"\xff[]"])
def test_a_batch_that_is_no_array_is_refused_whole(text: bytes) -> None:
    (reject,) = decoded(Sent(0, text, BATCH_HEADERS)).rejects
    assert (reject.reason, reject.index, reject.payload) == ("not_json", 0, text)


def test_500_events_in_one_record() -> None:
    texts = written(*(event(event_id=f"e-{n}", score=n / 500) for n in range(500)))
    batch = decoded(Sent(7, b"[" + b",".join(texts) + b"]", BATCH_HEADERS))
    assert batch.offset.tolist() == [7] * 500
    assert batch.index.tolist() == list(range(500))
    assert [json.loads(payload)["event_id"] for payload in batch.payloads] == [f"e-{n}" for n in range(500)]
    assert batch.record_offsets.tolist() == [7]


def test_a_bad_element_of_a_batch_is_refused_alone() -> None:
    good, bad = written(event(), event(event_time="x"))
    batch = decoded(Sent(0, b"[" + b",".join([good, b"1", good, bad, b'{"a":}', good]) + b"]", BATCH_HEADERS))
    assert batch.index.tolist() == [0, 2, 5]
    assert [(reject.index, reject.reason) for reject in batch.rejects] == [(1, "not_json"), (3, "time_invalid"), (4, "not_json")]
    assert [reject.payload for reject in batch.rejects] == [b"1", bad, b'{"a":}']


@pytest.mark.parametrize("headers", [(), BATCH_HEADERS])
def test_a_gzip_body_is_read(headers: tuple[tuple[str, bytes], ...]) -> None:
    (text,) = written(event())
    body = gzip.compress(b"[" + text + b"]" if headers else text)
    several = gzip.compress(b" ") + body
    batch = decoded(Sent(0, body, (*headers, GZIP)), Sent(1, several, (*headers, ("Content-Encoding", b"X-GZip"))))
    assert batch.offset.tolist() == [0, 1]


def test_a_late_refused_event_of_a_gzip_batch_keeps_its_own_text() -> None:
    good, bad = written(event(), event(event_time="x"))
    (reject,) = decoded(Sent(0, gzip.compress(b"[" + good + b"," + bad + b"]"), (*BATCH_HEADERS, GZIP))).rejects
    assert (reject.index, reject.payload) == (1, bad)


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x"])
def test_a_broken_gzip_body_is_refused(body: bytes) -> None:
    assert reasons(decoded(Sent(0, body, (GZIP,)))) == ["not_json"]


# ------------------------------------------------------------------------------------------------------ CloudEvents
def test_a_binary_cloud_event_gives_id_and_time_to_an_event_without() -> None:
    lacking = event()
    del lacking["event_id"], lacking["event_time"]
    headers = (("ce_specversion", b"1.0"), ("ce_id", b"c%201"), ("ce_time", b"2026-05-06T00:00:01Z"))
    batch = decoded(Sent(0, *written(lacking), headers), Sent(1, *written(event()), headers))
    assert list(batch.envelope.ids("event_id").text) == ["c 1", "e-1"]
    assert (batch.event_ms - BROKER_MS).tolist() == [1000, 0]


def test_a_structured_cloud_event_gives_id_and_time_to_data_without() -> None:
    lacking = event()
    del lacking["event_id"], lacking["event_time"]
    values = [cloud_event(lacking, id="c-1", time="2026-05-06T00:00:01Z"), cloud_event(event(), id="c-2")]
    records = [Sent(0, values[0], CLOUD_HEADERS), Sent(1, b"[" + b",".join(values) + b"]", CLOUD_BATCH_HEADERS)]
    batch = decoded(*records)
    assert list(batch.envelope.ids("event_id").text) == ["c-1", "c-1", "e-1"]
    assert batch.index.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"),
        (b"[]", "not_json"),
        (b"{}", "field_missing:data"),
        (b'{"data":1}', "not_json"),
        (b'{"data":null}', "not_json"),
        (b'{"data":{}}', "field_missing:schema"),
        (b'{"data":{"schema":"pms.unheard"}}', "schema_unknown"),
        (b'{"data":{},"data":{}}', "field_invalid:data"),
        (b'{"id":7,"data":{"schema":"pms.unheard"}}', "schema_unknown"),
        (b'{"data":' + b"[" * 200 + b"]" * 200 + b"}", "too_deep"),
    ],
)
def test_a_structured_cloud_event_that_cannot_be_read_says_why(value: bytes, reason: str) -> None:
    assert reasons(decoded(Sent(0, value, CLOUD_HEADERS))) == [reason]


def test_a_bad_envelope_in_a_batch_is_refused_alone() -> None:
    value = b"[" + cloud_event(event()) + b",{}," + cloud_event(event()) + b"]"
    batch = decoded(Sent(0, value, CLOUD_BATCH_HEADERS))
    assert (batch.index.tolist(), reasons(batch)) == ([0, 2], ["field_missing:data"])


# ------------------------------------------------------------------------------------------------- headers of our own
KEY = b"k"


def produced_again(value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> dict[int, tuple[str, int, int, int]]:
    batch = decode(
        [Sent(9, value, headers)],
        partition=1,
        limits=DecodeLimits(),
        forbidden=frozenset(),
        time_source="append",
        header_key=key,
    )
    assert batch.broker_ms.tolist() == [5 if batch.origins else BROKER_MS]
    return batch.origins


def test_an_event_that_the_service_produced_again_keeps_its_place_and_broker_time() -> None:
    (value,) = written(event())
    headers = sign_origin(Origin("pms.telemetry", 3, 44, 2, 5), value, KEY)
    assert produced_again(value, KEY, headers) == {0: ("pms.telemetry", 3, 44, 2)}


def test_an_origin_that_nobody_signed_for_this_value_means_nothing() -> None:
    (value,) = written(event())
    headers = sign_origin(Origin("pms.telemetry", 3, 44, 2, 5), value, KEY)
    assert produced_again(value, None, headers) == {}
    assert produced_again(value, b"other", headers) == {}
    assert produced_again(value + b" ", KEY, headers) == {}
    assert produced_again(value, KEY, [*headers, ("pms-origin-time", b"6")]) == {}
    assert produced_again(value, KEY, headers[:2]) == {}


@pytest.mark.parametrize(
    ("header", "ms"),
    [
        (b"2026-05-06T00:00:01Z", BROKER_MS + 1000),
        (b"1778025600007", BROKER_MS + 7),
        (b"", BROKER_MS),
        (b"soon", BROKER_MS),
        (b"999999999999999", BROKER_MS),
        (b"-999999999999999", BROKER_MS),
        (b"\xff", BROKER_MS),
    ],
)
def test_ingest_time_is_the_broker_time_where_the_header_is_the_source(header: bytes, ms: int) -> None:
    records = [Sent(0, *written(event()), (("pms-ingest-time", header),))]
    by_source = {
        source: decode(
            records, partition=0, limits=DecodeLimits(), forbidden=frozenset(), time_source=source, header_key=None
        ).broker_ms.tolist()
        for source in ("append", "header")
    }
    assert by_source == {"append": [BROKER_MS], "header": [ms]}
