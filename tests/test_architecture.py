"""Layout, direction and habits of the code, held by reading it: who imports whom, who owns a package, what is never called."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.project_tree import PACKAGES, module_name, project_files, sources

FRONT_DOOR = "surveillance.cli"
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "detectors": frozenset({"detectors"}),
    "surveillance": frozenset({"surveillance", "detectors"}),
    "streams": frozenset({"streams", "surveillance", "detectors"}),
    "api": frozenset({"api", "surveillance", "detectors"}),
    FRONT_DOOR: frozenset(PACKAGES),
}

# A package is imported below its owner and nowhere else; a package that is not named here is not imported at all.
OWNERS: Mapping[str, tuple[str, ...]] = {
    "faust": ("streams",),
    "mode": ("streams",),
    "aiokafka": ("streams",),
    "cramjam": ("streams",),  # unpacks what the broker compressed
    "yarl": ("streams",),  # what Faust takes as an address
    "prometheus_client": ("streams",),
    "fastapi": ("api",),
    "starlette": ("api",),
    "jinja2": ("api",),
    "uvicorn": ("api",),
    "clickhouse_connect": ("surveillance.store",),
    "chdb": ("surveillance.store",),
    "scipy": ("detectors",),
    "river": ("detectors",),
    "click": (FRONT_DOOR,),
    "msgspec": ("surveillance.events",),
    "pyarrow": ("surveillance.events", "surveillance.store"),  # the wire's columns, and those of ClickHouse
    "zstandard": ("streams",),
    "pydantic": ("surveillance.manifest", "api"),  # documents that people write, and the answers FastAPI describes
    "pydantic_core": ("surveillance.manifest",),
    "ruamel": ("surveillance.manifest",),
    "rfc8785": ("surveillance.manifest",),
    "numpy": PACKAGES,
}

NAMELESS = {"utils", "util", "helpers", "helper", "manager", "base", "data", "info", "process", "common", "misc"}
TOP_LEVEL = {".ci", "api", "benchmarks", "deploy", "detectors", "streams", "surveillance", "tests"}

FORBIDDEN_CALLS = {"eval", "exec", "builtins.eval", "builtins.exec", "os.system", "os.popen"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
CLOCKS = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime"}
CLOCKS |= {f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")}
CHANCE = {"random", "secrets", "numpy.random", "os.urandom", "uuid.uuid1", "uuid.uuid4"}
# Each with the reason why time or chance there decides nothing.
MAY_READ_THEM = {
    "surveillance.cli": "logs carry the time of day",
    "surveillance.foresight.chance": "what a manifest will do is simulated before release, from a seed that its digest gives",
    "surveillance.events.join_records": "the separator between records must be one that no sender can foresee",
}


def imports(module: str, text: str) -> Iterator[str]:
    """Full names that a module imports, wherever the statement stands, but for those only a type checker sees."""
    tree = ast.parse(text)
    unseen = {id(inner) for node in ast.walk(tree) if _is_type_checking(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def is_below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def direction_faults(module: str, text: str) -> list[str]:
    layer = FRONT_DOOR if is_below(module, FRONT_DOOR) else module.split(".")[0]
    ours = [name for name in imports(module, text) if name.split(".")[0] in PACKAGES]
    wrong = [name for name in ours if name.split(".")[0] not in MAY_IMPORT[layer]]
    wrong += [name for name in ours if is_below(name, FRONT_DOOR) and layer != FRONT_DOOR]
    return [f"{module} imports {name}" for name in wrong]


def ownership_faults(module: str, text: str) -> list[str]:
    foreign = [name for name in imports(module, text) if name.split(".")[0] not in {*PACKAGES, *sys.stdlib_module_names}]
    owned = [(name, OWNERS.get(name.split(".")[0], ())) for name in foreign]
    return [f"{module} imports {name}" for name, owners in owned if not any(is_below(module, owner) for owner in owners)]


def names_used(text: str) -> set[str]:
    """Dotted names that a module uses or imports, with its own abbreviations written out (`np.random` -> `numpy.random`)."""
    tree = ast.parse(text)
    long_names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            long_names |= {
                alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
                for alias in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            long_names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    used = set(long_names.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = ast.unparse(node).partition(".")
            if first.isidentifier() and (first in long_names or first in FORBIDDEN_CALLS):
                used.add(".".join(part for part in (long_names.get(first, first), rest) if part))
    return used


def clock_faults(module: str, text: str) -> list[str]:
    allowed = any(is_below(module, excused) for excused in MAY_READ_THEM)
    if module.split(".")[0] not in ("detectors", "surveillance") or allowed:
        return []
    return [f"{module} uses {name}" for name in sorted(names_used(text)) if any(is_below(name, bad) for bad in CLOCKS | CHANCE)]


def danger_faults(module: str, text: str) -> list[str]:
    used = names_used(text)
    bad = {name for name in used if name in FORBIDDEN_CALLS or name.split(".")[0] in FORBIDDEN_MODULES}
    return [f"{module} uses {name}" for name in sorted(bad)]


def environment_faults(module: str, text: str) -> list[str]:
    if is_below(module, FRONT_DOOR):
        return []
    return [f"{module} uses {name}" for name in sorted(names_used(text)) if is_below(name, "os.environ") or name == "os.getenv"]


RULES = {
    "imports point inwards": direction_faults,
    "packages have one owner": ownership_faults,
    "no wall clock and no chance in a decision": clock_faults,
    "no eval, exec, shell or pickle": danger_faults,
    "only the front door reads the environment": environment_faults,
}


def test_the_rules_are_given_the_whole_code() -> None:
    assert {path.parts[0] for path in sources()} == set(PACKAGES)


@pytest.mark.parametrize("rule", RULES)
def test_the_code_keeps_the_rule(rule: str) -> None:
    faults = [fault for path, text in sources().items() for fault in RULES[rule](module_name(path), text)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        ("imports point inwards", "detectors.drift", "from surveillance.errors import InvalidInput"),
        ("imports point inwards", "streams.worker", "def f():\n    import api.server"),
        ("imports point inwards", "api.server", "from streams import worker"),
        ("imports point inwards", "surveillance.gate", "from surveillance.cli.main import run"),
        ("packages have one owner", "surveillance.panes.rows", "import pyarrow.compute as pc"),
        ("packages have one owner", "streams.worker", "import requests"),
        ("no wall clock and no chance in a decision", "surveillance.panes.rows", "import time\nat = time.time()"),
        ("no wall clock and no chance in a decision", "detectors.drift", "from datetime import datetime as d\nat = d.now()"),
        ("no wall clock and no chance in a decision", "detectors.drift", "import numpy as np\nr = np.random.default_rng(1)"),
        ("no wall clock and no chance in a decision", "surveillance.audit", "from uuid import uuid4"),
        ("no eval, exec, shell or pickle", "api.server", "eval('1')"),
        ("no eval, exec, shell or pickle", "streams.worker", "from pickle import loads"),
        ("only the front door reads the environment", "streams.worker", "import os\nv = os.environ['X']"),
    ],
)
def test_a_rule_sees_what_breaks_it(rule: str, module: str, text: str) -> None:
    assert RULES[rule](module, text) != []


@pytest.mark.parametrize(
    ("rule", "module", "text"),
    [
        ("imports point inwards", "surveillance.cli.demo", "from streams.demo import run_demo\nfrom api.server import serve_api"),
        (
            "no wall clock and no chance in a decision",
            "surveillance.times",
            "from datetime import datetime\nx = datetime.fromisoformat('')",
        ),
        ("no wall clock and no chance in a decision", "surveillance.panes.rows", "def f(row):\n    return row.time.time"),
        ("packages have one owner", "surveillance.events.decode", "import msgspec"),
    ],
)
def test_a_rule_lets_pass_what_keeps_it(rule: str, module: str, text: str) -> None:
    assert RULES[rule](module, text) == []


def test_no_import_goes_in_circles() -> None:
    texts = {module_name(path): text for path, text in sources().items()}
    graph = {
        module: {_module_of(name, texts) for name in imports(module, text)} - {module, None} for module, text in texts.items()
    }
    assert _circles(graph) == []


def _module_of(name: str, known: Mapping[str, str]) -> str | None:
    if name in known:
        return name
    above = name.rpartition(".")[0]
    return above if above in known else None


def _circles(graph: Mapping[str, set[str | None]]) -> list[list[str]]:
    """Modules that stay when those are taken away, again and again, that import none of the rest or are imported by none."""
    left = {module: {name for name in names if name is not None} for module, names in graph.items()}
    while True:
        imported = set().union(*left.values()) if left else set()
        ends = {module for module, names in left.items() if not names or module not in imported}
        if not ends:
            return [sorted(left)] if left else []
        left = {module: names - ends for module, names in left.items() if module not in ends}


def test_circles_are_found_where_there_are_some() -> None:
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert _circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_files_are_named_for_what_they_hold() -> None:
    assert [str(path) for path in project_files() if set(path.with_suffix("").parts) & NAMELESS] == []


def test_the_top_level_is_the_one_of_the_design() -> None:
    assert {path.parts[0] for path in project_files() if len(path.parts) > 1} <= TOP_LEVEL


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_a_package_is_a_package(package: str) -> None:
    folders = {path.parent for path in sources() if path.parts[0] == package}
    assert [str(folder) for folder in folders if Path(folder, "__init__.py") not in sources()] == []
