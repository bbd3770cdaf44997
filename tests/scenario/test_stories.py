"""Stories a clinician can read, told in `stories/` and played through `pms replay`'s code."""

from __future__ import annotations

from pathlib import Path

import pytest

from surveillance.manifest.parse import read_document
from tests.scenario.stage import play

HERE = Path(__file__).parent
STORIES = sorted(path.stem for path in (HERE / "stories").glob("*.txt"))


@pytest.mark.parametrize("story", STORIES)
def test_story(story: str) -> None:
    play((HERE / "stories" / f"{story}.txt").read_text(), read_document(HERE / "ward.manifest.yaml"))


def test_a_story_that_is_not_so_fails_with_its_line_and_what_was_there() -> None:
    story = "load 1m events 20x10 alerts 2x10\nadvance 11m\nexpect burden breached"
    with pytest.raises(AssertionError, match=r"line 3: expected 'burden breached', there was(.|\n)*verdict=met"):
        play(story, read_document(HERE / "ward.manifest.yaml"))
