"""Results as files, one per id, and as a Markdown table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.result import Claim, Result

RESULTS = Path(__file__).with_name("results")
_HEAD = ("| id | what | measured | against target |", "|---|---|---|---|")


def write(result: Result, folder: Path) -> None:
    """The file of this id, replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result.document(), indent=1, ensure_ascii=False)
    (folder / f"{result.id}.json").write_text(text + "\n", encoding="utf-8")


def markdown(results: Iterable[Result]) -> str:
    """One row per result."""
    return "\n".join([*_HEAD, *_rows(results)])


def _rows(results: Iterable[Result]) -> Iterator[str]:
    for one in results:
        measured = "; ".join(
            f"{name} {figure(contender.median)} {contender.unit}" if contender.median is not None else f"{name}: {contender.note}"
            for name, contender in one.contenders.items()
        )
        scale = "" if one.scale == 1 else f" (scale {one.scale:g})"
        yield f"| `{one.id}` | {one.what}{scale} | {measured} | {'; '.join(map(_claim, one.claims))} |"


def _claim(claim: Claim) -> str:
    wanted = f"{'≥' if claim.at_least else '≤'} {figure(claim.target)}"
    if claim.reached is None:
        return f"{claim.text} {wanted}: not measured"
    return f"{figure(claim.value)} {claim.text} ({wanted}: {'reached' if claim.reached else 'not reached'})"


def figure(value: float | None) -> str:
    """Three digits that count.

    >>> figure(23456.0), figure(0.01234)
    ('23,500', '0.0123')
    """
    if value is None:
        return "-"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
