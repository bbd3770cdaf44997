"""The last state of every monitor and scope as the evaluator wrote it: the lines that `pms replay` ends with.

The rows of the status table, by the first letter of their key: a status line each, the summary, and how far the evaluator
has judged, which is its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from surveillance.errors import InvalidInput
from surveillance.log_identity import current_log
from surveillance.store.protocol import Store

JUDGED: Final = "0"
LINE: Final = "1"
SUMMARY: Final = "2"


def status_lines(store: Store) -> Iterator[Mapping[str, Any]]:
    """Status lines in the order of `pms replay`, the summary last.

    Raises InvalidInput where no service has written to the store yet, StoreUnavailable.
    """
    log = current_log(store)
    if log is None:
        raise InvalidInput("no service has written to this store yet", "start `pms up`, or name the store that it uses")
    yield from lines_of_log(store, log.log_id)


def lines_of_log(store: Store, log_id: str) -> Iterator[Mapping[str, Any]]:
    """The lines of one log, none where nothing was judged yet. Raises StoreUnavailable."""
    for row in store.read_status(log_id):
        if row.key[:1] != JUDGED:
            yield json.loads(row.body)
