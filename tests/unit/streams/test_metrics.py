"""Every metric has a unit-bearing name, a help text, and a place that sets it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.metrics import Metrics
from tests.project_tree import sources

METRICS = {name: value for name, value in vars(Metrics(CollectorRegistry())).items() if name != "registry"}


def attributes_used() -> Iterator[str]:
    for path, text in sources().items():
        if path.parts[0] == "streams" and path.name != "metrics.py":
            yield from (node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_set_somewhere(name: str) -> None:
    assert name in set(attributes_used())


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_ours_by_name_and_says_what_it_is(name: str) -> None:
    metric = METRICS[name]
    assert isinstance(metric, Counter | Gauge | Histogram)
    (family,) = metric.collect()
    assert family.name.startswith("pms_")
    assert family.documentation
    assert not isinstance(metric, Histogram) or family.name.endswith("_seconds")


def test_two_workers_of_one_process_share_no_metric() -> None:
    one, other = Metrics(CollectorRegistry()), Metrics(CollectorRegistry())
    one.rebalances.inc()
    assert other.registry.get_sample_value("pms_rebalances_total") == 0
