"""A Faust agent that does nothing but count, on the same topic, in one process."""

from __future__ import annotations

import asyncio
from secrets import token_hex
from time import perf_counter, process_time
from typing import Any

from streams.faust_app import WorkerApp


def contend(bootstrap: str, topic: str, records: int) -> dict[str, Any]:
    """Seconds from the first record to the one of number `records`."""
    return asyncio.run(_read(bootstrap, topic, records))


async def _read(bootstrap: str, topic: str, records: int) -> dict[str, Any]:
    app = WorkerApp(
        f"idle-{token_hex(4)}", broker=f"kafka://{bootstrap}", store="memory://", topic_disable_leader=True,
        topic_allow_declare=False, web_enabled=False, stream_wait_empty=False, consumer_auto_offset_reset="earliest",
    )  # fmt: skip
    done = asyncio.Event()
    seen, started_s, ended_s, cpu_s = 0, 0.0, 0.0, 0.0

    async def idle(stream: Any) -> None:
        nonlocal seen, started_s, ended_s, cpu_s
        async for _ in stream:
            if not seen:
                started_s, cpu_s = perf_counter(), process_time()
            seen += 1
            if seen == records:
                ended_s, cpu_s = perf_counter(), process_time() - cpu_s
                done.set()

    app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"))(idle)
    await app.start()
    try:
        await done.wait()
    finally:
        await app.stop()
    return {"seconds": ended_s - started_s, "cpu_seconds": cpu_s}
