"""What is installed: everything the code imports and loads, at versions that are locked, and nothing from nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project_tree import PACKAGES, ROOT, module_name, project_files, sources
from tests.test_architecture import imports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {"requirements.lock": ("dev",), "benchmarks/requirements.lock": ("dev", "bench"), "deploy/java.lock": ()}
PINNED = re.compile(r"([a-z0-9._-]+)==([^\s;]+)( ; [^\\]+)? \\")
IMPORTED_AS = {"faust": "faust-streaming", "ruamel": "ruamel-yaml", "mode": "mode-streaming", "pydantic_core": "pydantic-core"}
BROUGHT_BY_FAUST_AND_PYDANTIC = {"mode-streaming", "pydantic-core"}  # their own halves, whose versions they pin


def locked(name: str) -> dict[str, list[str]]:
    """Versions of each package in a lock; more than one where they differ by Python version."""
    found: dict[str, list[str]] = {}
    for package, version, _ in PINNED.findall((ROOT / name).read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


def wanted(extras: tuple[str, ...]) -> list[Requirement]:
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in PROJECT["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("name", ["requirements.lock", "benchmarks/requirements.lock"])
def test_a_lock_holds_what_the_project_asks_for(name: str) -> None:
    versions = locked(name)
    for requirement in wanted(LOCKS[name]):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement} is not in {name}: renew it as the README says"
        assert all(version in requirement.specifier for version in found), f"{requirement}: {name} has {found}"


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_pinned_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert [entry for entry in entries if not PINNED.match(entry) or "--hash=sha256:" not in entry] == []


def test_what_the_code_imports_it_asks_for() -> None:
    names = {name.split(".")[0] for path, text in sources().items() for name in imports(module_name(path), text)}
    foreign = names - {*PACKAGES, *sys.stdlib_module_names}
    asked = {canonicalize_name(requirement.name) for requirement in wanted(())} | BROUGHT_BY_FAUST_AND_PYDANTIC
    assert {name for name in foreign if canonicalize_name(IMPORTED_AS.get(name, name)) not in asked} == set()


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {path.as_posix() for path in project_files() if path.parts[0] in PACKAGES}
