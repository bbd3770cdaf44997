"""What lines say beside the numbers, so that nobody takes a number for what it is not."""

from __future__ import annotations

from typing import Any

from tests.property.deciding import HOUR_MS, MINUTE_MS, event, inference, monitor, outcome, release, replayed_lines, tick

Line = dict[str, Any]
PERSISTENCE = {"k": 1, "of": 1}


def of_kind(lines: list[Line], kind: str, **fields: Any) -> list[Line]:
    return [line for line in lines if line["kind"] == kind and all(line.get(key) == value for key, value in fields.items())]


def pooled() -> list[Line]:
    """One site all of whose values are missing, and one of few patients of whom none are."""
    metric = {"type": "missing_rate", "feature": "px"}
    watched = monitor(
        "missing", metric, {"pause": {"ratio_to_baseline": 2}}, by=["site"], window="w1h", min_n=10, persistence=PERSISTENCE
    )
    document = release(watched)
    document["baselines"]["features"] = [{"name": "px", "probs": {"a": 1.0}, "missing": 0.01}]
    document["strata"]["below_min"] = "pool_to_parent"
    sent = [inference(at, MINUTE_MS + at, site_id="large", features={"px": None}) for at in range(35)]
    sent += [inference(f"s{at}", MINUTE_MS + at, site_id="small", features={"px": "a"}) for at in range(5)]
    return replayed_lines([document], [*sent, tick(HOUR_MS + 2 * MINUTE_MS)])


def test_an_incident_of_a_small_site_says_whose_number_it_tells():
    lines = pooled()
    (own,) = of_kind(lines, "incident", scope={"site": "large"})
    assert "pooled_to" not in own
    assert "too few cases" not in own["summary"]
    (of_all,) = of_kind(lines, "incident", scope={"site": "small"})
    assert of_all["pooled_to"] == {}
    assert of_all["estimate"]["n"] == 40
    assert "site small (too few cases by itself: the number is that of all sites and groups)" in of_all["summary"]


def two_tenants() -> list[Line]:
    watched = monitor("deaths", {"type": "event_count"}, {"pause": {"ge": 1}}, window="w1h", persistence=PERSISTENCE)
    fields = {
        "reported_at": "2026-03-02T00:00:00Z", "awareness_at": "2026-03-02T00:00:00Z", "seriousness": "death",
        "public_health_threat": False, "suspected_device_role": "unknown", "linked_inference_ids": [], "imdrf": {},
        "narrative_ref": None, "country": "DE", "udi": None,
    }  # fmt: skip
    sent = [event("adverse_event", name, MINUTE_MS, ae_id=name, tenant=name, **fields) for name in ("default", "other")]
    return replayed_lines([release(watched)], [*sent, tick(HOUR_MS + 2 * MINUTE_MS)])


def test_lines_name_the_tenant_where_it_is_another_than_the_default():
    lines = two_tenants()
    for kind in ("incident", "status", "trigger"):
        assert sorted(line.get("tenant", "not said") for line in of_kind(lines, kind)) == ["not said", "other"], kind


def test_coverage_that_waits_for_mature_labels_is_the_reason_and_not_an_interval():
    limits = {"investigate": {"p": 0.001}, "pause": {"coverage_mature_below": 0.6}}
    document = release(monitor("labels", {"type": "label_arrivals_vs_expected"}, limits, window="w1h"))
    document["baselines"]["label_latency"] |= {"maturity": {"or_age": "P1D"}, "dispersion": 1.0}
    sent = [inference(at, MINUTE_MS + at) for at in range(5)]
    (status,) = of_kind(replayed_lines([document], [*sent, tick(HOUR_MS + 2 * MINUTE_MS)]), "status")
    assert status["levels"]["pause"] == "inconclusive"
    assert "value" in status["estimate"]
    assert status["reason"] == "immature_labels"


def misses(verified: int) -> Line:
    """The state of a chart of misses where every flagged case is found to be one, and of 30 others so many are looked at."""
    metric = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3}
    document = release(monitor("missed", metric, {"investigate": {"h": 4.0}}, window="per_label"))
    sent = [inference(at, MINUTE_MS + at, 0.8) for at in range(30)] + [outcome(at, 1, 3 * MINUTE_MS + at) for at in range(30)]
    sent += [inference(f"n{at}", MINUTE_MS + at, 0.2) for at in range(30)]
    sent += [outcome(f"n{at}", 0, 2 * MINUTE_MS + at, of=f"n{at}") for at in range(verified)]
    (status,) = of_kind(replayed_lines([document], [*sent, tick(HOUR_MS)]), "status")
    return status


def test_no_miss_is_no_good_news_where_no_unflagged_case_was_ever_looked_at():
    unseen, looked_at = misses(0), misses(1)
    assert (unseen["verdict"], unseen["reason"], unseen["estimate"]) == ("inconclusive", "verification_bias", {"n": 30})
    assert (looked_at["verdict"], looked_at["estimate"]["value"], looked_at["estimate"]["n"]) == ("met", 0.0, 30)


def test_an_incident_says_by_when_it_is_to_be_answered_as_long_as_it_is_open():
    metric = {"type": "missing_rate", "feature": "px"}
    rule = PERSISTENCE | {"clear_after": 1}
    document = release(monitor("missing", metric, {"pause": {"abs": 0.5}}, window="w1h", persistence=rule))
    sent = [inference(at, MINUTE_MS + at, features={"px": None}) for at in range(35)]
    sent += [inference(f"b{at}", HOUR_MS + MINUTE_MS + at, features={"px": 0.5}) for at in range(35)]
    opened, resolved = of_kind(replayed_lines([document], [*sent, tick(2 * HOUR_MS + 2 * MINUTE_MS)]), "incident")
    assert opened["summary"].endswith(f" Acknowledge by {opened['ack_by']}, decide by {opened['decide_by']}.")
    assert resolved["state"] == "resolved"
    assert "cknowledge" not in resolved["summary"]
