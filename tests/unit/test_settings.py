"""Settings: which source wins, what is refused, and what is never shown."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from surveillance.errors import InvalidInput
from surveillance.settings import Settings, load_settings, variable_name


@pytest.fixture(autouse=True)
def _folder_without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(tmp_path: Path, text: str, name: str = "pms.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_source_the_defaults_hold() -> None:
    settings = load_settings({}, {})
    assert settings == Settings()
    assert (settings.topic_prefix, settings.time_source, settings.allow_unsigned) == ("pms.", "append", False)
    assert settings.api_host == "127.0.0.1"


def test_a_flag_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    written(tmp_path, 'group = "file"\ntopic_prefix = "file."\napi_port = 1\n')
    environ = {"PMS_GROUP": "environment", "PMS_TOPIC_PREFIX": "environment."}
    settings = load_settings({"group": "flag", "topic_prefix": None}, environ)
    assert (settings.group, settings.topic_prefix, settings.api_port) == ("flag", "environment.", 1)


def test_false_by_flag_beats_true_by_environment() -> None:
    assert load_settings({"allow_unsigned": False}, {"PMS_ALLOW_UNSIGNED": "true"}).allow_unsigned is False


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda each: each.name)
def test_every_setting_can_be_given_by_its_variable(setting: object) -> None:
    name = setting.name  # type: ignore[attr-defined]
    value = {"allow_unsigned": "true", "api_port": "9", "time_source": "header", "session_timeout_s": "9"}.get(name, "given")
    expected = {"allow_unsigned": True, "api_port": 9, "session_timeout_s": 9}.get(name, value)
    assert getattr(load_settings({}, {variable_name(name): value}), name) == expected


def test_a_misspelt_variable_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"PMS_KAFKA_BOOSTRAP; did you mean PMS_KAFKA_BOOTSTRAP\?"):
        load_settings({}, {"PMS_KAFKA_BOOSTRAP": "broker:9092"})


def test_a_misspelt_line_of_the_file_is_refused_and_the_nearest_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"allow_unsignd; did you mean allow_unsigned\?"):
        load_settings({}, {}, written(tmp_path, "allow_unsignd = true"))


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    written(tmp_path, "api_port = 70000\nnonsense = 1")
    with pytest.raises(InvalidInput) as caught:
        load_settings({"time_source": "wall"}, {"PMS_ALLOW_UNSIGNED": "perhaps"})
    for part in ("api_port: expected a port", "nonsense", "--time-source: expected append or header", "PMS_ALLOW_UNSIGNED"):
        assert part in caught.value.what


def test_variables_of_the_test_suite_and_empty_ones_are_no_settings() -> None:
    assert load_settings({}, {"PMS_TEST_ANYTHING": "x", "PMS_STORE": "", "PATH": "/bin"}) == Settings()


def test_the_file_can_be_named_by_argument_or_variable_and_must_then_exist(tmp_path: Path) -> None:
    path = written(tmp_path, 'group = "named"', "other.toml")
    assert load_settings({}, {}, path).group == "named"
    assert load_settings({}, {"PMS_CONFIG": str(path)}).group == "named"
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_settings({}, {"PMS_CONFIG": str(tmp_path / "absent.toml")})


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"pms\.toml: not TOML"):
        load_settings({}, {}, written(tmp_path, "group: x"))


@pytest.mark.parametrize("value", ["yes", "2", ""])
def test_only_plain_truth_values_switch(value: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="true or false"):
        load_settings({}, {}, written(tmp_path, f'allow_unsigned = "{value}"'))


def test_passwords_are_never_shown() -> None:
    settings = load_settings(
        {},
        {
            "PMS_KAFKA_SASL_PASSWORD": "hunter-one",
            "PMS_KAFKA_SSL_KEY_PASSWORD": "hunter-two",
            "PMS_STORE": "clickhouse://reader:hunter@three@host:8123/pms",
        },
    )
    assert "hunter" not in repr(settings)
    assert "clickhouse://reader:***@host:8123/pms" in repr(settings)
    assert settings.store == "clickhouse://reader:hunter@three@host:8123/pms"


def test_a_refused_password_is_not_shown_either(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings({}, {}, written(tmp_path, "kafka_sasl_password = 123456"))
    assert "123456" not in str(caught.value)


def test_security_settings_are_handed_on_under_the_names_of_kafkas_clients() -> None:
    environ = {"PMS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PMS_KAFKA_SASL_USERNAME": "me", "PMS_KAFKA_BOOTSTRAP": "broker:1"}
    assert load_settings({}, environ).kafka_security() == {"security_protocol": "SASL_SSL", "sasl_username": "me"}


def test_a_store_that_is_needed_and_not_named_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match="PMS_STORE"):
        Settings().named_store()


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().group = "other"  # type: ignore[misc]
