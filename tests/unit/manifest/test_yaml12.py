import pytest

from surveillance.errors import InvalidManifest
from surveillance.manifest.digest import MAX_DEPTH
from surveillance.manifest.yaml12 import MAX_JSON_SIZE, MAX_YAML_SIZE, load_document


def refused(text: bytes | str, source: str = "m.yaml") -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        load_document(text, source)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04",
        "2026-05-04T09:12:00Z",
        "12:30",
        "1:20:30",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "N",
        "1_000",
        "0b1",
        "=",
        "<<",
        "NaN",
    ],
)
def test_what_the_core_schema_does_not_name_stays_text(text: str) -> None:
    assert load_document(f"a: {text}", "m.yaml") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("007", 7),
        ("0o17", 15),
        *[
            ("0x1F", 31),
            ("1.5", 1.5),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1000.0),
            ("-2E-2", -0.02),
            ('"1"', "1"),
            ("'true'", "true"),
            ("!", None),
        ][:-1],
    ],
)
def test_plain_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    found = load_document(f"a: {text}", "m.yaml")["a"]
    assert found == value
    assert type(found) is type(value)


def test_block_text_is_text() -> None:
    assert load_document("a: |\n  12\nb: >\n  x\n  y\n", "m.yaml") == {"a": "12\n", "b": "x y\n"}


def test_keys_are_text_as_in_json() -> None:
    assert load_document("1: a\ntrue: b\nno: c", "m.yaml") == {"1": "a", "true": "b", "no": "c"}


def test_every_repeated_key_is_named_with_its_place() -> None:
    assert refused("a: 1\nb:\n  c: 1\n  c: 2\na: 3") == [
        'b.c: key "c" stands twice (line 4, column 3)',
        'a: key "a" stands twice (line 5, column 1)',
    ]


def test_a_key_quoted_and_plain_is_the_same_key() -> None:
    assert refused('1: a\n"1": b') == ['1: key "1" stands twice (line 2, column 1)']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1", "a: anchors are not read (&x) (line 1, column 4)"),
        ("&x a: 1", "anchors are not read (&x) (line 1, column 1)"),
        ("a: {b: *x}", "a.b: aliases are not read (*x): write the value out (line 1, column 8)"),
        ("a: !!str 1", "a: tags are not read (tag:yaml.org,2002:str): quote what must be text (line 1, column 4)"),
        ("a: !x [1]", "a: tags are not read (!x): quote what must be text (line 1, column 4)"),
        ("? [x]\n: 1", "expected text as key (line 1, column 3)"),
        ("~: 1", "expected text as key (line 1, column 1)"),
        ("%YAML 1.1\n---\na: no", "directives other than %YAML 1.2 are not read (line 2, column 1)"),
        ("%TAG !e! tag:e,2000:\n---\na: no", "directives other than %YAML 1.2 are not read (line 2, column 1)"),
        ("a: 1\n---\nb: 1", "expected one document, found another (line 2, column 1)"),
        ("a: [.inf]", "a[0]: expected a finite number, got .inf (line 1, column 5)"),
        ("a: -.INF", "a: expected a finite number, got -.INF (line 1, column 4)"),
        ("a: .nan", "a: expected a finite number, got .nan (line 1, column 4)"),
        ("a: 1e999", "a: expected a finite number, got inf"),
        ("a: 9007199254740993", "a: expected a whole number within 2**53, which JSON keeps exactly; write a longer one as text"),
        ("a: " + "9" * 5000, "a: number of more than 400 digits (line 1, column 4)"),
        ("a: [1\nb: 2", "line 2, column 2: not YAML: expected ',' or ']', but got ':'"),
        ("a: \x00", "not YAML: unacceptable character #x0000: special characters are not allowed"),
        ("", "expected a map of sections, as a release manifest is"),
        ("- 1", "expected a map of sections, as a release manifest is"),
        (b"a: \xff", "not UTF-8: byte 3"),
        ('a: "\\ud800"', "a: text holds half of a surrogate pair, which is no character"),
    ],
)
def test_what_yaml_can_say_and_json_cannot_is_refused_with_its_place(text: bytes | str, message: str) -> None:
    assert refused(text) == [message]


def test_an_explicit_1_2_directive_and_a_byte_order_mark_are_read() -> None:
    assert load_document("%YAML 1.2\n---\na: no\n...\n", "m.yaml") == {"a": "no"}
    assert load_document(b"\xef\xbb\xbfa: 1", "m.yaml") == {"a": 1}


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "a: " + "{a: " * 50_000, '{"a":' * 100_000, "- " * 5_000, '{"a":' * 70 + "1" + "}" * 70]
)
def test_bottomless_nesting_is_refused(text: str) -> None:
    (problem,) = refused(text)
    assert f"nested more than {MAX_DEPTH} levels deep" in problem


def test_nesting_within_the_bound_is_read() -> None:
    deep = "{a: " * MAX_DEPTH + "1" + "}" * MAX_DEPTH
    assert load_document(deep, "m.yaml")
    assert load_document(deep.replace("a", '"a"'), "m.json")


def test_size_is_bounded() -> None:
    assert refused(b"#" * (MAX_JSON_SIZE + 1)) == [f"larger than {MAX_JSON_SIZE} bytes"]
    assert "write it as JSON" in refused("#" * (MAX_YAML_SIZE + 1))[0]
    assert load_document('{"a": "' + "x" * MAX_YAML_SIZE + '"}', "m.json")


def test_json_is_read_and_its_repeated_keys_are_named() -> None:
    assert load_document('{"a": [1, 2.5, null, true, "x"]}', "m.json") == {"a": [1, 2.5, None, True, "x"]}
    assert refused('{"a": 1, "b": [{"c": 1, "c": 2}], "a": 3}', "m.json") == [
        'b[0].c: key "c" stands twice',
        'a: key "a" stands twice',
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("source", ["m.json", "m.yaml"])
def test_json_that_is_not_finite_is_refused_whatever_the_file_is_called(number: str, source: str) -> None:
    assert refused(f'{{"a": {number}}}', source) == [f"expected a finite number, got {number}"]


def test_a_json_file_that_is_not_json_says_where() -> None:
    (problem,) = refused('{"a": 1,}', "m.json")
    assert problem.startswith("not JSON: ")
    assert "line 1" in problem


def test_yaml_may_begin_with_a_brace() -> None:
    assert load_document("{a: 1, b: yes}", "m.yaml") == {"a": 1, "b": "yes"}
