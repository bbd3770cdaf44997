"""Which manifest an event counts under."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.registry import Registration, Registry
from tests.oracle.streams import manifest
from tests.property.folding import registration


def known(manifest_id: str, revision: int, release_id: str, in_force_ms: int, **telemetry: Any) -> Registration:
    document = manifest(manifest_id, revision, release_id)
    document["surveillance"]["telemetry"] |= telemetry
    return registration(document, in_force_ms)


FIRST, SECOND = known("rm-a", 1, "rel-a", 0), known("rm-a", 2, "rel-a", 1000)
OTHER = known("rm-b", 1, "rel-b", 0, allowed_lateness="P9D", retransmit_window="P40D", out_of_orderness="PT5M")
REGISTRY = Registry([SECOND, FIRST, OTHER])


def test_an_event_counts_under_the_highest_revision_in_force_of_the_manifest_it_carries():
    assert [REGISTRY.resolve("rel-a", FIRST.digest, at) for at in (0, 999, 1000)] == [FIRST, FIRST, SECOND]


def test_a_digest_that_is_not_in_force_yet_or_not_known_resolves_to_nothing():
    assert REGISTRY.resolve("rel-a", SECOND.digest, 999) is None
    assert REGISTRY.resolve("rel-a", "sha256:" + "0" * 64, 5000) is None


def test_without_a_digest_the_release_decides():
    assert [REGISTRY.resolve("rel-a", None, at) for at in (-1, 0, 1000)] == [None, FIRST, SECOND]
    assert REGISTRY.resolve("rel-x", None, 5000) is None


def test_the_digest_goes_before_the_release_it_disagrees_with():
    assert REGISTRY.resolve("rel-b", FIRST.digest, 500) is FIRST


def test_two_manifests_of_one_release_the_highest_revision_then_the_latest_then_the_larger_id():
    twin, late = known("rm-c", 2, "rel-a", 1000), known("rm-0", 2, "rel-a", 1500)
    registry = Registry([FIRST, SECOND, twin, late])
    assert registry.resolve("rel-a", None, 1200) is twin
    assert registry.resolve("rel-a", None, 1500) is late


def test_adding_a_registration_changes_nothing_before_it_comes_into_force():
    registry = Registry([FIRST])
    before = [registry.resolve("rel-a", digest, at) for digest in (None, FIRST.digest) for at in range(0, 1000, 100)]
    assert registry.add(SECOND)
    assert [registry.resolve("rel-a", digest, at) for digest in (None, FIRST.digest) for at in range(0, 1000, 100)] == before


def test_a_revision_ends_when_the_next_higher_one_comes_into_force():
    third = known("rm-a", 3, "rel-a", 700)
    registry = Registry([FIRST, SECOND, third])
    assert registry.superseded_ms(FIRST) == 700
    assert registry.superseded_ms(SECOND) == 700
    assert registry.superseded_ms(third) is None


def test_boundaries_are_the_times_at_which_what_is_in_force_changes():
    assert REGISTRY.boundaries().tolist() == [0, 1000]
    assert Registry().boundaries().tolist() == []


def test_the_widest_bounds_count():
    assert REGISTRY.out_of_orderness_ms(0) == 300_000
    assert Registry([FIRST]).out_of_orderness_ms(-1) == 60_000, "a minute while none is in force"
    assert (REGISTRY.longest_retransmit_ms(), REGISTRY.longest_lateness_ms()) == (40 * 86_400_000, 9 * 86_400_000)
    assert (Registry().longest_retransmit_ms(), Registry().longest_lateness_ms()) == (0, 0)


def test_two_contents_of_one_revision_are_told_of(caplog: pytest.LogCaptureFixture):
    registry = Registry([FIRST])
    registry.add(SECOND)
    assert registry.add(FIRST) is False
    assert caplog.messages == []
    other = known("rm-a", 2, "rel-a", 2000, allowed_lateness="P9D")
    registry.add(other)
    (told,) = caplog.messages
    assert SECOND.digest in told
    assert other.digest in told
    assert "give what was changed a higher revision" in told
