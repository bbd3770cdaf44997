import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.errors import InvalidManifest
from surveillance.manifest.digest import canonical_bytes, manifest_digest
from surveillance.manifest.yaml12 import load_document

LARGEST = 2**53 - 1
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=20
)
documents = st.dictionaries(text, values, max_size=5)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(value[key]) for key in reversed(value)}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(documents)
def test_the_order_of_keys_does_not_change_the_digest(document: dict[str, Any]) -> None:
    assert manifest_digest(reversed_keys(document)) == manifest_digest(document)


@given(documents)
def test_the_canonical_form_is_a_fixed_point(document: dict[str, Any]) -> None:
    assert canonical_bytes(json.loads(canonical_bytes(document))) == canonical_bytes(document)


@given(documents)
def test_json_on_disk_has_the_digest_of_what_was_written(document: dict[str, Any]) -> None:
    assert manifest_digest(load_document(json.dumps(document), "m.json")) == manifest_digest(document)


def test_yaml_and_json_of_one_manifest_have_one_digest(small: dict[str, Any]) -> None:
    assert manifest_digest(load_document(json.dumps(small, indent=1), "m.json")) == manifest_digest(small)
    assert manifest_digest(load_document(json.dumps(small), "m.yaml")) == manifest_digest(small)


def test_the_digest_is_sha256_of_the_canonical_bytes() -> None:
    document = {"b": 1.0, "a": [1e21, 1e-7, 0.1, -0.0], "é": "é\n"}
    written = '{"a":[1e+21,1e-7,0.1,0],"b":1,"é":"é\\n"}'.encode()
    assert canonical_bytes(document) == written
    assert manifest_digest(document) == "sha256:" + hashlib.sha256(written).hexdigest()


def test_any_changed_value_changes_the_digest(small: dict[str, Any]) -> None:
    before = manifest_digest(small)
    small["surveillance"]["monitors"][0]["limits"]["pause"]["p"] = 0.0002
    assert manifest_digest(small) != before


def test_what_json_cannot_write_is_refused_with_every_path() -> None:
    document = {"a": math.nan, "b": [2**53 + 1, {"c": object()}], "d": {1: 2}}
    with pytest.raises(InvalidManifest) as caught:
        manifest_digest(document)
    assert [problem.path for problem in caught.value.problems] == ["a", "b[0]", "b[1].c", "d"]


def test_the_example_has_the_digest_an_independent_reading_gives(example: dict[str, Any]) -> None:
    # Sorted keys, no spaces, UTF-8: for a document of ASCII keys and short decimals this is its RFC 8785 form.
    plain = (
        json.dumps(example, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        .replace("1e-06", "0.000001")
        .replace(".0,", ",")
    )
    assert manifest_digest(example) == "sha256:" + hashlib.sha256(_trimmed(plain).encode()).hexdigest()


def _trimmed(plain: str) -> str:
    return plain.replace(".0}", "}").replace(".0]", "]")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_with_or_without_an_exponent_has_one_digest(number: float) -> None:
    (digits,) = json.loads(canonical_bytes([number]))
    assert manifest_digest({"a": digits}) == manifest_digest({"a": number})
