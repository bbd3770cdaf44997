"""What `pms replay` prints, as contract/interfaces.md has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import (
    HOUR_MS,
    MIDNIGHT_MS,
    Event,
    Printed,
    arrival_ms,
    heartbeat,
    inference,
    lines_of,
    manifest_file,
    release,
    summary_of,
    telemetry,
    written,
)

INCIDENT = {
    "kind", "incident_id", "monitor_id", "hazard_id", "level", "state", "scope", "release_id", "manifest_digest", "opened_at",
    "breached_since", "window", "estimate", "limit", "owner", "ack_by", "decide_by", "playbook", "summary",
}  # fmt: skip
TRIGGER = {
    "kind", "trigger_id", "action", "incident_id", "scope", "target", "requires_confirmation_by", "expires_at", "drill",
    "field_action",
}  # fmt: skip
STATUS = {"kind", "manifest_digest", "monitor_id", "scope", "verdict", "levels", "reason", "window", "estimate"}
SUMMARY = {"kind", "events", "counted", "duplicates", "quarantined", "late", "panes", "watermark", "signed"}


def test_the_summary_adds_up_whatever_is_in_the_lines(printed: Printed, tmp_path: Path) -> None:
    late = inference(7, 0) | {"ingest_time": "2026-03-06T00:00:00Z"}
    lines: list[Event | bytes] = [
        inference(1, 0),
        inference(1, 0),
        b"no JSON",
        b"[]",
        b"   ",
        b"",
        inference(2, 1, score=2),
        late,
    ]
    found = summary_of(printed(written(tmp_path, "e.ndjson", *lines)))
    assert found.keys() == SUMMARY
    assert found | {"panes": 0} == {
        "kind": "summary", "events": 6, "counted": 1, "duplicates": 1, "late": 1, "panes": 0, "signed": False,
        "quarantined": {"field_invalid:score": 1, "not_json": 2}, "watermark": "2026-03-06T00:00:00Z",
    }  # fmt: skip
    assert found["panes"] > 0


def test_lines_have_the_fields_of_the_contract_and_stand_in_order_of_time(printed: Printed, tmp_path: Path) -> None:
    """The last record leaves both incidents open to the end of time, where the one of the later monitor is the earlier."""
    events = [one for one in telemetry() if arrival_ms(one) < MIDNIGHT_MS + 2 * HOUR_MS]
    found = lines_of(printed("--until", "2026-03-02T03:00:00Z", written(tmp_path, "e.ndjson", *events)))
    for line in found:
        wanted = {"incident": INCIDENT, "trigger": TRIGGER, "status": STATUS, "summary": SUMMARY}[line["kind"]]
        assert wanted <= line.keys()
    kinds = [line["kind"] for line in found]
    told = kinds.index("status")
    assert set(kinds[:told]) == {"incident", "trigger"}
    assert kinds[told:] == ["status"] * (len(kinds) - told - 1) + ["summary"]
    times = [line["opened_at"] for line in found if line["kind"] == "incident"]
    assert times == sorted(times) == ["2026-03-02T02:15:00Z", "2026-03-02T03:00:00Z"]


def test_an_incident_at_pause_asks_for_a_pause_of_the_rollout(printed: Printed, stream: Path) -> None:
    found = printed(stream)
    (opened,) = lines_of(found, "incident")
    (trigger,) = lines_of(found, "trigger")
    assert (opened["monitor_id"], opened["level"], opened["scope"]) == ("dq.missing", "pause", {"site": "s1"})
    assert opened["window"] == {"start": "2026-03-02T01:00:00Z", "end": "2026-03-02T02:00:00Z"}
    assert opened["estimate"]["value"] == 1.0
    assert (opened["ack_by"], opened["decide_by"]) == ("2026-03-02T02:30:00Z", "2026-03-02T06:00:00Z")
    assert (trigger["action"], trigger["incident_id"]) == ("pause_rollout", opened["incident_id"])
    assert trigger["target"] == {"release_id": "pump-1", "manifest_digest": opened["manifest_digest"]}


def test_without_json_a_person_reads_the_same(stream: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "--manifest", str(manifest), str(stream)]) == 0
    text = capsys.readouterr().out
    assert "OPEN pause dq.missing at site s1: 1 [" in text
    assert "-> pause_rollout asked for" in text
    counted = "148 events: 148 counted, 0 duplicates, 0 late, quarantined: none"
    assert text.endswith(f"{counted}; watermark 2026-03-02T02:01:00Z; 1 incident open\n")


def test_the_summary_of_an_incident_names_the_type_the_p_that_was_judged_and_the_first_window(
    printed: Printed, stream: Path, tmp_path: Path
) -> None:
    volume = {
        "id": "use.volume", "hazard_id": "HZ-1", "metric": {"type": "volume_vs_expected"}, "window": "hour",
        "limits": {"investigate": {"p": 0.0001}}, "playbook": "PB", "persistence": {"k": 2, "of": 2},
    }  # fmt: skip
    document = release(monitors=[volume])
    document["baselines"]["operational"] = {"expected_volume": {"hour_of_week": {"all": [600] * 168}, "dispersion": 1}}
    (opened,) = lines_of(printed(stream, manifests=(manifest_file(tmp_path, document),)), "incident")
    assert opened["summary"].startswith(
        "use.volume (volume_vs_expected) is breached at level investigate for all sites and groups"
    )
    assert f", n 60, p {opened['estimate']['p']:.2g} against p 0.0001; " in opened["summary"]
    deadline = f"Acknowledge by {opened['ack_by']}, decide by {opened['decide_by']}."
    assert opened["summary"].endswith(f"the first window breached began 2026-03-02T00:00:00Z. {deadline}")


def test_the_summary_of_an_incident_names_the_level_of_the_interval(printed: Printed, stream: Path, tmp_path: Path) -> None:
    for chosen, told in (({}, "95 %"), ({"level": 0.995}, "99.5 %")):
        document = release()
        document["surveillance"]["monitors"][0]["interval"] = chosen
        (opened,) = lines_of(printed(stream, manifests=(manifest_file(tmp_path, document),)), "incident")
        assert f": 1 [{told}: {opened['estimate']['lower']:.4g}, 1], n 60" in opened["summary"]


def test_an_empty_file_has_a_summary_and_nothing_else(printed: Printed, tmp_path: Path) -> None:
    (found,) = lines_of(printed(written(tmp_path, "empty.ndjson")))
    assert (found["events"], found["panes"], found["watermark"]) == (0, 0, None)


def test_it_is_said_when_nothing_was_counted(tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream = written(tmp_path, "e.ndjson", inference(1, 0, release_id="other"))
    assert run(["replay", "--manifest", str(manifest), "--json", str(stream)]) == 0
    said = capsys.readouterr()
    assert summary_of(said.out)["quarantined"] == {"release_unknown": 1}
    assert "none of 1 event(s) was counted" in said.err
    assert run(["replay", "--manifest", str(manifest), "--json", str(written(tmp_path, "empty.ndjson"))]) == 0
    assert "no event was read" in capsys.readouterr().err


def test_lines_that_are_no_events_are_all_in_the_summary(printed: Printed, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("event_time,score\n2026-05-06T00:00:00Z,0.5\n\n2026-05-06T00:01:00Z,0.6\n", encoding="utf-8")
    assert summary_of(printed(table))["quarantined"] == {"not_json": 3}


@pytest.mark.parametrize(
    ("metric", "limit"),
    [
        ({"type": "psi", "feature": "hr"}, {"p": 0.001}),
        ({"type": "psi", "feature": "px"}, {"p": 0.001}),
        ({"type": "psi", "feature": "score"}, {"p": 0.001}),
        ({"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"}, {"rr_ci_lower_above": 2}),
        ({"type": "label_arrivals_vs_expected"}, {"p": 0.001}),
    ],
)
def test_a_monitor_without_its_reference_is_inconclusive_by_name(
    metric: Event, limit: Event, printed: Printed, stream: Path, tmp_path: Path
) -> None:
    document = release()
    document["surveillance"]["monitors"][0] |= {"metric": metric, "limits": {"investigate": limit}}
    found = printed(stream, manifests=(manifest_file(tmp_path, document),))
    (line,) = [line for line in lines_of(found, "status") if line["monitor_id"] == "dq.missing"]
    assert (line["verdict"], line["reason"]) == ("inconclusive", "unknown_reference")


@pytest.mark.parametrize(
    ("interval", "method"), [({}, "conditional_binomial"), ({"method": "exact_poisson"}, "one_sample_exact_poisson")]
)
def test_a_rate_ratio_has_the_interval_asked_for(
    interval: Event, method: str, printed: Printed, stream: Path, tmp_path: Path
) -> None:
    metric = {"type": "poisson_rate_ratio", "numerator": "alerts", "exposure": "encounters"}
    document = release()
    document["surveillance"]["monitors"][0] |= {
        "metric": metric, "limits": {"investigate": {"rr_ci_lower_above": 2}}, "interval": interval
    }  # fmt: skip
    document["baselines"]["operational"] = {"alerts_per_100_encounters": {"value": 10, "n": 1000}}
    found = printed(stream, manifests=(manifest_file(tmp_path, document),))
    (line,) = [line for line in lines_of(found, "status") if line["monitor_id"] == "dq.missing"]
    assert line["estimate"]["method"] == method


# the store -------------------------------------------------------------------------------------------------
def test_a_store_that_holds_another_replay_does_not_change_this_one(
    printed: Printed, stream: Path, manifest: Path, tmp_path: Path
) -> None:
    """In a process of its own, because chDB opens one directory per process."""
    other = written(tmp_path, "other.ndjson", *[inference(n, n, px=None) for n in range(50)], heartbeat(1, 60))
    program = "import sys; from surveillance.cli.main import run; [run(a.split('|')) for a in sys.argv[1:]]"
    calls = [
        "|".join(["replay", "--manifest", str(manifest), "--json", "--store", f"chdb://{tmp_path}/store", str(file)])
        for file in (other, stream, other)
    ]
    done = subprocess.run([sys.executable, "-c", program, *calls], capture_output=True, text=True, check=True)
    in_memory = printed(other), printed(stream)
    assert done.stdout == in_memory[0] + in_memory[1] + in_memory[0]
