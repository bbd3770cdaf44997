"""Logs on stderr, in UTC, with as much of the Kafka clients in them as a person can read."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

CLIENTS: Final = ("aiokafka", "faust", "mode")
REPEAT_S: Final = 10.0


class OncePerWhile(logging.Filter):
    """A line of the clients' code speaks once in 10 s: without a broker aiokafka repeats itself hundreds of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._spoke: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown. Anything that is not of a client is."""
        if record.name.partition(".")[0] not in CLIENTS:
            return True
        place = (record.pathname, record.lineno)
        shown = place not in self._spoke or record.created - self._spoke[place] >= REPEAT_S
        if shown:
            self._spoke[place] = record.created
        return shown


def log_to_stderr(level: str) -> None:
    """Begins logging at `level`; at "debug" nothing is held back."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    if level != "debug":
        handler.addFilter(OncePerWhile())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # At "info" the clients tell each step of a start and a rebalance; what a reader can use of it is in our own lines.
    for client in CLIENTS:
        logging.getLogger(client).setLevel(logging.WARNING if level == "info" else logging.NOTSET)
