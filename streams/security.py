"""Kafka security settings under the names that Kafka's own clients use, for aiokafka and for Faust."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.helpers import create_ssl_context
from faust.auth import GSSAPICredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from surveillance.errors import InvalidInput, InvalidSetting

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")
_FIELDS: Mapping[str, str] = {
    "security.protocol": "protocol",
    "sasl.mechanism": "mechanism",
    "sasl.username": "username",
    "sasl.password": "password",
    "sasl.kerberos.service.name": "kerberos_service",
    "ssl.ca.location": "ca_file",
    "ssl.certificate.location": "certificate_file",
    "ssl.key.location": "key_file",
    "ssl.key.password": "key_password",
}
SECURITY_NAMES = tuple(_FIELDS)


@dataclass(frozen=True, slots=True, repr=False)
class Security:
    """How to reach the broker. Its text never shows a password."""

    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = None
    kerberos_service: str = "kafka"
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: str | None = None

    def __repr__(self) -> str:
        return f"Security(protocol={self.protocol!r}, mechanism={self.mechanism!r}, username={self.username!r})"

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of every aiokafka client."""
        if self.protocol == "PLAINTEXT":
            return {}
        arguments: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self._ssl_context()}
        if self.protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
                "sasl_kerberos_service_name": self.kerberos_service,
            }
        return arguments

    def faust(self) -> CredentialsT | None:
        """The value of Faust's `broker_credentials`."""
        context = self._ssl_context()
        if self.protocol == "PLAINTEXT":
            return None
        if self.protocol == "SSL":
            return SSLCredentials(context)
        if self.mechanism == "GSSAPI":
            return GSSAPICredentials(kerberos_service_name=self.kerberos_service, ssl_context=context, mechanism="GSSAPI")
        return SASLCredentials(username=self.username, password=self.password, ssl_context=context, mechanism=self.mechanism)

    def _ssl_context(self) -> Any:
        if not self.protocol.endswith("SSL"):
            return None
        try:
            return create_ssl_context(
                cafile=self.ca_file, certfile=self.certificate_file, keyfile=self.key_file, password=self.key_password
            )
        except OSError as error:
            raise InvalidInput(
                f"the TLS files of the broker connection cannot be read: {error}", "check ssl.*.location"
            ) from error


PLAINTEXT = Security()
"""No encryption and no login."""


def read_security(settings: Mapping[str, str]) -> Security:
    """`Security` from settings by their usual names (`SECURITY_NAMES`, dots or underscores, any case).

    Raises InvalidSetting for a name or value that is not known, naming the nearest.
    """
    values = {}
    for given, value in settings.items():
        name = given.lower().replace("_", ".")
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, SECURITY_NAMES, 1)
            raise InvalidSetting(
                f"unknown Kafka setting {given!r}", f"did you mean {near[0]}?" if near else f"known: {', '.join(_FIELDS)}"
            )
        values[_FIELDS[name]] = value
    security = Security(**values)
    _require("security.protocol", security.protocol, PROTOCOLS)
    _require("sasl.mechanism", security.mechanism, MECHANISMS)
    if security.protocol.startswith("SASL") and security.mechanism != "GSSAPI" and not (security.username and security.password):
        raise InvalidSetting(f"{security.mechanism} needs sasl.username and sasl.password")
    return security


def _require(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidSetting(f"{name}={value!r} is not supported", f"one of {', '.join(known)}")
