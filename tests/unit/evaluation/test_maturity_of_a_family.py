"""P-values that are adjusted over scopes move when another scope's labels become old enough, though no row has changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.replay import Replay
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator, Judged
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from tests.oracle.streams import START_MS
from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, tick
from tests.property.folding import registration

END_MS = START_MS + HOUR_MS
YOUNG_MS, OLD_MS = END_MS + 2 * MINUTE_MS, END_MS + 18 * HOUR_MS
COMPLETE = {"site": "complete"}


def _replay() -> Replay:
    """One site has all of its labels, another half of them: when that one is old enough, p of the first counts double."""
    watched = monitor(
        "prev", {"type": "prevalence", "require_mature": True}, {"investigate": {"p": 0.01}}, window="w1h", by=["site"]
    )
    document = release(watched)
    document["baselines"]["prevalence"] = 0.2
    lines = []
    for site, labelled, positives in (("complete", 20, 9), ("waiting", 10, 2)):
        for at in range(20):
            lines.append(inference(f"{site}.{at}", MINUTE_MS, 0.8 if at % 2 else 0.1, site_id=site, device_id=site))
            if at < labelled:
                lines.append(outcome(f"{site}.{at}", int(at < positives), 2 * MINUTE_MS, site_id=site, device_id=site))
    lines += [tick(YOUNG_MS - START_MS + MINUTE_MS), tick(OLD_MS - START_MS + 2 * MINUTE_MS)]
    replay = Replay(Registry([registration(document)]), MemoryStore())
    list(replay.run(lines))
    return replay


@pytest.fixture(scope="module")
def replay() -> Replay:
    return _replay()


def _rows(replay: Replay) -> list[PaneRow]:
    return sorted(replay.store.read_panes("replay"), key=lambda row: row.version)


def _moment(now_ms: int) -> Moment:
    return Moment(now_ms, now_ms, now_ms)


def _of_complete(evidence: tuple[Evidence, ...]) -> Evidence:
    (one,) = [one for one in evidence if dict(one.scope) == COMPLETE and one.end_ms == END_MS]
    return one


def test_the_evidence_of_a_mature_scope_has_a_new_revision_when_its_family_grows(replay: Replay) -> None:
    kept: list[dict[str, Any]] = [json.loads(one.body) for one in replay.store.history("evidence")]
    own = [one for one in kept if one["scope"] == COMPLETE and one["window"]["end"] == "2026-03-02T01:00:00Z"]
    assert len(own) == 2
    assert [one["mature"] for one in own] == [True, True]
    assert own[0]["estimate"] == own[1]["estimate"]
    assert own[1]["p_adjusted"] == pytest.approx(2 * own[0]["p_adjusted"])


def test_after_a_restart_a_mature_scope_is_decided_again_once_its_family_has_grown(replay: Replay) -> None:
    registry, rows = replay.registry, _rows(replay)
    before = Evaluator(registry)
    before.take(rows)
    young = _of_complete(before.judge(_moment(YOUNG_MS)).evidence)
    judged = Judged(YOUNG_MS, YOUNG_MS, YOUNG_MS, dict(young.revision))
    for now_ms, decides in ((YOUNG_MS, False), (OLD_MS, True)):
        after = Evaluator(registry, judged={young.manifest_digest: judged})
        after.take(rows)
        evidence = after.judge(_moment(now_ms)).evidence
        assert [dict(one.scope) for one in evidence if one.end_ms == END_MS] == (
            [COMPLETE, {"site": "waiting"}] if decides else []
        )
