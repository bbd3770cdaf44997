"""What a hostile or broken sender puts into the log: each gets its reason, and nothing else is disturbed."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streams.replay import run_replay
from tests.unit.events.records import (
    ARROW_HEADERS,
    BATCH_HEADERS,
    CLOUD_HEADERS,
    Sent,
    arrow,
    cloud_event,
    decoded,
    event,
    reasons,
    written,
)

GOOD = written(event())[0]
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
GZIP = ("content-encoding", b"gzip")

HOSTILE: dict[str, tuple[bytes | None, Sequence[tuple[str, bytes]], str]] = {
    "no value": (None, (), "not_json"),
    "empty": (b"", (), "not_json"),
    "truncated": (GOOD[:-1], (), "not_json"),
    "deeply nested": (DEEP, (), "too_deep"),
    "deeply nested array": (b"[" * 1_000_000, (), "too_deep"),
    "deeply nested in ext": (GOOD[:-1] + b',"ext":' + DEEP + b"}", (), "too_deep"),
    "50 MB": (b" " * 50_000_000, (), "too_large"),
    "50 MB of an event": (GOOD[:-1] + b',"x":"' + b"x" * 50_000_000 + b'"}', (), "too_large"),
    "wrong types": (written(event(event_id=1, score="x", features=3))[0], (), "field_invalid:event_id"),
    "NaN": (written(event(score=float("nan")))[0], (), "score_not_finite"),
    "duplicate keys": (GOOD[:-1] + b',"score":0.9}', (), "field_invalid:score"),
    "duplicate keys of a feature": (GOOD.replace(b'"gap"', b'"px_mean"'), (), "field_invalid:features.px_mean"),
    "duplicate keys in a field nobody knows": (GOOD[:-1] + b',"x":{"y":1,"y":2}}', (), "field_invalid:x.y"),
    "duplicate schema": (b'{"schema":"pms.outcome",' + GOOD[1:], (), "field_invalid:schema"),
    "duplicate key spelled otherwise": (GOOD[:-1] + b',"sc\\u006fre":0.9}', (), "field_invalid:score"),
    "duplicate key behind a quotation mark": (
        written(event(site_id="@"))[0].replace(b"@", b"\\u0022")[:-1] + b',"score":0.9}',
        (),
        "field_invalid:score",
    ),
    "invalid UTF-8": (GOOD.replace(b"site-01", b"site-\xff"), (), "not_json"),
    "invalid UTF-8 in a field nobody knows": (GOOD[:-1] + b',"x":"\xff"}', (), "not_json"),
    "half a surrogate pair": (GOOD.replace(b"site-01", b"\\ud800"), (), "not_json"),
    "half a surrogate pair in a CloudEvent": (cloud_event(event(site_id="\ud800")), CLOUD_HEADERS, "not_json"),
    "half a surrogate pair as a name": (GOOD[:-1] + b',"ext":{"\\ud800":NaN}}', (), "field_invalid:ext.?"),
    "UTF-16": (GOOD.decode().encode("utf-16"), (), "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, (), "not_json"),
    "a very long number": (GOOD[:-1] + b',"seq":' + b"9" * 100_000 + b"}", (), "field_invalid:seq"),
    "only backslashes": (b'"' + b"\\" * 1_000_000, (), "not_json"),
    "wrong Arrow schema": (arrow([{"a": 1}]), ARROW_HEADERS, "field_missing:schema"),
    "no Arrow stream": (GOOD, ARROW_HEADERS, "not_json"),
    "gzip bomb": (gzip.compress(b" " * 100_000_000), (GZIP,), "decompression_limit"),
    "gzip bomb of a batch": (gzip.compress(b"[" + b"1," * 20_000_000 + b"1]"), (*BATCH_HEADERS, GZIP), "decompression_limit"),
    "gzip bomb in a gzip": (gzip.compress(gzip.compress(b" " * 100_000_000)), (GZIP,), "not_json"),
    "very many gzip members": (gzip.compress(b"") * 10_000, (GZIP,), "decompression_limit"),
    "a batch of very many events": (b"[" + b"1," * 2_000_000 + b"1]", BATCH_HEADERS, "batch_too_large"),
    "a batch of very many brackets": (b"[" * 2_000_000, BATCH_HEADERS, "not_json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_refused_alone(name: str) -> None:
    value, headers, reason = HOSTILE[name]
    started = time.perf_counter()
    batch = decoded(GOOD, Sent(1, value, headers), Sent(2, GOOD), Sent(3, b"[" + GOOD + b"]", BATCH_HEADERS))
    assert reasons(batch) == [reason]
    assert (batch.rejects[0].offset, batch.offset.tolist()) == (1, [0, 2, 3])
    assert list(batch.payloads) == list(decoded(GOOD, GOOD, GOOD).payloads)
    assert time.perf_counter() - started < 10, "a hostile record costs what its bytes cost"


def test_a_record_that_closes_the_json_array_and_swallows_its_neighbour() -> None:
    """Whatever stands between records when they are decoded in bulk, no record may reach over it."""
    other = written(event(event_id="e-2"))[0]
    for closing in (
        GOOD + b",[",
        GOOD + b'],"',
        GOOD + b"]",
        GOOD + b',"',
        b'"],[' + GOOD,
        GOOD + b"," + GOOD,
        GOOD + b'\n{"a":"',
    ):
        batch = decoded(other, closing, other, b"]", other)
        assert batch.offset.tolist() == [0, 2, 4], closing
        assert list(batch.envelope.ids("event_id").text) == ["e-2"] * 3
        assert reasons(batch) == ["not_json", "not_json"]


@pytest.mark.parametrize("depth", range(1, 1_200, 13))
@pytest.mark.parametrize("schema", ["pms.inference", "pms.correction"])
def test_no_depth_stops_the_worker(depth: int, schema: str) -> None:
    name = "payload" if schema == "pms.correction" else "ext"
    text = written(event(schema, **{name: {}}))[0].replace(b"{}", b'{"a":' * depth + b"1" + b"}" * depth)
    batch = decoded(text, GOOD)
    assert reasons(batch) == (["too_deep"] if depth > 62 else [])
    assert batch.offset.tolist()[-1] == 1


def test_refusing_every_event_of_a_large_batch_costs_no_more_than_reading_it() -> None:
    texts = written(*[event(event_time="x")] * 4_000)
    value = b"[" + b",".join(texts) + b"]"
    started = time.perf_counter()
    batch = decoded(Sent(0, gzip.compress(value), (*BATCH_HEADERS, GZIP)))
    assert time.perf_counter() - started < 5
    assert reasons(batch) == ["time_invalid"] * 4_000
    assert batch.rejects[-1].payload == texts[-1]


# ------------------------------------------------------------------------- refused by what is registered, and by the clock
MANIFEST = Path(__file__).parents[1] / "manifest" / "small.yaml"


def replayed(tmp_path: Path, *events: dict[str, Any] | bytes) -> dict[str, Any]:
    """The summary of a replay of events under the small manifest."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in events))
    return list(run_replay([str(path)], [MANIFEST]))[-1]


