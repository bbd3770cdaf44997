"""Every kind in both versions, and what a version 1 event says of the fields it cannot have: nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from surveillance.arrays import NOT_SENT_MS
from surveillance.events.batch import FeatureState, Kind
from surveillance.events.declared import fields
from surveillance.events.hashing import device_seed, hash_text
from surveillance.events.kinds import KIND_OF_SCHEMA
from tests.unit.events.records import BROKER_MS, SMALLEST, VERSION_2, Sent, decoded, event, written


@pytest.mark.parametrize("schema", SMALLEST)
@pytest.mark.parametrize("added", [{}, VERSION_2], ids=["version 1", "version 2"])
def test_each_kind_is_read_in_both_versions(schema: str, added: dict[str, Any]) -> None:
    batch = decoded(*written(event(schema, **added)))
    assert batch.rejects == []
    assert [Kind(code) for code in batch.kind] == [KIND_OF_SCHEMA[schema]]
    assert batch.unknown_fields == 0
    assert json.loads(batch.payloads[0]) == event(schema, **added)


@pytest.mark.parametrize("schema", SMALLEST)
def test_a_required_field_that_is_missing_is_named(schema: str) -> None:
    for name in SMALLEST[schema]:
        (reject,) = decoded(*written(event(schema, **{name: ...}))).rejects
        assert reject.reason == f"field_missing:{name}"


@pytest.mark.parametrize("schema", SMALLEST)
def test_version_1_is_lifted_with_explicit_unknowns(schema: str) -> None:
    """What was not sent has no value, and no default but those of the contract."""
    batch = decoded(*written(event(schema)))
    columns = batch.kinds[KIND_OF_SCHEMA[schema]]
    for path, field in fields(KIND_OF_SCHEMA[schema]).items():
        head = path.partition(".")[0]
        if head in event(schema) or head in ("tenant", "mode", "revision"):
            continue
        assert columns.text(path).codes.tolist() == [-1], path
        assert np.isnan(columns.number(path)).all(), path
        assert columns.nested(path) == [None], path
        assert not field.is_time or columns.time_ms(path).tolist() == [NOT_SENT_MS], path


def test_defaults_are_those_of_the_contract_and_stand_in_columns_only() -> None:
    batch = decoded(*written(event("pms.outcome")))
    columns = batch.kinds[Kind.OUTCOME]
    assert [batch.envelope.text(path).values for path in ("tenant", "mode")] == [("default",), ("active",)]
    assert columns.number("revision").tolist() == [1.0]
    assert not {"tenant", "mode", "revision"} & json.loads(batch.payloads[0]).keys()


@pytest.mark.parametrize("name", ["tenant", "gateway_id", "mode", "clock", "context", "ext", "seq"])
def test_a_null_in_an_optional_field_says_the_same_as_nothing(name: str) -> None:
    with_null, without = (decoded(*written(event(schema_version=2, **fields))).envelope for fields in ({name: None}, {}))
    one, other = with_null.text(name), without.text(name)
    assert [one.values[code] if code >= 0 else None for code in one.codes] == [
        other.values[code] if code >= 0 else None for code in other.codes
    ]


def test_a_version_1_event_may_carry_fields_of_version_2() -> None:
    assert decoded(*written(event(mode="shadow"))).envelope.text("mode").values == ("shadow",)


def test_features_tell_number_text_null_and_absent_apart() -> None:
    batch = decoded(
        *written(event(features={"f": 1}), event(features={"f": "a"}), event(features={"f": None}), event(features={}))
    )
    column = batch.kinds[Kind.INFERENCE].feature("f")
    assert column.state.tolist() == [FeatureState.NUMBER, FeatureState.TEXT, FeatureState.NULL, FeatureState.ABSENT]
    assert column.number.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert (column.text.codes.tolist(), column.text.values) == ([-1, 0, -1, -1], ("a",))


def test_columns_of_a_kind_say_which_rows_they_are() -> None:
    batch = decoded(*written(event(), event("pms.outcome"), event(score=0.75), event("pms.heartbeat")))
    assert batch.kinds[Kind.INFERENCE].rows.tolist() == [0, 2]
    assert batch.kinds[Kind.INFERENCE].number("score").tolist() == [0.25, 0.75]
    assert batch.kinds[Kind.HEARTBEAT].rows.tolist() == [3]
    assert batch.kinds.keys() == set(Kind)


def test_equal_ids_of_two_devices_or_tenants_have_different_hashes() -> None:
    batch = decoded(*written(event(), event(device_id="dev-02"), event(tenant="north"), event()))
    ids = batch.envelope.ids("event_id")
    assert len(set(ids.hash.tolist())) == 3
    assert ids.hash[0] == ids.hash[3] == hash_text("e-1", device_seed("default", "dev-01"))
    assert list(ids.text) == ["e-1"] * 4


def test_an_id_that_was_not_sent_has_hash_0() -> None:
    ids = decoded(*written(event(encounter_token="c"), event())).kinds[Kind.INFERENCE].ids("encounter_token")
    assert ids.hash[0] != 0
    assert (ids.hash[1], ids.text[1]) == (0, "")


def test_times_are_milliseconds_in_utc_whatever_the_offset() -> None:
    times = ["2026-05-06T00:00:00Z", "2026-05-06T02:00:00+02:00", "2026-05-05T19:00:00.000999-05:00", "2026-05-06t00:00:00.5z"]
    batch = decoded(*written(*(event(event_time=time) for time in times)))
    assert (batch.event_ms - BROKER_MS).tolist() == [0, 0, 0, 500]


def test_unknown_fields_are_ignored_and_counted_at_any_depth() -> None:
    one = event(schema_version=2, color="red", context={"age_years": 3, "shoe": {"size": 1}}, ext={"kept": 1})
    batch = decoded(*written(one, event()))
    assert (len(batch), batch.unknown_fields) == (2, 2)
    assert "color" not in json.loads(batch.payloads[0])
    assert json.loads(batch.payloads[0])["ext"] == {"kept": 1}


def test_a_tick_is_no_event_and_moves_time() -> None:
    batch = decoded(Sent(4, b'{"schema":"pms.tick"}', timestamp=BROKER_MS + 5), Sent(6, *written(event())))
    assert (len(batch), batch.rejects, batch.ticks.tolist()) == (1, [], [4])
    assert batch.record_offsets.tolist() == [4, 6]
    assert batch.record_broker_ms.tolist() == [BROKER_MS + 5, BROKER_MS]


def test_a_batch_has_no_ticks() -> None:
    headers = (("content-type", b"application/json-batch"),)
    batch = decoded(Sent(0, b'[{"schema":"pms.tick"}]', headers))
    assert [(reject.reason, reject.index) for reject in batch.rejects] == [("schema_unknown", 0)]
    assert batch.ticks.tolist() == []


def test_no_records_give_an_empty_batch() -> None:
    batch = decoded()
    assert (len(batch), batch.rejects, batch.record_offsets.tolist(), list(batch.payloads)) == (0, [], [], [])
    assert batch.kinds[Kind.INFERENCE].number("score").tolist() == []
