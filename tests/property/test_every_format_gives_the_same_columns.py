"""The same events give the same columns, in whatever format and in whatever batches they are sent.

A hostile record between good ones changes nothing of what the good ones give.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from surveillance.events.batch import Columns, EventBatch, Kind
from surveillance.events.declared import Field, fields
from surveillance.events.kinds import SCHEMA_OF
from tests.unit.events.records import (
    ARROW_HEADERS,
    BATCH_HEADERS,
    BROKER_MS,
    CLOUD_BATCH_HEADERS,
    CLOUD_HEADERS,
    SMALLEST,
    VERSION_2,
    Sent,
    arrow,
    cloud_event,
    decoded,
    event,
    written,
)

FEATURES = ("f", "g", "h.i")
TEXT = st.text(max_size=8) | st.sampled_from(["a", "b", "心", '"', "\\", "\x00", "e-1"])
IDS = st.text(min_size=1, max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.integers(-(10**15) // 200, 10**15 // 200).map(lambda ms: f"{_moment(ms)}Z")
SOME = {
    "event_id": IDS,
    "device_id": IDS,
    "tenant": IDS,
    "mode": st.sampled_from(["active", "shadow"]),
    "event_time": TIMES,
    "sent_time": TIMES,
    "seq": st.integers(0, 2**64 - 1),
    "gateway_id": TEXT,
}
OF_INFERENCE = {
    "inference_id": IDS,
    "score": st.floats(0, 1),
    "alert_raised": st.booleans(),
    "threshold_applied": NUMBERS,
    "latency_ms": st.integers(-(2**53) + 1, 2**53 - 1),
    "encounter_token": TEXT,
    "abstained": st.booleans(),
    "input_quality": st.floats(0, 1),
}


def _moment(ms: int) -> str:
    return str(pa.scalar(ms, pa.timestamp("ms")).as_py().isoformat(timespec="milliseconds"))


def _filled(schema: str) -> st.SearchStrategy[dict[str, Any]]:
    chosen = SOME | (OF_INFERENCE if schema == SCHEMA_OF[Kind.INFERENCE] else {})
    if schema != SCHEMA_OF[Kind.INFERENCE]:
        return st.fixed_dictionaries({}, optional=chosen).map(lambda some: event(schema, **some))
    # A column of one kind of values for each feature, as an Arrow batch has it.
    features = st.fixed_dictionaries({"f": NUMBERS | st.none(), "g": TEXT | st.none(), "h.i": st.floats(-5, 5) | st.none()})
    context = st.fixed_dictionaries({}, optional={"age_years": st.floats(0, 120), "sex": TEXT})
    more = {"context": context.filter(bool)}
    return st.fixed_dictionaries({"features": features}, optional=chosen | more).map(lambda some: event(schema, **some))


EVENTS = st.lists(st.sampled_from(list(SMALLEST)).flatmap(_filled) | _filled("pms.inference"), min_size=1, max_size=6)
ONE_KIND = st.lists(_filled("pms.inference"), min_size=1, max_size=6)
CUTS = st.lists(st.integers(1, 5), min_size=6, max_size=6)
HOSTILE = st.binary(max_size=40) | st.sampled_from(
    [
        b'{"a":1}],[{"a":1}',
        b"]",
        b"[",
        b'"',
        b"\\",
        b"null",
        written(event(score=2))[0],
        written(event())[0][:-1],
        written(event())[0] + b"," + written(event())[0],
        b'{"schema":"pms.inference","schema":"pms.outcome"}',
        b'{"x":"\\u0022"}',
    ]
)
WIDE = ("ext", "payload", "features")
READ_BY = {kind: [path for path in fields(kind) if path not in WIDE] for kind in Kind}


def said(batch: EventBatch) -> list[dict[str, Any]]:
    """Everything that the columns say, row by row, without the codes, which are a matter of order."""
    rows: list[dict[str, Any]] = [{} for _ in range(len(batch))]
    for kind, columns in batch.kinds.items():
        if not len(columns.rows):
            continue
        for path in READ_BY[kind]:
            column = _column(columns, path, fields(kind)[path])
            for row, value in zip(columns.rows.tolist(), column, strict=True):
                rows[row][path] = value
        for name in FEATURES:
            column = columns.feature(name)
            for at, row in enumerate(columns.rows.tolist()):
                code = int(column.text.codes[at])
                rows[row][f"features.{name}"] = (
                    int(column.state[at]),
                    float(column.number[at]),
                    column.text.values[code] if code >= 0 else None,
                )
    for row, (kind_code, ms, payload) in enumerate(zip(batch.kind, batch.event_ms, batch.payloads, strict=True)):
        rows[row] |= {"kind": int(kind_code), "event_ms": int(ms), "payload": json.loads(payload)}
        mode = batch.envelope.text("mode")
        rows[row] |= {"mode": mode.values[mode.codes[row]], "id": int(batch.envelope.ids("event_id").hash[row])}
    return rows


def _column(columns: Columns, path: str, field: Field) -> list[Any]:
    """What a path says, in every way in which one may ask for it."""
    text = columns.text(path)
    said = [[*text.values, None][code] for code in text.codes.tolist()]
    if field.is_time:
        return list(zip(said, columns.time_ms(path).tolist(), strict=True))
    if path.endswith(("_id", "token")):
        ids = columns.ids(path)
        return list(zip(said, ids.hash.tolist(), ids.text, strict=True))
    nested = columns.nested(path) if path in ("context", "clock", "releases") else said
    return list(zip(said, map(repr, columns.number(path).tolist()), map(repr, nested), strict=True))


def split(events: Sequence[dict[str, Any]], cuts: Sequence[int]) -> list[list[dict[str, Any]]]:
    left = iter(events)
    return [part for cut in cuts if (part := list(islice(left, cut)))]


def json_batch(events: Sequence[dict[str, Any]]) -> bytes:
    return b"[" + b" ,".join(written(*events)) + b"]\n"


def cloud_batch(events: Sequence[dict[str, Any]]) -> bytes:
    return b"[" + b",".join(map(cloud_event, events)) + b"]"


def singly(events: Sequence[dict[str, Any]]) -> EventBatch:
    return decoded(*written(*events))


@given(events=EVENTS, cuts=CUTS)
def test_json_batches_and_cloud_events_say_what_single_events_say(events: list[dict[str, Any]], cuts: list[int]) -> None:
    parts = split(events, cuts)
    once = said(singly(events))
    assert len(once) == len(events)
    assert said(decoded(*(Sent(at, json_batch(part), BATCH_HEADERS) for at, part in enumerate(parts)))) == once
    assert said(decoded(*(Sent(at, cloud_event(one), CLOUD_HEADERS) for at, one in enumerate(events)))) == once
    assert said(decoded(*(Sent(at, cloud_batch(part), CLOUD_BATCH_HEADERS) for at, part in enumerate(parts)))) == once


@given(events=EVENTS, cuts=CUTS)
def test_what_a_fetch_holds_does_not_change_what_an_event_says(events: list[dict[str, Any]], cuts: list[int]) -> None:
    once = said(singly(events))
    assert [row for part in split(events, cuts) for row in said(singly(part))] == once


@given(events=ONE_KIND, cuts=CUTS, dotted=st.booleans(), compression=st.sampled_from([None, "lz4", "zstd"]))
def test_arrow_batches_say_what_single_events_say(
    events: list[dict[str, Any]], cuts: list[int], dotted: bool, compression: str | None
) -> None:
    parts = split(events, cuts)
    streams = [arrow(table(part, dotted), compression) for part in parts]
    assert said(decoded(*(Sent(at, one, ARROW_HEADERS) for at, one in enumerate(streams)))) == said(singly(events))


@given(events=EVENTS, cuts=CUTS)
def test_a_fetch_of_many_formats_says_what_single_events_say(events: list[dict[str, Any]], cuts: list[int]) -> None:
    records = []
    for at, part in enumerate(split(events, cuts)):
        inferences = all(one["schema"] == "pms.inference" for one in part)
        if cuts[at] % 2 and inferences:
            records.append(Sent(at, arrow(table(part, dotted=bool(at % 2))), ARROW_HEADERS))
        else:
            records.append(Sent(at, json_batch(part), BATCH_HEADERS))
    assert said(decoded(*records)) == said(singly(events))


@given(events=EVENTS, cuts=CUTS, hostile=st.lists(HOSTILE, min_size=1, max_size=4), data=st.data())
def test_a_hostile_record_changes_nothing_of_its_neighbours(
    events: list[dict[str, Any]], cuts: list[int], hostile: list[bytes], data: st.DataObject
) -> None:
    records: list[tuple[bytes, Any, bool]] = [(text, (), True) for text in written(*events)]
    for text in hostile:
        at = data.draw(st.integers(0, len(records)))
        records.insert(at, (text, data.draw(st.sampled_from([(), BATCH_HEADERS, ARROW_HEADERS, CLOUD_HEADERS])), False))
    batch = decoded(*(Sent(at, text, headers) for at, (text, headers, _) in enumerate(records)))
    good = [at for at, (_, _, is_good) in enumerate(records) if is_good]
    rows = [row for row, offset in enumerate(batch.offset.tolist()) if offset in set(good)]
    assert batch.offset[rows].tolist() == good
    assert [said(batch)[row] for row in rows] == said(singly(events))
    assert {reject.offset for reject in batch.rejects}.isdisjoint(good)


def table(events: Sequence[dict[str, Any]], dotted: bool) -> pa.RecordBatch:
    """Inferences as columns; the parts of nested fields as dotted columns, or in a struct."""
    names = dict.fromkeys(name for one in events for name in one)
    columns: dict[str, pa.Array] = {}
    for name in names:
        values = [one.get(name) for one in events]
        if name in ("features", "context") and dotted:
            parts = dict.fromkeys(part for value in values for part in value or {})
            columns |= {f"{name}.{part}": pa.array([(value or {}).get(part) for value in values]) for part in parts}
        elif name == "seq":
            columns[name] = pa.array(values, pa.uint64())
        elif name in ("site_id", "release_id", "schema", "tenant", "mode"):
            columns[name] = pa.array(values, pa.string()).dictionary_encode()
        else:
            columns[name] = pa.array(values)
    return pa.record_batch(columns)


def test_times_may_be_timestamps_of_any_unit_and_zone() -> None:
    texts = ["2026-05-06T00:00:00Z", "1999-12-31T23:59:59Z"]
    once = said(singly([event(event_time=text) for text in texts]))
    for unit in ("s", "ms", "us", "ns"):
        for zone in (None, "UTC", "+02:00"):
            moments = pa.array([BROKER_MS // 1000, 946_684_799], pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(unit))
            typed = pa.array(moments.cast(pa.int64()), pa.int64()).cast(pa.timestamp(unit, tz=zone))
            batch = table([event(), event()], dotted=True)
            batch = batch.set_column(batch.schema.get_field_index("event_time"), "event_time", typed)
            found = said(decoded(Sent(0, arrow(batch), ARROW_HEADERS)))
            assert [row["event_ms"] for row in found] == [row["event_ms"] for row in once], (unit, zone)
            assert [row["payload"]["event_time"][:19] for row in found] == [text[:19] for text in texts]


def test_version_2_events_of_every_kind_agree_across_formats() -> None:
    events = [event(schema, **VERSION_2) for schema in SMALLEST if "ext" not in schema]
    once = said(singly(events))
    flat = [{name: value for name, value in one.items() if name != "ext"} for one in events]
    apart = decoded(*(Sent(at, arrow([one]), ARROW_HEADERS) for at, one in enumerate(flat)))
    for arrow_row, json_row in zip(said(apart), once, strict=True):
        json_row["payload"].pop("ext")
        assert arrow_row["payload"] == json_row["payload"]
