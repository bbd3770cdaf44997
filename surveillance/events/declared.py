"""What the structs declare, as paths: which names are fields, which of them are times, maps or required."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from surveillance.events.batch import Kind
from surveillance.events.kinds import STRUCT_OF

_SCALARS: Final[Mapping[type[inspect.Type], type]] = {
    inspect.StrType: str,
    inspect.IntType: float,
    inspect.FloatType: float,
    inspect.BoolType: bool,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A declared field by its dotted path. `kinds_of` are the msgspec types it may hold, unions taken apart."""

    path: str
    required: bool
    kinds_of: tuple[inspect.Type, ...]

    @property
    def is_time(self) -> bool:
        return any(_json_schema(kind).get("format") == "date-time" for kind in self.kinds_of)

    @property
    def is_map(self) -> bool:
        return any(isinstance(kind, inspect.DictType) for kind in self.bare())

    @property
    def choices(self) -> tuple[str | int, ...]:
        """The values of an enumeration; empty where it takes others, too."""
        bare = self.bare()
        if not all(isinstance(kind, inspect.LiteralType | inspect.NoneType) for kind in bare):
            return ()
        return tuple(value for kind in bare if isinstance(kind, inspect.LiteralType) for value in _values(kind))

    @property
    def scalars(self) -> frozenset[type]:
        """Which of `str`, `float` and `bool` it may hold by itself."""
        kinds = {_SCALARS[type(kind)] for kind in self.bare() if type(kind) in _SCALARS}
        return frozenset(kinds | {str if isinstance(value, str) else float for value in self.choices})

    @property
    def map_keys(self) -> tuple[str | int, ...]:
        """The keys that a map is held to; empty where it is none, or takes any."""
        keys = (kind.key_type for kind in self.bare() if isinstance(kind, inspect.DictType))
        return tuple(value for key in keys if isinstance(key, inspect.LiteralType) for value in _values(key))

    def bare(self) -> tuple[inspect.Type, ...]:
        """The types without their descriptions."""
        return tuple(kind.type if isinstance(kind, inspect.Metadata) else kind for kind in self.kinds_of)


Tree = Mapping[str, "Tree | None"]
"""Declared names of an object; the value is the tree of the object (or list of objects) in it, None for anything else."""


@cache
def fields(kind: Kind) -> Mapping[str, Field]:
    """Every declared field of a kind by dotted path; a nested object stands before its parts."""
    return {field.path: field for field in _walk(_struct_info(STRUCT_OF[kind]), "")}


@cache
def comparable(kind: Kind) -> frozenset[str]:
    """Paths under which one value of a kind stands: `imdrf.A` of a map held to its keys, `ext.*` of one that takes any."""
    known = fields(kind)
    maps = {name: field.map_keys for name, field in known.items() if field.is_map}
    parts = {f"{name}.{key}" for name, keys in maps.items() for key in keys or ("*",)}
    return frozenset(parts | {name for name, field in known.items() if field.scalars})


def is_among(path: str, comparable_paths: frozenset[str]) -> bool:
    """Whether a path is one of these, or a part of a map that takes any key."""
    head, _, key = path.partition(".")
    return path in comparable_paths or (bool(key) and f"{head}.*" in comparable_paths)


@cache
def tree(struct: type[msgspec.Struct]) -> Tree:
    """Declared names of a struct, nested, with its tag."""
    return _tree(_struct_info(struct))


@cache
def names() -> frozenset[str]:
    """Every declared field name at any depth, without paths."""
    return frozenset(part for kind in Kind for path in fields(kind) for part in path.split(".")) | {"schema"}


@cache
def paths() -> frozenset[str]:
    """Every declared dotted path of any kind: the names that a reason code may carry."""
    return frozenset(path for kind in Kind for path in fields(kind)) | {"schema"}


def _values(kind: inspect.LiteralType) -> Iterator[str | int]:
    return (value for value in kind.values if isinstance(value, str | int))


def _walk(info: inspect.StructType, prefix: str) -> Iterator[Field]:
    for field in info.fields:
        path = prefix + field.encode_name
        members = tuple(_members(field.type))
        yield Field(path, field.required, members)
        for nested in _objects(members):
            yield from _walk(nested, f"{path}.")


def _tree(info: inspect.StructType) -> Tree:
    found: dict[str, Tree | None] = {} if info.tag_field is None else {info.tag_field: None}
    for field in info.fields:
        nested = next(_objects(tuple(_members(field.type))), None)
        found[field.encode_name] = None if nested is None else _tree(nested)
    return found


def _members(kind: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        for member in kind.types:
            yield from _members(member)
    else:
        yield kind


def _objects(members: tuple[inspect.Type, ...]) -> Iterator[inspect.StructType]:
    for member in members:
        inner = member.type if isinstance(member, inspect.Metadata) else member
        if isinstance(inner, inspect.ListType):
            inner = inner.item_type
        if isinstance(inner, inspect.StructType):
            yield inner


def _struct_info(struct: type[msgspec.Struct]) -> inspect.StructType:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return info


def _json_schema(kind: inspect.Type) -> Mapping[str, Any]:
    return (kind.extra_json_schema or {}) if isinstance(kind, inspect.Metadata) else {}


TIME_PATHS: Final[Mapping[Kind, tuple[str, ...]]] = {
    kind: tuple(path for path, field in fields(kind).items() if field.is_time) for kind in Kind
}
MAP_PATHS: Final[Mapping[Kind, tuple[str, ...]]] = {
    kind: tuple(path for path, field in fields(kind).items() if field.is_map) for kind in Kind
}
