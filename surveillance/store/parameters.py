"""Bound parameters within what a server takes: one HTTP form field holds 128 KiB (`http_max_field_value_size`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from clickhouse_connect.driver.binding import format_bind_value

Item = TypeVar("Item")

MOST_ITEMS = 5_000
"""Integers of at most 20 digits, with their commas, stay below the limit at this many."""
_MOST_TEXT = 100_000


def batches(items: Sequence[Item], texts_of: Callable[[Item], Iterable[str]]) -> Iterator[Sequence[Item]]:
    """The items in order, cut so that a batch has at most MOST_ITEMS and its distinct texts, as sent, fit one parameter."""
    start, seen, size = 0, set[str](), 0
    for i, item in enumerate(items):
        fresh = set(texts_of(item)) - seen
        added = sum(len(str(format_bind_value([text])).encode()) for text in fresh)
        if i > start and (i - start >= MOST_ITEMS or size + added > _MOST_TEXT):
            yield items[start:i]
            start, seen, size = i, set(), 0
            fresh = set(texts_of(item))
            added = sum(len(str(format_bind_value([text])).encode()) for text in fresh)
        seen |= fresh
        size += added
    if items:
        yield items[start:]


def coded(column: Iterable[str]) -> tuple[list[str], list[int]]:
    """The distinct texts of a column, and for each row the place of its text, from 1 as arrays count in SQL."""
    places: dict[str, int] = {}
    codes = [places.setdefault(text, len(places) + 1) for text in column]
    return list(places), codes


def key_rows(texts: Sequence[str], others: Mapping[str, str]) -> str:
    """SQL for the right side of a tuple `IN`: the rows of bound columns, first those that `coded` took apart, then others.

    Column `x` of `texts` is bound as x_texts and x_codes; `others` maps the names of parameters to their array types.
    """
    columns = [f"{{{name}_codes:Array(UInt32)}}" for name in texts] + [f"{{{name}:{kind}}}" for name, kind in others.items()]
    values = [f"{{{name}_texts:Array(String)}}[k.{i}]" for i, name in enumerate(texts, 1)]
    values += [f"k.{i}" for i in range(len(texts) + 1, len(columns) + 1)]
    return f"(SELECT {', '.join(values)} FROM (SELECT arrayJoin(arrayZip({', '.join(columns)})) AS k))"  # noqa: S608 - names only
