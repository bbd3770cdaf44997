"""Arrow batches: what they may hold, and that a hostile one is refused before it costs anything."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from surveillance.events.arrow_leaves import sound
from surveillance.events.batch import EventBatch, FeatureState, Kind
from surveillance.events.column_files import read_column_file
from surveillance.events.forbidden import Forbidden
from surveillance.events.limits import DecodeLimits
from tests.unit.events.records import ARROW_HEADERS, Sent, arrow, decoded, event, reasons, written

BARE = ("schema", "schema_version", "event_id", "product", "site_id", "device_id", "release_id", "event_time")


def columns(count: int = 2, **changed: Any) -> dict[str, Any]:
    """Columns of inferences; one given as `...` is left out."""
    whole = {name: [event()[name]] * count for name in (*BARE, "inference_id", "score", "alert_raised", "threshold_applied")}
    found = {**whole, "features.f": [0.5] * count, **{name.replace("__", "."): value for name, value in changed.items()}}
    return {name: value for name, value in found.items() if value is not ...}


def sent(*batches: dict[str, Any] | bytes, limits: DecodeLimits | None = None) -> EventBatch:
    streams = [one if isinstance(one, bytes) else arrow(pa.record_batch(one)) for one in batches]
    return decoded(*(Sent(at, one, ARROW_HEADERS) for at, one in enumerate(streams)), limits=limits)


def is_fast(batch: dict[str, Any]) -> bool:
    return sound(pa.record_batch(batch), Forbidden(frozenset())) is not None


def test_a_usual_batch_is_read_as_columns() -> None:
    assert is_fast(columns())
    batch = sent(columns(3), columns(2))
    assert batch.offset.tolist() == [0, 0, 0, 1, 1]
    assert batch.index.tolist() == [0, 1, 2, 0, 1]


def test_nested_fields_are_structs_or_dotted_columns() -> None:
    dotted = columns(context__sex=["F", None], context__age_years=[70, 30], device_context__vendor=["A", "B"])
    struct = columns(
        context=[{"sex": "F", "age_years": 70}, {"age_years": 30}], device_context=[{"vendor": "A"}, {"vendor": "B"}]
    )
    for shape in (dotted, struct):
        read = sent(shape).kinds[Kind.INFERENCE]
        assert read.number("context.age_years").tolist() == [70.0, 30.0]
        assert [read.text("context.sex").codes.tolist(), read.text("device_context.vendor").values] == [[0, -1], ("A", "B")]
    assert list(sent(dotted).payloads) == list(sent(struct).payloads)


def test_a_null_feature_is_missing_and_one_without_a_column_absent() -> None:
    read = sent(columns(features__f=[None, 1.5], features__g=["a", None])).kinds[Kind.INFERENCE]
    assert read.feature("f").state.tolist() == [FeatureState.NULL, FeatureState.NUMBER]
    assert read.feature("g").state.tolist() == [FeatureState.TEXT, FeatureState.NULL]
    assert read.feature("h").state.tolist() == [FeatureState.ABSENT] * 2


def test_a_map_of_features_tells_null_and_absent_apart() -> None:
    maps = pa.array([[("f", 1.0), ("g", None)], []], pa.map_(pa.string(), pa.float64()))
    read = sent(columns(features=maps, features__f=...)).kinds[Kind.INFERENCE]
    assert read.feature("f").state.tolist() == [FeatureState.NUMBER, FeatureState.ABSENT]
    assert read.feature("g").state.tolist() == [FeatureState.NULL, FeatureState.ABSENT]


def test_a_batch_may_hold_several_kinds() -> None:
    batch = sent(arrow([event(), event("pms.outcome"), event("pms.deployment"), event("pms.heartbeat")]))
    assert batch.kind.tolist() == [Kind.INFERENCE, Kind.OUTCOME, Kind.DEPLOYMENT, Kind.HEARTBEAT]
    assert json.loads(batch.payloads[2])["from_digest"] is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"score": ...}, "field_missing:score"),
        ({"score": [0.5, None]}, "field_missing:score"),
        ({"score": ["0.5", "high"]}, "field_invalid:score"),
        ({"score": [0.5, 1.5]}, "field_invalid:score"),
        ({"score": [0.5, float("nan")]}, "score_not_finite"),
        ({"score": [0.5, float("inf")]}, "score_not_finite"),
        ({"features__f": [0.5, float("nan")]}, "field_invalid:features.f"),
        ({"features__f": [True, False]}, "field_invalid:features.f"),
        ({"threshold_applied": [1.0, float("-inf")]}, "field_invalid:threshold_applied"),
        ({"alert_raised": [1, 0]}, "field_invalid:alert_raised"),
        ({"event_id": ["e-1", ""]}, "field_invalid:event_id"),
        ({"event_id": ["e-1", "x" * 65]}, "field_invalid:event_id"),
        ({"event_id": pa.array([b"\xff", b"\xfe"], pa.binary())}, "field_invalid:event_id"),
        ({"device_id": [1, 2]}, "field_invalid:device_id"),
        ({"schema": ["pms.inference", "pms.unheard"]}, "schema_unknown"),
        ({"schema": ...}, "field_missing:schema"),
        ({"schema_version": [1, 3]}, "version_unknown"),
        ({"event_time": ["2026-05-06T00:00:00Z", "x"]}, "time_invalid"),
        ({"event_time": pa.array([0, 2**62], pa.timestamp("s"))}, "time_invalid"),
        ({"event_time": pa.array([0, 1], pa.date32())}, "time_invalid"),
        ({"event_time": [1, 2]}, "time_invalid"),
        ({"mode": ["active", "test"]}, "field_invalid:mode"),
        ({"manifest_digest": ["sha256:" + "0" * 64, "x"]}, "field_invalid:manifest_digest"),
        ({"input_quality": [0.5, -0.5]}, "field_invalid:input_quality"),
        ({"latency_ms": pa.array([1, 2**63], pa.uint64())}, "field_invalid:latency_ms"),
        ({"context": ["F", "M"]}, "field_invalid:context"),
        ({"features": [1, 2], "features__f": ...}, "field_invalid:features"),
        ({"mrn": [None, "1"]}, "forbidden_field"),
        ({"ext": [None, {"deep": [{"mrn": 1}]}]}, "forbidden_field"),
    ],
    ids=str,
)
def test_a_wrong_column_gets_the_reason_it_would_get_in_json(changed: dict[str, Any], reason: str) -> None:
    whole = columns(**changed)
    assert not is_fast(whole) or reason == "forbidden_field"
    batch = sent(whole, columns(1))
    found = set(reasons(batch))
    assert found == {reason}
    assert batch.offset.tolist()[-1] == 1
    assert all(reject.offset == 0 for reject in batch.rejects)


def test_a_bad_row_is_refused_alone_with_its_own_text() -> None:
    batch = sent(columns(3, score=[0.1, 2.0, 0.3]))
    (reject,) = batch.rejects
    assert (reject.index, reject.reason, batch.index.tolist()) == (1, "field_invalid:score", [0, 2])
    assert json.loads(reject.payload or b"")["score"] == 2.0


def test_a_late_refused_row_has_its_own_text_too() -> None:
    (reject,) = sent(columns(2, event_time=["2026-05-06T00:00:00Z", "x"])).rejects
    assert json.loads(reject.payload or b"")["event_time"] == "x"


@pytest.mark.parametrize("extra", [{"color": ["red", None]}, {"color": [1, None]}])
def test_unknown_columns_are_ignored_and_counted_by_value(extra: dict[str, Any]) -> None:
    batch = sent(columns(**extra))
    assert (len(batch), batch.unknown_fields) == (2, 1)
    assert "color" not in json.loads(batch.payloads[0])


def test_a_dictionary_with_repeated_or_missing_entries_reads_like_plain_text() -> None:
    odd = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(["A", "A", None]))
    read = sent(columns(3, region=odd)).envelope.text("region")
    assert [[*read.values, None][code] for code in read.codes] == ["A", "A", None]
    assert len(set(read.values)) == len(read.values)


def test_batches_with_other_dictionaries_read_as_one() -> None:
    sites = [pa.array(names).dictionary_encode() for names in (["a", "b"], ["c", "a"])]
    read = sent(*(columns(site_id=site) for site in sites)).envelope.text("site_id")
    assert [read.values[code] for code in read.codes] == ["a", "b", "c", "a"]


def test_a_stream_of_several_batches_is_numbered_through() -> None:
    table = pa.Table.from_batches([pa.record_batch(columns(2)), pa.record_batch(columns(3))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    assert sent(bytes(sink.getvalue())).index.tolist() == [0, 1, 2, 3, 4]


def test_a_stream_without_rows_has_no_events_and_no_rejects() -> None:
    batch = sent(arrow(pa.record_batch({"schema": pa.array([], pa.string())})))
    assert (len(batch), batch.rejects) == (0, [])


# ---------------------------------------------------------------------------------------------------------- hostile
@pytest.mark.parametrize(
    "stream",
    [b"", b"junk", b"\xff" * 64, arrow([event()])[:-100], arrow([event()]) + b"x", arrow([event()]) * 2, b"ARROW1\0\0"],
    ids=["empty", "junk", "ones", "truncated", "longer", "twice", "file"],
)
def test_what_is_no_arrow_stream_is_refused_whole(stream: bytes) -> None:
    (reject,) = sent(stream).rejects
    assert (reject.reason, reject.index, reject.payload) == ("not_json", 0, None)


@pytest.mark.parametrize("seed", range(40))
def test_a_corrupted_stream_never_raises_and_never_touches_its_neighbour(seed: int) -> None:
    chance = np.random.default_rng(seed)
    stream = bytearray(arrow(pa.record_batch(columns(5, context__sex=["F"] * 5)), "zstd" if seed % 2 else None))
    for at in chance.integers(0, len(stream), 6).tolist():
        stream[at] = int(chance.integers(0, 256))
    batch = sent(bytes(stream), columns(1))
    assert batch.offset.tolist()[-1] == 1
    assert len(list(batch.payloads)) == len(batch)


def _twice(name: str) -> bytes:
    batch = pa.record_batch(columns())
    return arrow(batch.append_column(name, batch.column("score")))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (_twice("score"), "field_invalid:score"),
        (_twice("features.f"), "field_invalid:features.f"),
        (arrow(pa.record_batch(columns(context=["F", "M"], context__sex=["F", "M"]))), "field_invalid:context.sex"),
        (arrow(pa.record_batch(columns(context=[{"sex": "F"}] * 2, context__sex=["F", "M"]))), "field_invalid:context.sex"),
        (arrow(pa.record_batch(columns(region=pa.array(["a", "b"], pa.string_view())))), "field_invalid:region"),
    ],
)
def test_a_schema_that_cannot_be_read_without_doubt_is_refused_whole(stream: bytes, reason: str) -> None:
    (reject,) = sent(stream).rejects
    assert (reject.reason, reject.payload) == (reason, None)


def test_a_key_that_stands_twice_in_a_map_is_refused_as_in_json() -> None:
    maps = pa.array([[("f", 1.0), ("f", 2.0)], [("f", 1.0)]], pa.map_(pa.string(), pa.float64()))
    batch = sent(columns(features=maps, features__f=...))
    assert (reasons(batch), batch.index.tolist()) == (["field_invalid:features.f"], [1])


def _long_entry_under_every_row() -> dict[str, Any]:
    return columns(9_000, region=pa.DictionaryArray.from_arrays(pa.array([0] * 9_000, pa.int8()), pa.array(["x" * 1_000_000])))


def _nulls_in_lists() -> dict[str, Any]:
    offsets = pa.array([0, 2**31 - 1], pa.int32())
    return columns(1, ext=pa.ListArray.from_arrays(offsets, pa.nulls(2**31 - 1)))


def _very_many_columns() -> dict[str, Any]:
    return columns(9_000) | {f"c{number}": pa.nulls(9_000) for number in range(500)}


def _zeros_that_pack_well() -> dict[str, Any]:
    return columns(1, ext=[{"note": "x" * 20_000_000}])


@pytest.mark.parametrize("build", [_long_entry_under_every_row, _nulls_in_lists, _very_many_columns, _zeros_that_pack_well])
def test_few_bytes_that_stand_for_very_many_values_are_refused_before_they_are_made(build: Callable[[], dict[str, Any]]) -> None:
    stream = arrow(pa.record_batch(build()), "zstd")
    assert len(stream) < DecodeLimits().max_record_bytes
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    batch = sent(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reasons(batch) == ["decompression_limit"]
    assert peak + pa.total_allocated_bytes() - before < 64 * 1024 * 1024


# ------------------------------------------------------------------------------------------------------------ files
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_a_column_file_gives_the_texts_of_its_rows(suffix: str, tmp_path: Any) -> None:
    batch = pa.record_batch(columns(2, score=[0.25, float("nan")], event_time=pa.array([0, 1], pa.timestamp("ns"))))
    path = str(tmp_path / f"events{suffix}")
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pa.Table.from_batches([batch]), path)
    else:
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, batch.schema) as file:
            file.write_batch(batch)
    texts = list(read_column_file(path))
    assert json.loads(texts[0])["event_time"][:20] == "1970-01-01T00:00:00."
    read = decoded(*texts)
    assert (reasons(read), read.offset.tolist()) == (["score_not_finite"], [0])


def test_every_row_of_json_and_arrow_has_the_same_payload() -> None:
    events = [event(score=0.1, features={"f": 1.0}), event(score=0.2, features={"f": 2.0})]
    assert list(sent(arrow(events)).payloads) == list(decoded(*written(*events)).payloads)
