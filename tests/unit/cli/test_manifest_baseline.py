"""`pms manifest baseline`: what is printed is what was counted, small cells stay out, and a manifest with it lints clean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from surveillance.cli.main import run
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import parse_manifest
from surveillance.manifest.yaml12 import load_document
from surveillance.times import to_text

Document = dict[str, Any]
MONDAY_MS = 1_772_409_600_000
"""2026-03-02T00:00:00Z"""
HOUR_MS = 3_600_000
HOURS = 21 * 24
A_DAY, A_NIGHT = 6, 3


def manifest_document(**baselines: Any) -> Document:
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-1", "revision": 1, "status": "approved",
        "release": {"release_id": "r-1"},
        "strata": {"axes": [
            {"id": "age", "source": "context.age_years", "bins": [0, 40, 120], "labels": ["young", "old"]},
            {"id": "ward", "source": "context.setting"},
        ]},
        "operating_point": {"thresholds": [{"name": "flag", "value": 0.5}]},
        "baselines": baselines, "owners": {"safety_officer": {"primary": "user-1"}}, "surveillance": {"monitors": []},
    }  # fmt: skip


def events() -> list[Document]:
    """Three weeks; six inferences in each hour of the day and three in those of the night; every alert is acknowledged."""
    draws = np.random.default_rng(5)
    found: list[Document] = []
    days = draws.normal(0.0, 0.5, HOURS // 24)  # a day's patients have something in common
    for hour in range(HOURS):
        drift = days[hour // 24]
        for _ in range(A_DAY if 6 <= hour % 24 < 18 else A_NIGHT):
            number, at_ms = len(found), MONDAY_MS + hour * HOUR_MS + 60_000
            score = float(np.clip(draws.beta(0.5, 2.0), 0.0005, 0.9995))
            found += case(number, at_ms, score, label=int(draws.random() < score), px=float(draws.normal() + drift))
    return found


def case(number: int, at_ms: int, score: float, *, label: int, px: float) -> list[Document]:
    """An inference, its outcome ten hours later, and what was done about its alert."""
    known = {"schema_version": 2, "product": "p", "site_id": "s", "device_id": "d", "release_id": "r-1"}
    inference = known | {
        "schema": "pms.inference", "event_id": f"i{number}", "inference_id": f"i{number}", "event_time": to_text(at_ms),
        "score": score, "alert_raised": score >= 0.5, "threshold_applied": 0.5, "input_quality": 0.9,
        "features": {"px": None if number % 50 == 0 else px, "view": "AP" if number % 4 else "PA"},
        "context": {"age_years": 30 if number % 3 else 60, "setting": "ICU" if number % 500 == 0 else "ED"},
    }  # fmt: skip
    outcome = known | {
        "schema": "pms.outcome", "event_id": f"o{number}", "inference_id": f"i{number}", "outcome_id": f"o{number}",
        "event_time": to_text(at_ms + 10 * HOUR_MS), "label": label, "label_kind": "report",
    }  # fmt: skip
    action = known | {
        "schema": "pms.alert_action", "event_id": f"a{number}", "inference_id": f"i{number}", "action_id": f"a{number}",
        "event_time": to_text(at_ms + 90_000), "action": "override" if number % 5 == 0 else "ack",
    }  # fmt: skip
    return [inference, outcome] + ([action] if score >= 0.5 else [])


def written(folder: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def manifest_file(folder: Path, document: Document) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("snapshot"), "events.ndjson", events())


@pytest.fixture(scope="module")
def inferences(snapshot: Path) -> list[Document]:
    rows = [json.loads(line) for line in snapshot.read_text().splitlines()]
    return [row for row in rows if row["schema"] == "pms.inference"]


def baselines(capsys: pytest.CaptureFixture[str], *arguments: object) -> Document:
    assert run(["manifest", "baseline", *map(str, arguments)]) == 0
    found: Document = load_document(capsys.readouterr().out, "fragment")["baselines"]
    return found


def test_a_manifest_with_the_fragment_has_no_problem(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = baselines(capsys, "--manifest", manifest_file(tmp_path, manifest_document()), snapshot)
    document = manifest_document(**found)
    assert lint(document) == []
    assert parse_manifest(document).baselines.operational.expected_volume is not None


def test_distributions_are_those_of_the_cases(
    snapshot: Path, inferences: list[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    px, view = baselines(capsys, snapshot)["features"]
    values = np.array([row["features"]["px"] for row in inferences if row["features"]["px"] is not None])
    assert (px["name"], px["kind"], px["n"]) == ("px", "continuous", len(values))
    counted, _ = np.histogram(values, px["bins"]["edges"])
    assert px["bins"]["probs"] == pytest.approx((counted / len(values)).tolist(), abs=0.002)
    assert (px["mean"], px["sd"]) == pytest.approx((values.mean(), values.std()), abs=1e-5)
    assert px["missing"] == pytest.approx(1 - len(values) / len(inferences), abs=1e-6)
    frontal = sum(row["features"]["view"] == "AP" for row in inferences) / len(inferences)
    assert view["probs"] == pytest.approx({"AP": frontal, "PA": 1 - frontal, "other": 0.0}, abs=1e-5)


def test_days_that_move_together_are_told_as_dispersion_and_independent_cases_as_none(
    snapshot: Path, tmp_path: Path, inferences: list[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 3 < baselines(capsys, snapshot)["features"][0]["dispersion"] < 8
    draws = np.random.default_rng(2)
    apart = [row | {"features": {"px": float(draws.normal())}} for row in inferences]
    assert baselines(capsys, written(tmp_path, "e.ndjson", apart))["features"][0]["dispersion"] < 1.5


def test_metrics_come_with_intervals_around_what_was_counted(
    snapshot: Path, inferences: list[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    found = baselines(capsys, snapshot)
    label = {row["inference_id"]: row["label"] for row in events() if row["schema"] == "pms.outcome"}
    flagged = np.array([row["alert_raised"] for row in inferences])
    truth = np.array([label[row["inference_id"]] for row in inferences])
    metrics = {one["id"]: one["overall"] for one in found["metrics"]}
    assert metrics["sensitivity"]["value"] == pytest.approx(flagged[truth == 1].mean(), abs=1e-6)
    assert metrics["sensitivity"]["n_pos"] == truth.sum()
    assert found["prevalence"]["value"] == pytest.approx(truth.mean(), abs=1e-6)
    for one in (*metrics.values(), found["prevalence"]):
        low, high = one["ci95"]
        assert low < one["value"] < high
    # Labels were drawn with the scores as their probabilities.
    assert metrics["calibration_slope"]["ci95"][0] < 1 < metrics["calibration_slope"]["ci95"][1]
    assert metrics["observed_expected"]["ci95"][0] < 1 < metrics["observed_expected"]["ci95"][1]


def test_volume_alerts_overrides_and_delays_are_those_of_the_stream(
    snapshot: Path, inferences: list[Document], capsys: pytest.CaptureFixture[str]
) -> None:
    found = baselines(capsys, snapshot)
    hours = found["operational"]["expected_volume"]["hour_of_week"]["all"]
    assert hours == [A_DAY if 6 <= hour % 24 < 18 else A_NIGHT for hour in range(168)]
    alerts = [row for row in inferences if row["alert_raised"]]
    assert found["operational"]["alerts_per_100_encounters"]["value"] == pytest.approx(
        100 * len(alerts) / len(inferences), abs=1e-3
    )
    overridden = sum(int(row["inference_id"][1:]) % 5 == 0 for row in alerts)
    assert found["operational"]["override_rate"]["value"] == pytest.approx(overridden / len(alerts), abs=1e-3)
    # Overridden alerts were never acknowledged, and are not left out: with a fifth of them there is no 95th percentile.
    assert found["operational"]["ack_latency_s"] == {"p50": 90.0}
    assert found["label_latency"]["p50_h"] == pytest.approx(10.0)
    assert found["label_latency"]["expected_coverage"] == 1.0


def test_groups_get_references_of_their_own_and_small_ones_do_not(
    snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = manifest_document(features=[{"name": "px"}]) | {"privacy": {"small_cell_threshold": 11}}
    found = baselines(capsys, "--manifest", manifest_file(tmp_path, document), snapshot)
    assert set(found["features"][0]["strata"]["age"]) == {"young", "old"}
    # The intensive care unit has five cases; the other ward's would tell them by subtraction.
    assert "ward" not in found["features"][0]["strata"]
    sensitivity = next(one for one in found["metrics"] if one["id"] == "sensitivity")
    assert set(sensitivity["strata"]) == {"age"}


def test_what_the_manifest_says_of_a_feature_is_kept(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edges = [-3, -1, 0, 1, 3]
    known = {"name": "px", "unit": "z", "range": [-5, 5], "sentinels": [-9], "bins": {"edges": edges, "probs": [0.25] * 4}}
    path = manifest_file(tmp_path, manifest_document(features=[known]))
    sentinel = case(10_000, MONDAY_MS, 0.1, label=0, px=-9.0)
    extra = written(tmp_path, "more.ndjson", sentinel)
    px = baselines(capsys, "--manifest", path, snapshot, extra)["features"][0]
    assert (px["unit"], px["range"], px["sentinels"], px["bins"]["edges"]) == ("z", [-5, 5], [-9], edges)
    assert px["n"] == baselines(capsys, "--manifest", path, snapshot)["features"][0]["n"]


def test_plain_rows_with_labels_give_the_same_from_parquet_and_ndjson(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draws = np.random.default_rng(3)
    score = draws.random(400)
    rows = [{"score": float(s), "label": int(draws.random() < s), "px": float(draws.normal())} for s in score]
    table = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)
    from_text = baselines(capsys, "--features", "px", written(tmp_path, "rows.ndjson", rows))
    assert from_text == baselines(capsys, "--features", "px", table)
    assert from_text["features"][0]["n"] == 400
    assert "expected_volume" not in from_text["operational"]


def test_rows_that_cannot_be_used_are_counted_and_a_snapshot_of_only_such_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[Document] = [{"score": 0.5}, {"score": "high"}, {"score": 2}, {"score": 0.1, "mode": "shadow"}]
    assert run(["manifest", "baseline", str(written(tmp_path, "some.ndjson", rows))]) == 0
    assert "1 inferences, 0 of them labelled; 2 rows could not be used" in capsys.readouterr().err
    assert run(["manifest", "baseline", str(written(tmp_path, "none.ndjson", rows[1:]))]) == 1
    assert "no inference with a score" in capsys.readouterr().err


def test_a_feature_that_no_inference_has_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[Document] = [{"score": 0.5, "features": {"px_mean": 1.0, "view": None}}]
    snapshot = str(written(tmp_path, "one.ndjson", rows))
    assert run(["manifest", "baseline", "--features", "px_mean,px_maen", snapshot]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert 'no inference of the snapshot has a feature "px_maen"' in said.err
    assert 'the nearest is "px_mean"' in said.err
    assert run(["manifest", "baseline", "--features", "view", snapshot]) == 0


def test_odd_values_are_left_out_and_do_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd: list[Any] = [None, True, [], {}, 1e308, 10**400, "x", float("nan"), -9]
    rows: list[Document] = [
        {"score": number / 50, "features": {"px": odd[number % 9] if number % 2 else number, "view": odd[number % 9]},
         "event_time": odd[number % 9], "encounter_token": odd[number % 9], "input_quality": odd[number % 9], "label": number % 2}
        for number in range(50)
    ]  # fmt: skip
    path = manifest_file(tmp_path, manifest_document())
    found = baselines(capsys, "--manifest", path, written(tmp_path, "odd.ndjson", rows))
    assert lint(manifest_document(**found)) == []
    assert "input_quality_mean" not in found["operational"] or 0 <= found["operational"]["input_quality_mean"] <= 1
    assert found["prevalence"]["value"] == 0.5
