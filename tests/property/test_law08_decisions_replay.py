"""Law 8: every decision replays. Same inputs, same bytes: whatever the chunks, the store, the process, or who reads when."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import replay as replay_module
from streams.evaluation_service import EvaluationService
from surveillance.evaluation.global_clock import LogShape
from surveillance.incidents.lines import line_text
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.oracle.streams import START_MS
from tests.oracle.times import format_time
from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, replayed_lines, tick
from tests.property.folding import Died, LogRecord, Owner, Trouble, TroubledStore, log_of, registration

REPOSITORY = Path(__file__).parents[2]
CUSUM = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3}
WATCHED = [
    monitor("abstained", {"type": "rate", "numerator": "abstained", "denominator": "inferences"},
            {"investigate": {"ci_lower_above": 0.1}}, window="w1h", by=["site"]),
    monitor("identity", {"type": "identity_mismatch", "fields": ["model_digest"]}, {"investigate": {"ge": 2}}, window="w1h"),
    monitor("miss", CUSUM, {"investigate": {"h": 2.5}}, window="per_label"),
    monitor("sens", {"type": "proportion_vs_floor", "event": "sensitivity"}, {"investigate": {"ci_upper_below": 0.8}},
            window="w1h"),
]  # fmt: skip


def documents() -> list[dict[str, Any]]:
    """Two revisions; the second is in force from the third hour on."""
    second = release(*WATCHED, revision=2)
    second["surveillance"]["effective_from"] = format_time(START_MS + 3 * HOUR_MS)
    return [release(*WATCHED), second]


def troubled_hours(hours: int = 6) -> list[bytes]:
    """Ten inferences an hour at two sites; every second abstains, some are of another model, positives are missed."""
    lines = []
    for hour in range(hours):
        for at in range(10):
            number, at_ms = f"{hour}-{at}", hour * HOUR_MS + at * 5 * MINUTE_MS
            wrong = {"model_digest": "sha256:" + "9" * 64} if at % 4 == 0 and hour % 2 else {}
            score = 0.2 if at % 3 else 0.9
            lines.append(inference(number, at_ms, score, site_id=f"s{at % 2}", abstained=at % 2 == 0, **wrong))
            lines.append(outcome(number, int(at % 3 != 1), at_ms + 60_000, site_id=f"s{at % 2}"))
    return [*lines, tick(hours * HOUR_MS)]


def texts(lines: list[dict[str, Any]]) -> list[str]:
    return [line_text(line) for line in lines]


@settings(max_examples=6)
@given(st.integers(1, 200))
def test_the_lines_do_not_depend_on_how_many_records_are_read_at_once(chunk):
    plain = texts(replayed_lines(documents(), troubled_hours()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replay_module, "CHUNK_LINES", chunk)
        assert texts(replayed_lines(documents(), troubled_hours())) == plain


def evidence_bodies(store: Store, digests: set[str]) -> list[tuple[str, int, str]]:
    kept = store.history("evidence")
    return [(one.key, one.revision, one.body) for one in kept if one.manifest_digest in digests]


def test_evidence_has_the_same_bytes_in_every_store(chdb_store, http_store, log_id):
    memory = MemoryStore()
    digests = {registration(document).digest for document in documents()}
    lines = texts(replayed_lines(documents(), troubled_hours(), memory, log_id))
    for store in (chdb_store, http_store):
        assert texts(replayed_lines(documents(), troubled_hours(), store, log_id)) == lines
        assert evidence_bodies(store, digests) == evidence_bodies(memory, digests)
    assert len(evidence_bodies(memory, digests)) > 20


def test_evidence_says_what_it_rests_on():
    memory = MemoryStore()
    replayed_lines(documents(), troubled_hours(), memory)
    for document in memory.history("evidence"):
        body = json.loads(document.body)
        assert {"counts", "manifest_digest", "revision", "window", "levels"} <= body.keys()
        assert body["manifest_digest"] == document.manifest_digest


def test_the_order_of_hashing_is_no_input(tmp_path):
    """Two processes whose sets and dictionaries are ordered by other seeds print the same bytes."""
    for number, document in enumerate(documents()):
        (tmp_path / f"m{number}.json").write_text(json.dumps(document))
    (tmp_path / "events.ndjson").write_bytes(b"\n".join(troubled_hours(4)))
    program = (
        "import sys; from pathlib import Path; from streams.replay import run_replay;"
        "from surveillance.incidents.lines import line_text;"
        "[print(line_text(line)) for line in run_replay([sys.argv[1]], [Path(p) for p in sys.argv[2:]])]"
    )
    files = [str(tmp_path / name) for name in ("events.ndjson", "m0.json", "m1.json")]
    printed = [
        subprocess.run(
            [sys.executable, "-c", program, *files],
            check=True,
            capture_output=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "4242")
    ]
    assert printed[0].count(b"\n") > 10
    assert printed[0] == printed[1]


def last_states(service: EvaluationService, store: Store, log_id: str) -> list[str]:
    """The status lines as they are stored."""
    service.step()
    return [row.body for row in store.read_status(log_id) if row.key.startswith("1")]


def worked_log(records: list[LogRecord], reader_steps: bool, dies_at: int | None) -> tuple[list[str], list[str], list[str]]:
    """Status, incident lines and incident ids after a worker flushed in five portions, an evaluator reading in between or not."""
    store, registry = MemoryStore(), Registry(registration(document) for document in documents())
    front = TroubledStore(store, Trouble())
    worker = Owner(front, "log", registry)
    service = EvaluationService(store, registry, "log", LogShape(1, None))
    decided = []
    for _ in range(5):
        if dies_at is not None:
            front.trouble = Trouble(dies_at_write=dies_at)
            try:
                worker.step(records, len(records) // 5, flush=True)
            except Died:
                decided += service.step() if reader_steps else []  # rows beyond progress are there
                front.trouble = Trouble()
                worker.take_over()
            front.trouble = Trouble()
        worker.step(records, len(records) // 5, flush=True)
        decided += service.step() if reader_steps else []
    worker.finish(records)
    status = last_states(service, store, "log")
    return status, texts(decided), sorted({document.key for document in store.newest("incident_events")})


@pytest.mark.parametrize("dies_at", [None, 3, 4], ids=["whole flushes", "before panes", "between panes and progress"])
def test_an_evaluator_reading_while_rows_are_being_flushed_ends_with_the_same_status(dies_at):
    records = log_of(troubled_hours())
    read_along, _, _ = worked_log(records, reader_steps=True, dies_at=dies_at)
    read_at_the_end, _, _ = worked_log(records, reader_steps=False, dies_at=None)
    assert read_along == read_at_the_end
    assert len(read_along) > 4


def test_an_early_look_at_rows_beyond_progress_opens_no_incident_twice():
    records = log_of(troubled_hours())
    _, decided, _ = worked_log(records, reader_steps=True, dies_at=4)
    opened = [json.loads(line) for line in decided if '"state":"open"' in line]
    identities = [(line["incident_id"], line["level"]) for line in opened]
    assert identities
    assert len(identities) == len(set(identities))


def test_two_evaluators_on_different_revisions_open_one_incident_between_them():
    """One has judged on while the other still stands at an older progress; both write to the same store."""
    store, registry = MemoryStore(), Registry(registration(document) for document in documents())
    records = log_of(troubled_hours())
    worker = Owner(store, "log", registry)
    ahead, behind = (EvaluationService(store, registry, "log", LogShape(1, None)) for _ in range(2))
    for portion in range(1, 6):
        worker.step(records, len(records) // 5, flush=True)
        ahead.step()
        if portion in (2, 4):
            behind.step()
    worker.finish(records)
    ahead.step()
    behind.step()
    alone = MemoryStore()
    only = Owner(alone, "log", registry)
    service = EvaluationService(alone, registry, "log", LogShape(1, None))
    for _ in range(5):
        only.step(records, len(records) // 5, flush=True)
        service.step()
    only.finish(records)
    service.step()
    assert {one.key for one in store.newest("incident_events")} == {one.key for one in alone.newest("incident_events")}
    assert {one.key for one in store.newest("triggers")} == {one.key for one in alone.newest("triggers")}
    assert [row.body for row in store.read_status("log") if row.key[0] == "1"] == [
        row.body for row in alone.read_status("log") if row.key[0] == "1"
    ]


def test_a_label_revised_after_its_chart_alarmed_lowers_the_chart_and_leaves_the_incident():
    chart = release(monitor("miss", CUSUM, {"investigate": {"h": 2.5}}, window="per_label"))
    missed = [line for at in range(12) for line in (inference(at, at * MINUTE_MS, 0.2), outcome(at, 1, at * MINUTE_MS + 1000))]
    late = 2 * HOUR_MS
    corrected = range(10)  # two of twelve stay missed
    revised = [outcome(f"r{at}", 0, late + at * 1000, of=at, label_kind="reference_standard", revision=2) for at in corrected]
    before = replayed_lines([chart], [*missed, tick(late)])
    after = replayed_lines([chart], [*missed, tick(late), *revised, tick(late + HOUR_MS)])
    opened = [line for line in before if line["kind"] == "incident"]
    assert [line["state"] for line in opened] == ["open"]
    assert next(line for line in after if line["kind"] == "incident") == opened[0], "no revision deletes an incident"
    (alarmed,), (refolded,) = ([line for line in lines if line["kind"] == "status"] for lines in (before, after))
    assert alarmed["estimate"]["value"] > 2.5
    assert refolded["estimate"]["value"] == pytest.approx(2 * math.log(3))
    assert refolded["verdict"] == "met"
