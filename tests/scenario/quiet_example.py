"""The fleet that the example manifest describes, with nothing wrong in it, month after month: twelve sites as Arrow batches.

Every number is drawn as the manifest's baselines state it, dispersion of volume and of label arrivals included. What happens
within an hour is sent at its start; heartbeats, of which two in a thousand get lost, are told minute by minute as pane rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.special import ndtri

from streams.replay import ReplayRecord
from surveillance.evaluation.judging import Moment
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.incidents.evaluator import Evaluator
from surveillance.incidents.lines import Line
from surveillance.ingest.ledger import Ledger
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import BEAT_SLOTS, LEDGER, Beats, Lowest
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import DAY_MS, HOUR_MS
from tests.scenario.example_fleet import (
    AGES,
    MONDAY_MS,
    THRESHOLD,
    Document,
    Ints,
    Mask,
    drawn_label_hours,
    drawn_px_means,
    drawn_scores,
)

SITES = tuple(f"site-{number:02d}" for number in range(12))
SHARE_OF_VENDOR_B = 0.19
"""Of the patients of each site: 9,120 of the baseline's 48,210."""
LOST_BEATS = 0.002
_ARROW = (("content-type", b"application/vnd.apache.arrow.stream"),)
_BEATS_PARTITION = 1
"""Rows of heartbeats that were not sent as events stand apart from those of the log."""


class Quiet(NamedTuple):
    """Examinations in order of time, one row each. `hour` counts from the start; `acked_h`, `told_h` are -1 where it never is."""

    manifest: Document
    digest: str
    days: int
    hour: Ints
    site: Ints
    is_b: Mask
    age: Ints
    is_emergency: Mask
    px_mean: np.ndarray
    view: np.ndarray
    score: np.ndarray
    alert: Mask
    ack_ms: Ints
    is_override: Mask
    acked_h: Ints
    diseased: Mask
    told_h: Ints
    adverse: Ints
    """Hours of adverse events."""
    is_suspected: Mask
    """Whether the device is suspected to have a part in each."""
    draws: np.random.Generator

    @property
    def device(self) -> Ints:
        return 2 * self.site + self.is_b


