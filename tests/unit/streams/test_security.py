"""Kafka security settings by their usual names: read, refused by name, never shown."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from faust.auth import GSSAPICredentials, SASLCredentials, SSLCredentials
from faust.types.auth import AuthProtocol

from streams.security import PLAINTEXT, Security, read_security
from surveillance.errors import InvalidInput

LOGIN = {"sasl.username": "worker", "sasl.password": "hunter2"}


def test_without_settings_nothing_is_encrypted_and_nobody_logs_in() -> None:
    assert read_security({}) == PLAINTEXT
    assert PLAINTEXT.aiokafka() == {}
    assert PLAINTEXT.faust() is None


@pytest.mark.parametrize("name", ["security.protocol", "SECURITY_PROTOCOL", "security_protocol", "Security.Protocol"])
def test_names_may_have_dots_or_underscores_in_any_case(name: str) -> None:
    assert read_security({name: "SSL"}).protocol == "SSL"


def test_a_name_that_is_not_known_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"unknown Kafka setting 'sasl\.pasword'") as refusal:
        read_security({"sasl.pasword": "x"})
    assert refusal.value.mend == "did you mean sasl.password?"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"security.protocol": "TLS"}, "security.protocol='TLS' is not supported"),
        ({"sasl.mechanism": "MAGIC"}, "sasl.mechanism='MAGIC' is not supported"),
        ({"security.protocol": "SASL_SSL"}, "PLAIN needs sasl.username and sasl.password"),
        ({"security.protocol": "SASL_PLAINTEXT", "sasl.username": "worker"}, "PLAIN needs sasl.username and sasl.password"),
    ],
)
def test_a_value_that_cannot_work_is_refused(settings: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_security(settings)
    assert says in refusal.value.what


def test_a_login_goes_to_both_clients() -> None:
    security = read_security({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512", **LOGIN})
    assert security.aiokafka() == {
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "hunter2",
        "sasl_kerberos_service_name": "kafka",
    }
    faust = security.faust()
    assert isinstance(faust, SASLCredentials)
    assert (faust.username, faust.password, faust.protocol) == ("worker", "hunter2", AuthProtocol.SASL_PLAINTEXT)


def test_tls_goes_to_both_clients_as_a_context_that_checks_the_broker() -> None:
    security = read_security({"security.protocol": "SASL_SSL", **LOGIN})
    context = security.aiokafka()["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    faust = security.faust()
    assert isinstance(faust, SASLCredentials)
    assert faust.protocol == AuthProtocol.SASL_SSL
    assert isinstance(Security(protocol="SSL").faust(), SSLCredentials)


def test_kerberos_needs_no_password() -> None:
    security = read_security(
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI", "sasl.kerberos.service.name": "broker"}
    )
    faust = security.faust()
    assert isinstance(faust, GSSAPICredentials)
    assert faust.kerberos_service_name == "broker"


def test_a_file_that_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    security = read_security({"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "missing.pem")})
    with pytest.raises(InvalidInput, match="TLS files"):
        security.aiokafka()


def test_no_text_of_it_shows_a_password() -> None:
    security = read_security({"security.protocol": "SASL_SSL", **LOGIN, "ssl.key.password": "sesame"})
    for text in (repr(security), str(security), f"{security}"):
        assert "hunter2" not in text
        assert "sesame" not in text