def known(number: int, **fields: Any) -> dict[str, Any]:
    return event(event_id=f"e-{number}", inference_id=f"i-{number}", release_id="small-1", **fields)


def test_an_unknown_release_an_unknown_digest_and_an_event_400_days_ahead_disturb_nothing(tmp_path: Path) -> None:
    ahead = known(3, event_time="2027-06-10T00:00:00Z", sent_time="2026-05-06T00:00:00Z")
    strange = known(4, manifest_digest="sha256:" + "0" * 64)
    good = [known(1), known(2, event_time="2026-05-06T00:00:30Z")]
    summary = replayed(tmp_path, good[0], event(event_id="e-9"), ahead, strange, b"{", good[1])
    alone = replayed(tmp_path, *good)
    assert summary["quarantined"] == {"clock_skew": 1, "manifest_unknown": 1, "not_json": 1, "release_unknown": 1}
    assert (summary["events"], summary["counted"], summary["late"]) == (6, 2, 0)
    assert summary["watermark"] == alone["watermark"], "an event far ahead closes no pane"


def test_what_decoding_refuses_goes_before_what_no_manifest_knows(tmp_path: Path) -> None:
    unknown_and_ahead = event(event_time="2027-06-10T00:00:00Z", sent_time="2026-05-06T00:00:00Z")
    summary = replayed(tmp_path, event(score=2), unknown_and_ahead)
    assert summary["quarantined"] == {"field_invalid:score": 1, "release_unknown": 1}


def test_every_name_of_the_hostile_list_is_here() -> None:
    wanted = "empty|truncated|deeply nested|50 MB|wrong types|NaN|duplicate keys|invalid UTF-8|wrong Arrow schema|gzip bomb"
    assert set(wanted.split("|")) <= HOSTILE.keys()
