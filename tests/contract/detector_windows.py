"""Windows for every detector: how its arrays look when rows made them, and how they look when nothing sensible did.

`WINDOWS` names every public function of detectors/ that gives outcomes; the contract test discovers the functions by itself.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import detectors
from detectors.effective_counts import VerifiedCounts
from detectors.estimate import Outcome
from detectors.inverse_coverage import Coverage
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit, sketch_logit
from detectors.variance_ratio import PowerSums, variance_ratio

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Random = np.random.Generator

STRATA = 2


@dataclass(frozen=True)
class Windows:
    """`draw` gives the arrays of so many cells, `call` the outcomes of arrays of these names.

    `shared` names arrays that are not by cell. `family` = cells are compared with each other, so that a cell's outcome may
    rest on its company. `ordered` = the first axis is time. `cells` = how many are asked for at once.
    """

    call: Callable[..., list[Outcome] | Outcome]
    draw: Callable[[Random, int], Arrays]
    shared: frozenset[str] = frozenset()
    family: bool = False
    ordered: bool = False
    cells: int = 160


def discovered() -> dict[str, Callable[..., Any]]:
    """Every public function of detectors/ that gives outcomes, by `module.function`; what builds outcomes is none."""
    found: dict[str, Callable[..., Any]] = {}
    for module in pkgutil.iter_modules(detectors.__path__):
        loaded = importlib.import_module(f"detectors.{module.name}")
        for name, function in vars(loaded).items():
            mine = inspect.isfunction(function) and function.__module__ == loaded.__name__ and not name.startswith("_")
            if mine and module.name != "outcomes" and "Outcome" in str(inspect.signature(function).return_annotation):
                found[f"{module.name}.{name}"] = function
    return found


# what rows make ------------------------------------------------------------------------------------------
def sizes(rng: Random, cells: int) -> Array:
    """Rows of a cell: none, a few, hundreds, very many."""
    return rng.choice([0, 1, 2, 7, 60, 900, 10**6, 2**40], cells).astype(np.int64)


def _part(rng: Random, whole: Array) -> Array:
    """Cases among so many: none, all, or any number of them."""
    share = rng.choice([0.0, 1.0, -1.0], len(whole), p=[0.15, 0.1, 0.75])
    share = np.where(share < 0, rng.random(len(whole)), share)
    found: Array = np.floor(whole * share).astype(np.int64)
    return found


def _table(rng: Random, cells: int, bins: int) -> Array:
    """Counts by bin: empty, sparse, all in one bin, dense, very many."""
    rate = rng.choice([0.0, 0.05, 1.0, 40.0, 1e6], (cells, 1)) * rng.random((cells, bins))
    counts = rng.poisson(rate).astype(np.int64)
    one = rng.random(cells) < 0.15
    counts[one] = 0
    counts[one, rng.integers(0, bins, int(one.sum()))] = sizes(rng, int(one.sum()))
    return counts


def share_of(names: tuple[str, str], rng: Random, cells: int) -> Arrays:
    whole = sizes(rng, cells)
    return {names[0]: _part(rng, whole), names[1]: whole}


def histogram(rng: Random, cells: int, bins: int = 6) -> Arrays:
    probs = rng.dirichlet(np.full(bins, 0.7), cells)
    return {"counts": _table(rng, cells, bins), "reference_probs": probs, "reference_n": rng.choice([0, 1, 40, 20_000], cells)}


def _scored(rng: Random, total: Array) -> tuple[Array, Array]:
    """Positives among the rows of each sketch bin, and the sums of their scores in millionths."""
    score = 1.0 / (1.0 + np.exp(-sketch_logit()))
    pos = rng.binomial(total, np.clip(score * rng.choice([1.0, 0.4, 1.0, 2.0], (len(total), 1)), 0.0, 1.0)).astype(np.int64)
    return pos, np.floor(total * score * 1e6).astype(np.int64)


def sketch(rng: Random, cells: int) -> Arrays:
    total = _table(rng, cells, SKETCH_BINS)
    pos, sums = _scored(rng, total)
    return {"neg": total - pos, "pos": pos, "sum_micro": sums}


def _without(draw: Callable[[Random, int], Arrays], *names: str) -> Callable[[Random, int], Arrays]:
    return lambda rng, cells: {name: array for name, array in draw(rng, cells).items() if name not in names}


def line(rng: Random, cells: int) -> Arrays:
    """Each cell with mean logits of its own, as exact sums of scores give them."""
    found = sketch(rng, cells)
    logits = bin_mean_logit(found["neg"] + found["pos"], found["sum_micro"])
    return {"neg": found["neg"], "pos": found["pos"], "bin_logit": logits}


def flagged_sketch(rng: Random, cells: int) -> Arrays:
    total = _table(rng, cells, 2 * SKETCH_BINS).reshape(cells, 2, SKETCH_BINS)
    score = 1.0 / (1.0 + np.exp(-sketch_logit()))
    return {"count": total, "sum_micro": np.floor(total * score * 1e6).astype(np.int64)}


def by_flag(rng: Random, cells: int) -> Arrays:
    flagged, unflagged = sizes(rng, cells), sizes(rng, cells)
    seen, other = _part(rng, flagged), _part(rng, unflagged)
    tp, fn = _part(rng, seen), _part(rng, other)
    return {"tp": tp, "fp": seen - tp, "fn": fn, "tn": other - fn, "flagged": flagged, "unflagged": unflagged}


def with_share(names: tuple[str, str], draw: Callable[[Random, int], Arrays]) -> Callable[[Random, int], Arrays]:
    """With a share that is known, and the cases it was measured on."""

    def drawn(rng: Random, cells: int) -> Arrays:
        known = rng.choice([0.0, 1.0, 0.9, np.nan], cells)
        return draw(rng, cells) | {names[0]: known, names[1]: rng.choice([0.0, 1.0, 640.0, np.nan], cells)}

    return drawn


def squares(rng: Random, cells: int) -> Arrays:
    n = rng.choice([0, 1, 2, 50, 1000], cells).astype(np.int64)
    error = rng.random((cells, 1000)) * (np.arange(1000) < n[:, None])
    sums = (np.floor((error**power).sum(axis=1) * 1e6).astype(np.int64) for power in (2, 4))
    return dict(zip(("n", "sum_sq_micro", "sum_quartic_micro"), (n, *sums), strict=True))


def with_reference(draw: Callable[[Random, int], Arrays]) -> Callable[[Random, int], Arrays]:
    def drawn(rng: Random, cells: int) -> Arrays:
        unknown = rng.choice([0.1, 0.9, np.nan], cells)
        return draw(rng, cells) | {"reference": unknown, "reference_se": rng.choice([0.0, 0.02], cells)}

    return drawn


def bounded(rng: Random, cells: int) -> Arrays:
    found = squares(rng, cells)
    return {
        "n": found["n"],
        "sum_micro": found["sum_sq_micro"],
        "square_micro": found["sum_quartic_micro"],
        "reference": rng.choice([0.4, np.nan], cells),
    }


def spiegelhalter_sums(rng: Random, cells: int) -> Arrays:
    n = sizes(rng, cells) % 10**9
    return {
        "n": n,
        "numerator_micro": np.floor(rng.normal(0, 1, cells) * np.sqrt(n) * 3e5).astype(np.int64),
        "variance_micro": np.floor(n * rng.choice([0.0, 0.1], cells) * 1e6).astype(np.int64),
    }


def observed(rng: Random, cells: int) -> Arrays:
    found = share_of(("events", "n"), rng, cells)
    return found | {"sum_p_micro": np.floor(found["n"] % 10**9 * rng.random(cells) * 1e6).astype(np.int64)}


def counts_against(rng: Random, cells: int) -> Arrays:
    return {"observed": sizes(rng, cells), "expected": sizes(rng, cells) * rng.random(cells), "dispersion": rng.random(cells) * 4}


def rates(rng: Random, cells: int) -> Arrays:
    return {
        "events": sizes(rng, cells),
        "exposure": sizes(rng, cells).astype(np.float64),
        "reference_rate": rng.choice([0.0, 0.01, 2.0, np.nan], cells),
        "reference_events": rng.choice([0.0, 30.5, np.nan], cells),
        "reference_exposure": rng.choice([0.0, 4000.0, np.nan], cells),
    }


def gap(rng: Random, cells: int) -> Arrays:
    found, rest = share_of(("k", "n"), rng, cells), share_of(("k", "n"), rng, cells)
    return found | {"k_all": found["k"] + rest["k"], "n_all": found["n"] + rest["n"]}


def gap_of_baseline(rng: Random, cells: int) -> Arrays:
    known = rng.choice([0.0, 1.0, 0.9, np.nan], cells)
    return share_of(("k", "n"), rng, cells) | {"share": known, "share_n": rng.choice([0.0, 1.0, 640.0, np.nan], cells)}


def reference_share(rng: Random, cells: int) -> Arrays:
    found = gap_of_baseline(rng, cells)
    return {"k": found["k"], "n": found["n"], "reference": found["share"], "reference_n": found["share_n"]}


def powers(rng: Random, cells: int) -> Arrays:
    n = rng.choice([0, 1, 2, 30, 500], cells).astype(np.int64)
    values = rng.normal(0, rng.choice([0.0, 1.0, 1e3], (cells, 1)), (cells, 500)) * (np.arange(500) < n[:, None])
    sums = {name: (values**power).sum(axis=1) for power, name in enumerate(("values", "squares", "cubes", "fourths"), 1)}
    known = {"reference_variance": rng.choice([0.0, 1.0, np.nan], cells), "reference_n": rng.choice([0.0, 900.0], cells)}
    return {"n": n} | sums | known


def delays(rng: Random, cells: int) -> Arrays:
    ended, censored = _table(rng, cells, 8), _table(rng, cells, 8)
    middle = 10.0 ** np.arange(8)
    sums = {"ended": ended, "ended_sum": ended * middle, "censored": censored, "censored_sum": censored * middle}
    return sums | {"edges": 2 * middle}


def binned_numbers(rng: Random, cells: int) -> Arrays:
    count = _table(rng, cells, 8)
    return {"count": count, "total": count * 10.0 ** np.arange(8), "edges": 2 * 10.0 ** np.arange(8)}


def strata_change(rng: Random, cells: int) -> Arrays:
    return {"before": _table(rng, cells, 5), "after": _table(rng, cells, 5)}


def series(rng: Random, cells: int) -> Arrays:
    return {"series": rng.normal(0, 1, cells) + 5.0 * (np.arange(cells) > cells // 2)}


def fatigue(rng: Random, cells: int) -> Arrays:
    acks, alerts, overrides = sizes(rng, cells), sizes(rng, cells), sizes(rng, cells)
    return {
        "hasty_acks": _part(rng, acks), "acks": acks, "repeats": _part(rng, alerts), "alerts": alerts,
        "unexplained": _part(rng, overrides), "overrides": overrides,
    }  # fmt: skip


def validated(rng: Random, cells: int) -> Arrays:
    return share_of(("events", "n"), rng, cells) | share_of(("validated_events", "validated_n"), rng, cells)


def expected_events(rng: Random, cells: int) -> Arrays:
    return {"n": sizes(rng, cells), "mu": rng.choice([0.0, 0.01, 3.0, 19.9, 20.0, 1e9], cells)}


def uses(rng: Random, cells: int) -> Arrays:
    return {"n": sizes(rng, cells), "uses": sizes(rng, cells)}


def _strata(rng: Random, cells: int) -> Arrays:
    inferences = sizes(rng, cells * STRATA)
    labelled = _part(rng, inferences)
    return {"labelled": labelled.reshape(cells, STRATA), "inferences": inferences.reshape(cells, STRATA)}


def weighted_sums(first: str, second: str, rng: Random, cells: int) -> Arrays:
    found = _strata(rng, cells)
    part = _part(rng, found["labelled"].reshape(-1)).reshape(cells, STRATA)
    share = np.floor(found["labelled"] % 10**9 * rng.random((cells, STRATA)) * 1e6).astype(np.int64)
    return found | {first: part if first == "events" else share, second: share // 2}


def weighted_sketch(rng: Random, cells: int) -> Arrays:
    total = _table(rng, cells, STRATA * SKETCH_BINS).reshape(cells, STRATA, SKETCH_BINS)
    score = 1.0 / (1.0 + np.exp(-sketch_logit()))
    pos = rng.binomial(total, score).astype(np.int64)
    rows = total.sum(axis=2)
    return {"neg": total - pos, "pos": pos, "inferences": rows + rng.choice([0, 0, 5, 3000], (cells, STRATA))}


def weighted_scores(rng: Random, cells: int) -> Arrays:
    found = weighted_sketch(rng, cells)
    score = 1.0 / (1.0 + np.exp(-sketch_logit()))
    sums = np.floor((found["neg"] + found["pos"]).sum(axis=1) * score * 1e6).astype(np.int64)
    return found | {"sum_micro": sums}


def weighted_line(rng: Random, cells: int) -> Arrays:
    return weighted_sketch(rng, cells) | {"bin_logit": sketch_logit().copy()}


# which windows a detector gets ---------------------------------------------------------------------------
def _plain(draw: Callable[[Random, int], Arrays], *shared: str, **options: Any) -> Callable[[Callable[..., Any]], Windows]:
    return lambda function: Windows(partial(function, **options), draw, frozenset(shared))


def _covered(draw: Callable[[Random, int], Arrays]) -> Callable[[Callable[..., Any]], Windows]:
    def by_coverage(function: Callable[..., Any]) -> Windows:
        def call(labelled: Array, inferences: Array, **sums: Array) -> list[Outcome]:
            found: list[Outcome] = function(Coverage.of(labelled, inferences), **sums)
            return found

        return Windows(call, draw)

    return by_coverage


def _verified(
    draw: Callable[[Random, int], Arrays], *, family: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Windows]:
    def by_verification(function: Callable[..., Any]) -> Windows:
        def call(**arrays: Array) -> list[Outcome]:
            counts = VerifiedCounts.of(**{name: arrays.pop(name) for name in ("tp", "fp", "fn", "tn", "flagged", "unflagged")})
            found: list[Outcome] = function(counts, **arrays, **options)
            return found

        return Windows(call, draw, family=family)

    return by_verification


def _power_sums(function: Callable[..., Any]) -> Windows:
    def call(reference_variance: Array, reference_n: Array, *, level: float = 0.95, **sums: Array) -> list[Outcome]:
        return variance_ratio(PowerSums(**sums), reference_variance, reference_n, tail="both", level=level)

    return Windows(call, powers)


def _binned(draw: Callable[[Random, int], Arrays]) -> Callable[[Callable[..., Any]], Windows]:
    def by_bins(function: Callable[..., Any]) -> Windows:
        def call(neg: Array, pos: Array, **more: Any) -> list[Outcome]:
            found: list[Outcome] = function(ScoreBins.of(neg, pos), **more)
            return found

        return Windows(call, draw)

    return by_bins


_HISTOGRAM = _plain(lambda rng, cells: histogram(rng, cells, int(rng.choice([1, 2, 6, 20]))))
_BY_FLAG, _LINE = _plain(by_flag), _binned(line)
_WEIGHTED_LINE = _plain(weighted_line, "bin_logit")

WINDOWS: Mapping[str, Callable[[Callable[..., Any]], Windows]] = {
    "auroc.auroc": _binned(with_reference(_without(sketch, "sum_micro"))),
    **{f"begg_greenes.{name}": _BY_FLAG for name in ("sensitivity", "specificity", "npv")},
    **{f"manski.{name}": _BY_FLAG for name in ("sensitivity", "specificity", "ppv", "npv", "prevalence")},
    "binned_quantile.binned_quantile": _plain(binned_numbers, "edges", q=0.95, method="p95"),
    "bounded_mean.bounded_mean": _plain(bounded),
    "brier.brier": _plain(with_reference(squares)),
    "calibration.calibration_slope": _LINE,
    "calibration.calibration_intercept_joint": _LINE,
    "calibration.calibration_in_the_large": _LINE,
    "calibration_eprocess.calibration_eprocess": _plain(sketch),
    "calibration_error.calibration_error": _plain(sketch),
    "calibration_error.expected_calibration_error": _plain(sketch),
    "cbpe.share": lambda function: Windows(lambda **arrays: function("sensitivity", **arrays), flagged_sketch),
    "cbpe.brier": _plain(flagged_sketch),
    "cbpe.auroc": _plain(flagged_sketch),
    "change_point.change_point": lambda function: Windows(function, series, ordered=True),
    "explained_share.explained_share": lambda function: Windows(function, strata_change, family=True, cells=8),
    "mix_decomposition.mix_share": lambda function: Windows(function, strata_change, family=True, cells=8),
    "fatigue_index.fatigue_index": _plain(fatigue),
    "harmful_shift.harmful_shift": _plain(validated),
    "ici.ici": lambda function: Windows(function, sketch, cells=20),
    "inverse_coverage.observed_expected": _covered(partial(weighted_sums, "events", "sum_p_micro")),
    "inverse_coverage.brier": _covered(partial(weighted_sums, "sum_sq_micro", "sum_quartic_micro")),
    "inverse_coverage.spiegelhalter": _covered(partial(weighted_sums, "numerator_micro", "variance_micro")),
    "js.js": _HISTOGRAM,
    "ks.ks": _HISTOGRAM,
    "psi.psi": _HISTOGRAM,
    "total_variation.total_variation": _HISTOGRAM,
    "wasserstein.wasserstein": _plain(
        lambda rng, cells: histogram(rng, cells) | {"edges": np.array([-4.0, -1, 0, 0.5, 1, 2, 4])}, "edges"
    ),
    "kaplan_meier.delay_quantile": _plain(delays, "edges", q=0.95),
    "maxsprt_poisson.maxsprt_poisson": _plain(expected_events, horizon=20.0, minimum_events=4),
    "murphy.murphy": _plain(sketch, term="resolution", corrected=True),
    "negative_binomial.count_ratio": _plain(counts_against),
    "net_benefit.net_benefit": lambda function: Windows(
        lambda tp, fp, tn, fn, flagged, unflagged, **options: function(tp, fp, tp + fp + tn + fn, threshold=0.2, **options),
        by_flag,
    ),
    "net_benefit.net_benefit_of_scores": _plain(_without(sketch, "sum_micro"), threshold=0.2),
    "number_needed.number_needed_to_evaluate": _plain(partial(share_of, ("true_alerts", "alerts"))),
    "observed_expected.observed_expected": _plain(observed),
    "poisson_rate_ratio.rate_ratio": _plain(rates),
    "poisson_trend.poisson_trend": _plain(uses, frequency_per_1000=0.42),
    "prevalence.prevalence": _plain(reference_share),
    "proportion.proportion": _plain(partial(share_of, ("k", "n")), method="confidence_sequence"),
    "site_outlier.site_outlier": lambda function: Windows(function, partial(share_of, ("k", "n")), family=True),
    "spiegelhalter.spiegelhalter": _plain(spiegelhalter_sums),
    "subgroup_gap.gap_to_overall": _plain(gap),
    "subgroup_gap.gap_to_baseline": _plain(gap_of_baseline),
    "variance_ratio.variance_ratio": _power_sums,
    "weighted_auroc.auroc": _plain(with_reference(weighted_sketch)),
    "weighted_calibration.calibration_slope": _WEIGHTED_LINE,
    "weighted_gap.gap_to_overall": _verified(by_flag, family=True, event="sensitivity"),
    "weighted_gap.gap_to_baseline": _verified(with_share(("share", "share_n"), by_flag), event="specificity"),
    "weighted_prevalence.prevalence": _verified(with_share(("reference", "reference_n"), by_flag)),
    "weighted_calibration_error.calibration_error": _plain(weighted_scores),
    "weighted_site_outlier.site_outlier": _verified(by_flag, family=True, event="sensitivity"),
    "weighted_calibration.calibration_in_the_large": _WEIGHTED_LINE,
}


# what nothing sensible makes -----------------------------------------------------------------------------
_WHOLE = (0, -1, 1, -(10**6), 2**53 + 1, 2**62, -(2**62), 2**63 - 1)
_REAL = (np.nan, np.inf, -np.inf, -1.0, -0.0, 0.0, 5e-324, 1e-300, 1e18, 1e308, -1e308)


def spoilt(rng: Random, arrays: Arrays) -> Arrays:
    """The arrays with some of their numbers, and sometimes whole cells, replaced by what no row gives."""
    return {name: _spoilt(rng, array) for name, array in arrays.items()}


def _spoilt(rng: Random, array: Array) -> Array:
    worst = np.array(_WHOLE if array.dtype.kind == "i" else _REAL, array.dtype)
    found = array.copy()
    hit = rng.random(array.shape) < rng.choice([0.0, 0.02, 0.3])
    found[hit] = rng.choice(worst, int(hit.sum()))
    whole = rng.random(len(array)) < 0.05
    found[whole] = rng.choice(worst)
    return found
