"""Quiet streams through a daily test, NannyML's defaults and a manifest's monitors: how often each cries wolf in 30 days.

Every round draws a fleet of its own. An alarm is counted when it begins: a feature that alerts on a day and did not the day
before, or an incident that opens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.result import Claim, Contender, Options, Result
from surveillance.arrays import Bool, Float
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.ingest.reference_bins import number_bins
from surveillance.panes import statistics
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import FeatureTail
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.times import DAY_MS

_FEATURES, _A_DAY, _DAYS, _REFERENCE = 20, 200, 364, 20_000
_EDGES = [-6.0, -1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.8416, 1.2816, 6.0]
_ALPHA = 0.05
_BUDGET = 1.0
_SHIFT = 0.5
_START_MS = 20_000 * DAY_MS


def false_alarms(options: Options) -> Result:
    """Alarms per 30 days of 20 features in which nothing happens; a peer that is not installed is named as missing."""
    days = options.scaled(_DAYS, 14)
    watches: dict[str, Callable[[Float, Float], int]] = {
        "daily KS test": _ks,
        "daily chi-square test": _chi_square,
        "ours": _ours,
    }
    missing = {}
    try:
        watches["nannyml"] = _nannyml()
    except ImportError as absent:
        missing["nannyml"] = Contender("alarms/30 days", (), f"not installed: {absent.name}")
    taken: dict[str, list[float]] = {name: [] for name in watches}
    waited = []
    for number in range(options.rounds):
        draws = np.random.default_rng(number)
        reference = draws.standard_normal((_FEATURES, _REFERENCE))
        field = draws.standard_normal((_FEATURES, days, _A_DAY))
        for name, watch in watches.items():
            taken[name].append(watch(reference, field) * 30 / days)
        waited.append(_days_to_see(reference, field))
    contenders = {name: Contender("alarms/30 days", values) for name, values in taken.items()} | missing
    claims = [
        Claim("alarms/30 days, the manifest's budget", contenders["ours"].median, _BUDGET, at_least=False),
        Claim(
            f"days until ours sees a mean moved by {_SHIFT:g} standard deviations", float(np.median(waited)), 3, at_least=False
        ),
    ]
    what = f"false alarms on {_FEATURES} quiet features, {_A_DAY} rows a day each"
    return Result("false-alarms", what, options.scale, contenders, claims)


def _begun(alerts: Bool) -> int:
    """Alarms that begin, of alerts (features, days)."""
    before = np.concatenate([np.zeros((len(alerts), 1), np.bool_), alerts[:, :-1]], axis=1)
    return int((alerts & ~before).sum())


def _ks(reference: Float, field: Float) -> int:
    p = [[stats.ks_2samp(known, day).pvalue for day in days] for known, days in zip(reference, field, strict=True)]
    return _begun(np.array(p) < _ALPHA)


def _chi_square(reference: Float, field: Float) -> int:
    p = []
    for known, days in zip(reference, field, strict=True):
        expected = _counted(known)
        p.append([stats.chi2_contingency(np.stack([expected, _counted(day)])).pvalue for day in days])
    return _begun(np.array(p) < _ALPHA)


def _counted(values: Float) -> Any:
    return np.bincount(number_bins(_EDGES, values), minlength=len(_EDGES) - 1)


def _nannyml() -> Callable[[Float, Float], int]:
    import nannyml
    import pandas as pd

    def run(reference: Float, field: Float) -> int:
        names = [f"f{number}" for number in range(len(reference))]
        drift = nannyml.UnivariateDriftCalculator(column_names=names, chunk_size=_A_DAY)
        drift.fit(pd.DataFrame(dict(zip(names, reference, strict=True))))
        seen = drift.calculate(pd.DataFrame(dict(zip(names, field.reshape(len(field), -1), strict=True))))
        table = seen.filter(period="analysis").to_df()
        columns = [column for column in table.columns if column[-1] == "alert"]
        return _begun(table[columns].to_numpy(dtype=np.bool_).T)

    return run


def _ours(reference: Float, field: Float) -> int:
    lines = list(_incidents(reference, field))
    return sum(line["state"] == "open" for line in lines)


def _days_to_see(reference: Float, field: Float) -> float:
    """Days after a shift of the first feature in the middle of the field until its incident opens."""
    half = field.shape[1] // 2
    moved = field.copy()
    moved[0, half:] += _SHIFT
    since_ms = _START_MS + half * DAY_MS
    opened = [at_ms for at_ms, line in _timed(reference, moved) if line["scope"].get("feature") == "f0" and at_ms > since_ms]
    return (opened[0] - since_ms) / DAY_MS if opened else float(field.shape[1])


def _incidents(reference: Float, field: Float) -> Iterator[dict[str, Any]]:
    return (line for _, line in _timed(reference, field))


def _timed(reference: Float, field: Float) -> Iterator[tuple[int, dict[str, Any]]]:
    """Incident lines with the time they were decided at."""
    registration = registration_of(_manifest(reference), "quiet")
    evaluator = Evaluator(Registry([registration]))
    for day in range(field.shape[1]):
        at_ms = _START_MS + day * DAY_MS
        rows = [_row(registration.digest, f"{statistics.FEATURE}:f{number}", at_ms, day, _vector(values[day]))
                for number, values in enumerate(field)]  # fmt: skip
        evaluator.take([*rows, _row(registration.digest, statistics.SPAN, at_ms, day, np.ones(1))])
        end_ms = at_ms + DAY_MS
        yield from ((end_ms, one.line) for one in evaluator.judge(Moment(end_ms, end_ms, end_ms)).decisions)


def _row(digest: str, statistic: str, at_ms: int, version: int, counts: Float) -> PaneRow:
    return PaneRow(PaneKey("default", digest, 0, statistic, "", at_ms), version, counts.astype(np.int64))


def _vector(values: Float) -> Float:
    tail = np.zeros(len(FeatureTail))
    tail[[FeatureTail.SENT, FeatureTail.NUMBERS]] = len(values)
    return np.concatenate([_counted(values), tail])


def _manifest(reference: Float) -> dict[str, Any]:
    """PSI of every feature, scaled by its null distribution, two of three days, adjusted over features."""
    features = []
    for number, known in enumerate(reference):
        shares = np.round(_counted(known) / len(known), 6)
        shares[4] += 1 - shares.sum()
        features.append({"name": f"f{number}", "n": len(known), "bins": {"edges": _EDGES, "probs": shares.tolist()}})
    monitor = {
        "id": "drift", "hazard_id": "HZ-1", "metric": {"type": "psi", "feature": "*"}, "window": "day", "playbook": "PB",
        "limits": {"investigate": {"p": 0.01, "effect_min": 0.02}},
    }  # fmt: skip
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-quiet", "revision": 1,
        "status": "approved", "release": {"release_id": "r-1"}, "strata": {"multiplicity": {"method": "benjamini_hochberg"}},
        "baselines": {"features": features}, "hazards": [{"id": "HZ-1"}], "playbooks": {"PB": {"steps": ["decide"]}},
        "owners": {"safety_officer": {"primary": "user-1"}},
        "surveillance": {
            "windows": [{"id": "day", "size": "P1D"}], "monitors": [monitor],
            "false_alarm_budget": {"per_30_days": {"investigate": _BUDGET}},
        },
    }  # fmt: skip
