"""Each known answer of ../shared/data is held by a test that is named here, or concerns a method that is not built."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.detectors.conftest import DATA

HERE = Path(__file__).parent
FILES = ("known_answers_by_others.json", "known_answers_rederived.json")
ABOUT = {"abs", "cur", "data", "date", "file", "fixture", "note", "ref", "rederived", "round", "setup", "source"}
"""Keys that say where a number is from or what it is of."""

HELD_BY = {
    "test_ra_cusum.py::test_the_published_scores_come_out": (
        "steiner_llr.coef", "steiner_llr.cases_[parsonnet,died]", "steiner_llr.RA2", "steiner_llr.RA0.5",
        "rigdon_fricker_llr.coef", "rigdon_fricker_llr.cases", "rigdon_fricker_llr.RA2", "steiner2014_RA2", "steiner2014_RA0.5",
    ),
    "test_ra_cusum.py::test_the_run_length_is_that_of_the_published_limit": (
        "ra_cusum_limit.L0", "ra_cusum_limit.RA", "ra_cusum_limit.h", "racusum_ARL0_h1.8592_m1500", "cardiac_counts.phaseI",
        "cardiac_counts.deaths30_I",
    ),
    "test_ra_cusum.py::test_the_model_of_the_first_two_years_is_the_published_one": ("cardiac_phaseI_coef",),
    "test_ra_cusum.py::test_the_highest_point_of_each_surgeons_chart_and_its_first_signal": (
        "cardiac_counts.n", "cardiac_counts.deaths30_all", "cardiac_counts.by_surgeon",
        *(f"cardiac_racusum_h4.5.{surgeon}" for surgeon in ("all", 1, 2, 3, 4, 5, 6, 7)),
    ),
    "test_maxsprt_poisson.py::test_every_published_value_by_minimum_events_spends_alpha_exactly": ("maxsprt",),
    "test_maxsprt_poisson.py::test_the_published_critical_values_come_out": (
        "maxsprt_check_alpha.T=1,M=1", "maxsprt_check_alpha.T=5,M=1", "maxsprt_check_alpha.T=10,M=1",
        "maxsprt_check_alpha.T=20,M=1", "maxsprt_check_alpha.T=50,M=1", "maxsprt_check_alpha.T=10,M=3",
        "maxsprt_check_alpha.T=20,M=4", "maxsprt_check_alpha.T=100,M=1",
    ),
    "test_normal_chart.py::test_a_fall_of_specificity_at_day_sixty_signals_at_day_sixty_three": (
        "aimcu.init_days", "aimcu.k", "aimcu.h", "aimcu.S_lo_last", "aimcu.n", "aimcu.mu", "aimcu.sd", "aimcu.H",
        "aimcu.first_alarm", "aimcu.post_change_mean",
    ),
    "test_normal_chart.py::test_days_until_a_running_two_sided_chart_sees_a_shift_are_the_published_ones": (
        "aimcu.arl1(h=4,k=.2996,mu1=1.2)",
    ),
    "test_published_examples.py::test_error_rates_of_a_risk_score_by_group": (
        "compas.threshold", "compas.African-American", "compas.Caucasian", "compas.Hispanic",
    ),
    "test_distances.py::test_pearsons_p_of_a_published_pair_of_counts": ("evidently_vectors: chi2 p",),
    "test_distances.py::test_p_of_a_total_variation_is_pearsons_and_not_the_published_one_of_permutations": (
        "evidently_vectors: TVD permutation p",
    ),
    "test_distances.py::test_jensen_shannon_of_a_published_continuous_pair": ("nannyml_vectors: JS continuous",),
    "test_distances.py::test_jensen_shannon_of_a_published_quasi_continuous_pair": ("nannyml_vectors: JS quasi-continuous",),
    "test_distances.py::test_jensen_shannon_of_published_categories": ("nannyml_vectors: JS categorical",),
    "test_distances.py::test_pearsons_p_of_a_published_pair_with_a_category_that_only_the_field_has": ("frouros_vectors: chi2",),
    "test_distances.py::test_psi_of_a_published_pair_of_samples_of_one_distribution": ("frouros_vectors: PSI",),
    "test_calibration_error.py::test_ten_groups_of_equal_width_give_the_published_error": (
        "calzone_mis.ECE10_posclass", "calzone_well.ECE10_posclass",
    ),
    "test_known_answers.py::test_calzone": tuple(
        f"calzone_{kind}.{key}" for kind in ("mis", "well") for key in ("n", "cox_slope", "spiegelhalter_z", "brier")
    ),
    "test_known_answers.py::test_calzone_in_the_large": (
        "calzone_mis.OE", "calzone_mis.cox_intercept", "calzone_well.OE", "calzone_well.cox_intercept",
    ),
}  # fmt: skip
"""Name of the answer, by the test that holds it."""

NOT_HELD = {
    "overdispersion_delta.ML": "not built: no method here has this parameter; funnels estimate the variance between sites",
    "overdispersion_delta.Pearson": "not built: as above",
    "vigilant": "not built: learning, potential and retention compare models over data sets; here one release is watched",
    "evidently_vectors: hellinger": "not built: Hellinger's distance is not among the drift metrics of a manifest",
    "evidently_vectors: anderson-darling p": "not built: it needs the values themselves, and bins are what is kept",
    "evidently_vectors: g-test p": "not built: PSI, Jensen-Shannon and Pearson's chi-square are the tests of two rows of counts",
    "evidently_vectors: cramer-von-mises p": "not built: it needs the values themselves, and bins are what is kept",
    "evidently_vectors: mann-whitney p": "not built: it needs the values themselves, and bins are what is kept",
    "evidently_vectors: fisher exact p": "not built: shares are compared by Newcombe's interval or an exact Poisson ratio",
    "frouros_vectors: Hellinger": "not built: as Evidently's",
    "frouros_vectors: Bhattacharyya same distribution": "not built: Bhattacharyya's distance is not among the drift metrics",
    "calcurves.coef": "no rows: the cohort behind these five numbers is not in the folder",
    "calcurves.auc": "no rows: as above",
    "calcurves.intercept(offset)": "no rows: as above",
    "calcurves.slope": "no rows: as above",
    "calcurves.brier": "no rows: as above",
    "racusum_ARL0_h1.8592_m600": "the coarser grid of racusum_ARL0_h1.8592_m1500",
}
"""Name of the answer, and why no test holds it."""


def names(document: dict[str, Any]) -> Iterator[str]:
    """One name for each answer: `key`, `key.part`, or `key: test` for each of a list of vectors and of the numbers it expects."""
    for key, value in document.items():
        if key in ABOUT:
            continue
        if isinstance(value, dict):
            parts = [part for part in value if part not in ABOUT]
            yield from (f"{key}.{part}" for part in parts)
            if not parts:
                yield key
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for vector in value:
                expected = vector.get("expected")
                tests = vector["test"].split("/") if isinstance(expected, list) else [vector["test"]]
                assert not isinstance(expected, list) or len(tests) == len(expected)
                yield from (f"{key}: {test}" for test in tests)
        else:
            yield key


def known_answers() -> set[str]:
    found: set[str] = set()
    for name in FILES:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"no {name}: ../shared/data is not part of this clone")
        found.update(names(json.loads(path.read_text(encoding="utf-8"))))
    return found


def test_each_known_answer_is_held_by_a_test_or_has_a_reason_why_not() -> None:
    held = [answer for answers in HELD_BY.values() for answer in answers]
    assert len(held) == len(set(held))
    assert set(held).isdisjoint(NOT_HELD)
    assert known_answers() == {*held, *NOT_HELD}


@pytest.mark.parametrize("test", HELD_BY)
def test_the_tests_that_hold_known_answers_are_there(test: str) -> None:
    module, function = test.split("::")
    body = ast.parse((HERE / module).read_text(encoding="utf-8")).body
    assert function in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_an_answer_that_nobody_has_listed_is_seen() -> None:
    document = {"a": 1, "note": "n", "b": {"c": 1, "source": "s"}, "d": {"file": "f"}, "e": [{"test": "f/g", "expected": [1, 2]}]}
    assert list(names(document)) == ["a", "b.c", "d", "e: f", "e: g"]