def quiet(manifest: Document, digest: str, days: int, seed: int) -> Quiet:
    """So many days from a Monday on."""
    rng, baselines = np.random.default_rng(seed), manifest["baselines"]
    volume, latency = baselines["operational"]["expected_volume"], baselines["label_latency"]
    week = np.resize(np.array(volume["hour_of_week"]["all"], np.float64), days * 24)
    counts = rng.poisson(rng.gamma(week / (volume["dispersion"] - 1)) * (volume["dispersion"] - 1))
    n = int(counts.sum())
    hour = np.repeat(np.arange(days * 24), counts)
    is_b = rng.random(n) < SHARE_OF_VENDOR_B
    group = rng.choice(len(AGES), n, p=[share for _, _, share in AGES])
    lows, highs = np.array([one[0] for one in AGES]), np.array([one[1] for one in AGES])
    px, view = baselines["features"]
    score = drawn_scores(rng, baselines["score"]["bins"]["probs"], n)
    score[rng.random(n) < baselines["score"]["saturation_share"]["high"]] = 0.9995
    alert = score >= THRESHOLD
    labelled = rng.random(n) < np.where(alert, latency["verification"]["flagged"], latency["verification"]["unflagged"])
    site = rng.integers(0, len(SITES), n)
    waits = baselines["operational"]["ack_latency_s"]
    sigma = np.log(waits["p95"] / waits["p50"]) / ndtri(0.95)
    ack_ms = np.rint(1000 * rng.lognormal(np.log(waits["p50"]), sigma, n)).astype(np.int64)
    told_h = _told_together(rng, hour + drawn_label_hours(rng, latency, n), hour, site)
    events = rng.poisson(n * manifest_rate(manifest, "trend.art88", "baseline_frequency_per_1000") / 1_000)
    share = manifest_rate(manifest, "safety.ae", "expected_per_10k") / 10
    share /= manifest_rate(manifest, "trend.art88", "baseline_frequency_per_1000")
    views = list(view["probs"])
    return Quiet(
        manifest, digest, days, hour, site, is_b,
        age=rng.integers(lows[group], highs[group]),
        is_emergency=rng.random(n) < 0.5,
        px_mean=drawn_px_means(rng, px, is_b, SHARE_OF_VENDOR_B),
        view=np.where(rng.random(n) < view["missing"], "", rng.choice(views, n, p=list(view["probs"].values()))),
        score=score,
        alert=alert,
        ack_ms=ack_ms,
        is_override=rng.random(n) < baselines["operational"]["override_rate"]["value"],
        acked_h=np.where(alert, hour + ack_ms // HOUR_MS, -1),
        diseased=rng.random(n) < score,
        told_h=np.where(labelled, told_h, -1).astype(np.int64),
        adverse=np.sort(hour[rng.integers(0, n, events)]),
        is_suspected=rng.random(events) < share,
        draws=rng,
    )  # fmt: skip


class Told(NamedTuple):
    """Every incident line of the months, the last status of every monitor and scope, and where every event went."""

    incidents: list[Line]
    status: list[Line]
    ledger: Ledger


def told_of(manifest: Document, days: int, seed: int) -> Told:
    """The months through ingest, evaluation and incidents, judged each week."""
    registration = registration_of(manifest, "the example")
    fleet, registry = quiet(manifest, registration.digest, days, seed), Registry([registration])
    owned = OwnedPartition(LogPartition("quiet", "quiet", 0, 1), MemoryStore(), registry)
    evaluator, found, limits = Evaluator(registry), [], DecodeLimits()
    for day, sent in enumerate(records(fleet)):
        owned.take(decode(sent, partition=0, limits=limits, forbidden=frozenset(), time_source="append", header_key=None))
        owned.raw.clear()  # nobody reads single events of it again
        evaluator.take([*owned.fold.table.take_touched(), *beats(fleet, day)])
        if day % 7 == 6 or day == days - 1:
            end_ms = MONDAY_MS + (day + 1) * DAY_MS
            found += [one.line for one in evaluator.judge(Moment(end_ms, end_ms, end_ms)).decisions]
    return Told(found, evaluator.status(), Ledger.of_totals(evaluator.mirror.totals(LEDGER)))


def manifest_rate(manifest: Document, monitor: str, key: str) -> float:
    """A figure that a monitor's metric states."""
    return float(next(one for one in manifest["surveillance"]["monitors"] if one["id"] == monitor)["metric"][key])


def _told_together(rng: np.random.Generator, told_h: np.ndarray, hour: Ints, site: Ints) -> np.ndarray:
    """Half of the labels come with that of the examination before, as one report: arrivals then have a dispersion of 1.5."""
    order = np.lexsort((hour, site))
    found = told_h[order]
    pairs = len(found) // 2
    together = np.flatnonzero(rng.random(pairs) < 0.5)
    found[2 * together + 1] = np.maximum(found[2 * together], hour[order][2 * together + 1])
    told = np.empty_like(told_h)
    told[order] = found
    return told


def records(fleet: Quiet) -> Iterator[list[ReplayRecord]]:
    """Every event, as the records of each day; those of an hour arrive at its start, examinations first."""
    by_day = [_Day(fleet, kind, hours) for kind, hours in (
        (_inferences, fleet.hour), (_actions, fleet.acked_h), (_outcomes, fleet.told_h), (_adverse, fleet.adverse),
    )]  # fmt: skip
    offset = 0
    for day in range(fleet.days):
        found = []
        for hour in range(24 * day, 24 * day + 24):
            for kind in by_day:
                rows = kind.of_hour(hour)
                if len(rows):
                    at_ms = MONDAY_MS + hour * HOUR_MS
                    found.append(ReplayRecord(offset, at_ms, _stream(kind.make(fleet, rows, at_ms)), headers=_ARROW))
                    offset += 1
        yield found


class _Day:
    """The rows of one kind of event by the hour in which they are sent."""

    def __init__(self, fleet: Quiet, make: Any, hours: Ints) -> None:
        self.make = make
        self._order = np.argsort(hours, kind="stable")
        self._begin = np.searchsorted(hours[self._order], np.arange(fleet.days * 24 + 1))

    def of_hour(self, hour: int) -> Ints:
        return self._order[self._begin[hour] : self._begin[hour + 1]]


def _stream(columns: dict[str, Any]) -> bytes:
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _envelope(fleet: Quiet, kind: str, name: str, rows: Ints, device: Ints, at_ms: int) -> dict[str, Any]:
    n = len(rows)

    def same(text: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text])

    now = pa.array(np.full(n, at_ms), pa.timestamp("ms", tz="UTC"))
    devices = [f"{site}-{vendor}" for site in SITES for vendor in "ab"]
    return {
        "schema": same(f"pms.{kind}"), "schema_version": pa.array(np.full(n, 2)),
        "event_id": [f"{name}-{row}" for row in rows.tolist()], "product": same("chest-triage"),
        "site_id": pa.DictionaryArray.from_arrays(device // 2, list(SITES)),
        "device_id": pa.DictionaryArray.from_arrays(device, devices),
        "gateway_id": pa.DictionaryArray.from_arrays(device // 2, [f"gw-{site}" for site in SITES]),
        "release_id": same(fleet.manifest["release"]["release_id"]), "manifest_digest": same(fleet.digest),
        "event_time": now, "sent_time": now,
    }  # fmt: skip


def _inferences(fleet: Quiet, rows: Ints, at_ms: int) -> dict[str, Any]:
    n, identities = len(rows), fleet.manifest["release"]["identities"]
    views, settings = pa.array(fleet.view[rows].tolist()), ["inpatient", "ED"]

    def same(text: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [text])

    return _envelope(fleet, "inference", "i", rows, fleet.device[rows], at_ms) | {
        "inference_id": [f"i-{row}" for row in rows.tolist()], "score": fleet.score[rows], "alert_raised": fleet.alert[rows],
        "threshold_applied": np.full(n, THRESHOLD), "features.px_mean": fleet.px_mean[rows],
        "features.view_position": pa.compute.if_else(pa.compute.equal(views, ""), None, views),
        "model_digest": same(identities["model"]["digest"]),
        "preprocessing_digest": same(identities["preprocessing"]["digest"]),
        "feature_schema_digest": same(identities["feature_schema"]["digest"]),
        "threshold_config_digest": same(identities["threshold_config_digest"]),
        "context.age_years": fleet.age[rows],
        "context.setting": pa.DictionaryArray.from_arrays(fleet.is_emergency[rows].astype(np.int32), settings),
        "device_context.vendor": pa.DictionaryArray.from_arrays(fleet.is_b[rows].astype(np.int32), ["VendorA", "VendorB"]),
    }  # fmt: skip


def _actions(fleet: Quiet, rows: Ints, at_ms: int) -> dict[str, Any]:
    """Every alert is acknowledged; where it is overridden, too, that is said as well."""
    override = rows[fleet.is_override[rows]]
    both = np.concatenate([rows, override])
    acked = len(rows)
    found = _envelope(fleet, "alert_action", "a", both, fleet.device[both], at_ms)
    names = [f"{'a' if at < acked else 'v'}-{row}" for at, row in enumerate(both.tolist())]
    return found | {
        "event_id": names, "action_id": names, "inference_id": [f"i-{row}" for row in both.tolist()],
        "action": ["ack"] * acked + ["override"] * len(override), "action_time": found["event_time"],
        "actor_role": ["radiologist"] * len(both), "latency_from_alert_ms": fleet.ack_ms[both],
    }  # fmt: skip


def _outcomes(fleet: Quiet, rows: Ints, at_ms: int) -> dict[str, Any]:
    found = _envelope(fleet, "outcome", "o", rows, fleet.device[rows], at_ms)
    return found | {
        "outcome_id": found["event_id"], "inference_id": [f"i-{row}" for row in rows.tolist()],
        "label": fleet.diseased[rows].astype(np.int64), "label_kind": ["report"] * len(rows), "label_time": found["event_time"],
    }  # fmt: skip


def _adverse(fleet: Quiet, rows: Ints, at_ms: int) -> dict[str, Any]:
    n, found = len(rows), _envelope(fleet, "adverse_event", "ae", rows, rows % (2 * len(SITES)), at_ms)
    roles = np.where(fleet.is_suspected[rows], "unknown", "none").tolist()
    return found | {
        "ae_id": found["event_id"], "reported_at": found["event_time"], "awareness_at": found["event_time"],
        "linked_inference_ids": pa.array([[]] * n, pa.list_(pa.string())), "imdrf": pa.array([{}] * n, pa.struct([])),
        "narrative_ref": pa.nulls(n), "country": ["DE"] * n, "udi": pa.nulls(n),
        "seriousness": ["none"] * n, "public_health_threat": [False] * n, "suspected_device_role": roles,
    }  # fmt: skip


def beats(fleet: Quiet, day: int) -> Iterator[PaneRow]:
    """Rows of the heartbeats of a day: one a minute for each device, with a certificate that ends in two years."""
    ends_ms = MONDAY_MS + 730 * DAY_MS
    for number, site in enumerate(SITES):
        for vendor in "ab":
            group = group_text(("device", "gateway"), (f"{site}-{vendor}", f"gw-{site}"))
            for hour in range(24 * day, 24 * day + 24):
                heard = (fleet.draws.random(BEAT_SLOTS) >= LOST_BEATS).astype(np.int64)
                counts = np.zeros((len(Beats), BEAT_SLOTS), np.int64)
                counts[Beats.INSIDE] = counts[Beats.ANY_EVENT] = heard
                at_ms = MONDAY_MS + hour * HOUR_MS
                key = PaneKey("default", fleet.digest, _BEATS_PARTITION, statistics.BEATS, group, at_ms)
                yield PaneRow(key, hour, counts.reshape(-1))
            lowest = np.zeros((len(Lowest), BEAT_SLOTS), np.int64)
            lowest[Lowest.HEARTBEATS, 0], lowest[Lowest.SUM_MILLI, 0] = 1, ends_ms
            statistic = f"{statistics.LOWEST}:cert_days_left"
            key = PaneKey("default", fleet.digest, _BEATS_PARTITION, statistic, group, MONDAY_MS + day * DAY_MS)
            yield PaneRow(key, day + number, lowest.reshape(-1))
