"""A service beside a worker that fails: it stops the worker, and says in the log as much as a person can use."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streams.worker import _serve
from surveillance.errors import InvalidInput


@pytest.mark.parametrize(
    ("error", "told", "traced"),
    [
        (InvalidInput("the port is taken", "choose another"), "the port is taken\n  to mend: choose another", False),
        (ValueError("patient 4711"), "ValueError", True),
    ],
)
def test_an_error_of_ours_is_told_in_its_words_and_any_other_with_its_traceback(
    error: Exception, told: str, traced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: asyncio.Event) -> None:
        raise error

    async def served() -> bool:
        stop = asyncio.Event()
        with pytest.raises(type(error)):
            await _serve(fails, stop)
        return stop.is_set()

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(served())
    (record,) = caplog.records
    assert record.getMessage() == f"a service of the worker failed: {told}"
    assert bool(record.exc_info) is traced
