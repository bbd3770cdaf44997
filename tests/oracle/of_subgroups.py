"""A group against the others: prevalence, gap, funnel."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace

from scipy import stats

from .intervals import Interval
from .ledger import Event
from .of_labels import event_of, proportion_cases
from .policy import Document, Policy, Scope
from .question import NESTED, Measure, Question, count

FEWEST_SITES = 3
WINSORISED = 0.1


@dataclass(frozen=True)
class _Reference:
    """A share that a release was validated with; `n` cases behind it, None where it is taken as exact."""

    value: float
    n: float | None


def prevalence(question: Question, n: int) -> Measure:
    positives = sum(y for _, y in question.labelled)
    number = question.share(positives, n)
    found = _of_metrics(question, "prevalence", "n")
    if found is None and "prevalence" in question.policy.baselines:
        found = _stated(question.policy.baselines["prevalence"], 1.0, "n")
    return number if found is None else replace(number, p=_p_against(positives, n, found))


def subgroup_gap(question: Question, n: int) -> Measure:
    """The share of the scope less that of all scopes together, or less the one it was validated with."""
    k = sum(proportion_cases(question))
    if question.metric.get("to", "overall") == "overall":
        return _to_overall(question, k, n)
    event = event_of(question.metric) or ""
    found = _of_metrics(question, event, {"sensitivity": "n_pos", "specificity": "n_neg"}.get(event, "n"))
    if found is None:
        return Measure(n, reason="unknown_reference")
    p = _p_against(k, n, found)
    if found.n is None:
        method, (lower, upper) = question.proportion(k, n)
        return Measure(n, k / n - found.value, lower - found.value, upper - found.value, method, p)
    lower, upper = _difference(question, (k, n), (found.value * found.n, found.n))
    return Measure(n, k / n - found.value, lower, upper, "difference", p)


def _to_overall(question: Question, k: int, n: int) -> Measure:
    """Scope less all = (1 - w) (scope less rest), w the scope's part of all cases."""
    every = proportion_cases(replace(question, rows=question.peers))
    rest_k, rest_n = sum(every) - k, len(every) - n
    if rest_n == 0:
        return Measure(n, reason="unknown_reference")
    outside = rest_n / len(every)
    lower, upper = (outside * bound for bound in _difference(question, (k, n), (rest_k, rest_n)))
    p = _score_test(k, n, rest_k, rest_n)
    return Measure(n, k / n - sum(every) / len(every), lower, upper, "difference", p)


def _difference(question: Question, one: tuple[float, float], other: tuple[float, float]) -> Interval:
    """Newcombe (1998), method 10, of two (successes, cases); of confidence sequences the differences of their ends."""
    method, (l1, u1) = question.proportion(*one)
    _, (l2, u2) = question.proportion(*other)
    if method == "confidence_sequence":
        halved = question.monitor.get("interval", {}) | {"level": (1 + question.level) / 2}
        half = replace(question, monitor=question.monitor | {"interval": halved})
        (_, (l1, u1)), (_, (l2, u2)) = half.proportion(*one), half.proportion(*other)
        return l1 - u2, u1 - l2
    p1, p2 = one[0] / one[1], other[0] / other[1]
    return p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)


def _p_against(k: int, n: int, reference: _Reference) -> float:
    if reference.n is not None:
        return _score_test(k, n, reference.value * reference.n, reference.n)
    law = stats.binom(n, reference.value)
    half = 0.5 * float(law.pmf(k))
    return min(1.0, 2 * min(float(law.cdf(k)) - half, float(law.sf(k)) + half))


def _score_test(k: float, n: float, other_k: float, other_n: float) -> float:
    """Two-sided p of two shares that are the same, with their pooled variance."""
    pooled = (k + other_k) / (n + other_n)
    variance = pooled * (1 - pooled) * (1 / n + 1 / other_n)
    if variance <= 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(k / n - other_k / other_n) / math.sqrt(variance)))


def _of_metrics(question: Question, name: str, cases: str) -> _Reference | None:
    """What baselines.metrics states: the scope's own stratum first, in the season of the window's last instant."""
    entry = next((one for one in question.policy.baselines.get("metrics", []) if one["id"] == name), None)
    if entry is None:
        return None
    return _stated(_own(entry, question.scope), question.season(name), cases)


def _own(entry: Document, scope: Scope) -> Document | float:
    if len(scope) == 1:
        ((axis, level),) = scope
        own: Document | float | None = entry.get("strata", {}).get(axis, {}).get(level)
        if own is not None:
            return own
    overall: Document | float = entry["overall"]
    return overall


def _stated(stated: Document | float, factor: float, cases: str) -> _Reference:
    if not isinstance(stated, dict):
        return _Reference(min(1.0, stated * factor), None)
    value, n = stated["value"], stated.get(cases)
    if n is None and "ci95" in stated:
        low, high = stated["ci95"]
        n = value * (1 - value) * (2 * 1.96 / (high - low)) ** 2
    return _Reference(min(1.0, value * factor), n)


@dataclass(frozen=True)
class _Site:
    """Successes of cases on the scale on which their variance is 1 / (4 cases), whatever the share."""

    k: int
    n: int
    nested: bool

    @property
    def y(self) -> float:
        return math.asin(math.sqrt(self.k / self.n)) if self.nested else math.sqrt(self.k / self.n)


def site_outlier(question: Question, n: int) -> Measure:
    """Test of the distance of a site from all cases together, with the variance between sites (Spiegelhalter 2005)."""
    sites = [site for site in _sites(question, question.peers) if site.n]
    if len(sites) < FEWEST_SITES:
        return Measure(n, reason="unknown_reference")
    own = _site(question, question.rows)
    target = replace(own, k=sum(site.k for site in sites), n=sum(site.n for site in sites)).y
    sd = math.sqrt(1 / (4 * n) + _between(sites, target))
    return Measure(n, own.k / own.n, None, None, "funnel", float(2 * stats.norm.sf(abs(own.y - target) / sd)))


def _between(sites: list[_Site], target: float) -> float:
    """Variance between sites by moments, from z scores of which a tenth at either end is drawn in to the nearest other."""
    z = sorted((site.y - target) * math.sqrt(4 * site.n) for site in sites)
    last = math.floor((1 - WINSORISED) * (len(z) - 1))
    low, high = z[len(z) - 1 - last], z[last]
    phi = sum(min(high, max(low, one)) ** 2 for one in z) / len(z)
    weights = [4 * site.n for site in sites]
    return max(0.0, (len(z) * phi - (len(z) - 1)) / (sum(weights) - sum(w * w for w in weights) / sum(weights)))


def _sites(question: Question, rows: list[Event]) -> list[_Site]:
    policy: Policy = question.policy
    by_scope: dict[Scope, list[Event]] = defaultdict(list)
    for row in rows:
        by_scope[policy.scope(row.document, question.by)].append(row)
    return [_site(question, own) for own in by_scope.values()]


def _site(question: Question, rows: list[Event]) -> _Site:
    if event_of(question.metric) is not None:
        cases = proportion_cases(replace(question, rows=rows))
        return _Site(sum(cases), len(cases), nested=True)
    words = question.metric["numerator"], question.metric["denominator"]
    return _Site(count(rows, words[0]), count(rows, words[1]), words in NESTED)
