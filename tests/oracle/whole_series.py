"""Metric types whose judgements are those of a whole series, folded or tested in order of time."""

from __future__ import annotations

from collections.abc import Callable

from .charts import judge_chart
from .judge import Judgement
from .ledger import Ledger
from .normal_charts import judge_normal_chart
from .periods import judge_trend
from .policy import Document, Policy, Scope
from .run_rules import judge_run_rule

WHOLE_SERIES: dict[str, Callable[[Ledger, Policy, Document], dict[Scope, list[Judgement]]]] = {
    "bernoulli_cusum": judge_chart,
    "cusum": judge_normal_chart,
    "ewma": judge_normal_chart,
    "trend_test": judge_trend,
    "run_rule": judge_run_rule,
}
