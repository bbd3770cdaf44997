"""What of the Kafka clients' chatter reaches stderr."""

from __future__ import annotations

import logging

from surveillance.cli.logs import REPEAT_S, OncePerWhile


def record(name: str, line: int, at_s: float) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "conn.py", line, "Unable connect to node with id %s", ("1",), None)
    made.created = at_s
    return made


def test_a_client_that_repeats_itself_is_heard_once_in_a_while() -> None:
    heard = OncePerWhile()
    assert heard.filter(record("aiokafka", 7, 0.0))
    assert not heard.filter(record("aiokafka", 7, 0.01))
    assert not heard.filter(record("aiokafka", 7, REPEAT_S - 0.01))
    assert heard.filter(record("aiokafka", 7, REPEAT_S))


def test_other_things_that_a_client_says_are_heard() -> None:
    heard = OncePerWhile()
    assert heard.filter(record("aiokafka.consumer", 7, 0.0))
    assert heard.filter(record("aiokafka.consumer", 8, 0.0))


def test_what_we_say_ourselves_is_always_heard() -> None:
    heard = OncePerWhile()
    assert all(heard.filter(record("streams.releases", 7, 0.0)) for _ in range(3))
