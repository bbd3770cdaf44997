"""Law 6: limits come only from the manifest, by digest; a new limit is a new revision with a digest of its own."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.model_limits import LevelLimit
from surveillance.manifest.parse import parse_manifest
from surveillance.registry import Registry
from surveillance.settings import Settings
from tests.oracle.streams import START_MS
from tests.oracle.times import format_time
from tests.property.deciding import HOUR_MS, inference, monitor, release, replayed_lines, tick
from tests.property.folding import registration

MISMATCH = {"type": "identity_mismatch", "fields": ["model_digest"]}
WRONG = "sha256:" + "9" * 64


def watching(ge: int, revision: int = 1) -> dict:
    return release(monitor("m", MISMATCH, {"investigate": {"ge": ge}}, window="w1h"), revision=revision)


def wrong_models(count: int, hour: int = 0) -> list[bytes]:
    return [inference(f"{hour}-{at}", hour * HOUR_MS + at * 1000, model_digest=WRONG) for at in range(count)]


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 12))
def test_the_verdict_is_that_of_the_limit_in_the_manifest_and_of_no_other(limit, count):
    lines = replayed_lines([watching(limit)], [*wrong_models(count), tick(HOUR_MS)])
    (status,) = [line for line in lines if line["kind"] == "status"]
    opened = [line for line in lines if line["kind"] == "incident"]
    assert status["verdict"] == ("breached" if count >= limit else "met")
    assert [line["limit"] for line in opened] == ([{"ge": limit}] if count >= limit else [])
    assert {line["manifest_digest"] for line in [status, *opened]} == {manifest_digest(watching(limit))}


def test_a_revised_limit_judges_what_comes_after_it_and_nothing_before():
    """Five in each hour: breached under the first limit; under the one that is in force from hour two on they are not."""
    first, second = watching(3), watching(9, revision=2)
    second["surveillance"]["effective_from"] = format_time(START_MS + 2 * HOUR_MS)
    sent = [line for hour in range(4) for line in wrong_models(5, hour)]
    lines = replayed_lines([first, second], [*sent, tick(4 * HOUR_MS)])
    status = {line["manifest_digest"]: line for line in lines if line["kind"] == "status"}
    assert status[manifest_digest(first)]["verdict"] == "breached"
    assert status[manifest_digest(first)]["window"]["end"] == format_time(START_MS + 2 * HOUR_MS)
    assert status[manifest_digest(second)]["verdict"] == "met"
    opened = [line["manifest_digest"] for line in lines if line["kind"] == "incident" and line["state"] == "open"]
    assert opened == [manifest_digest(first)]


@settings(max_examples=25)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_every_limit_is_part_of_the_digest(one, other):
    assert (manifest_digest(watching(one)) == manifest_digest(watching(other))) == (one == other)


def test_a_manifest_that_was_read_cannot_be_edited():
    read = parse_manifest(watching(3))
    limit = read.surveillance.monitors[0].limits.by_level["investigate"]
    with pytest.raises(ValidationError):
        limit.ge = 100
    with pytest.raises(ValidationError):
        read.surveillance.monitors[0].min_n = 1
    document = watching(3)
    read = parse_manifest(document)
    document["surveillance"]["monitors"][0]["limits"]["investigate"]["ge"] = 100
    assert read.surveillance.monitors[0].limits.by_level["investigate"].ge == 3


def test_no_setting_is_a_limit():
    """Nothing that is configured at run time has the name of a limit or of what moves one."""
    names = {name for field in dataclasses.fields(Settings) for name in field.name.split("_")}
    limits = {part for key in LevelLimit.contract_keys() for part in key.split("_") if len(part) > 2}
    moved = {"threshold", "limit", "limits", "level", "alpha", "persistence", "sample"}
    assert not names & (limits | moved)


def test_a_digest_that_is_registered_keeps_its_first_manifest():
    registry, known = Registry(), registration(watching(3))
    assert registry.add(known)
    assert not registry.add(dataclasses.replace(known, in_force_ms=known.in_force_ms + 1))
    assert registry.get(known.digest) is known


def test_the_order_of_a_document_is_no_part_of_its_digest_but_every_number_is():
    document = watching(3)
    turned = json.loads(json.dumps(document, sort_keys=True))
    assert manifest_digest(turned) == manifest_digest(document)
    changed = copy.deepcopy(document)
    changed["surveillance"]["persistence_default"]["k"] = 1
    assert manifest_digest(changed) != manifest_digest(document)
