"""Under which manifest history counts in a backtest."""

from __future__ import annotations

from streams.backtest import OneManifest
from surveillance.registering import registration_of
from surveillance.registry import ALWAYS_MS
from tests.unit.cli.pump import release

EARLIER, FOREIGN = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def registry() -> OneManifest:
    return OneManifest(registration_of(release(revision=3, effective_from="2030-01-01T00:00:00Z"), "m"), {EARLIER})


def test_its_release_counts_under_it_whatever_digest_was_sent_and_before_it_comes_into_force() -> None:
    found = registry().resolve("pump-1", FOREIGN, 0)
    assert found is not None
    assert found.revision == 3
    assert found.in_force_ms == ALWAYS_MS


def test_another_revision_of_the_same_manifest_counts_even_for_another_release() -> None:
    assert registry().resolve("pump-0", EARLIER, 0) is not None


def test_other_releases_and_manifests_do_not_count() -> None:
    assert registry().resolve("pump-2", FOREIGN, 0) is None
    assert registry().resolve("pump-2", None, 0) is None
