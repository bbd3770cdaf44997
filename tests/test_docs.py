"""The documentation against the product: what it names exists, what exists it names, and nothing in it is of one machine."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from surveillance.cli.main import pms
from surveillance.settings import CONFIG_VARIABLE, setting_notes, variable_name
from tests.project_tree import ROOT, project_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
# Put together here, so that this file does not name them.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("repo", "maven"), ("repo1", "maven"), ("registry", "npmjs"), ("crates", "io"),
        ("proxy", "golang"), ("deb", "debian"), ("security", "debian"), ("conda", "anaconda"),
    )
)  # fmt: skip
OF_ONE_MACHINE = re.compile(r"(?<![\w.\-])/(?:work|root|home/\w+|tmp/(?:venv|k|plan))\b")


def commands(group: click.Group, path: str = "pms") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by how it is called."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(pms))


def shell_lines() -> list[str]:
    """Lines of the README's shell blocks, continued ones joined, without comments and prompts."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    lines = [re.sub(r"\s+#\s.*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def command_of(words: list[str]) -> tuple[str, click.Command] | None:
    """The `pms` command that the words call."""
    for length in (3, 2):
        path = " ".join(words[:length])
        if path in COMMANDS:
            return path, COMMANDS[path]
    return None


def test_the_first_screen_gives_the_two_commands() -> None:
    first_block = re.search(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    assert first_block is not None
    assert README[: first_block.end()].count("\n") <= 30
    called = [line.split("#")[0].strip() for line in first_block[1].splitlines()]
    assert called == ["sh deploy/demo", "sh deploy/test"]


@pytest.mark.parametrize("line", shell_lines())
def test_a_command_in_the_readme_can_be_called(line: str) -> None:
    words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
    match words:
        case ["sh", script, *_]:
            assert (ROOT / script).is_file()
        case ["pms", *_]:
            assert_known_call(words)
        case ["uv", "run", "pms", *_]:
            assert_known_call(words[2:])
        case _:
            assert words[0] in {"bash", "cd", "git", "pip", "python", "uv"}, line


def assert_known_call(words: list[str]) -> None:
    found = command_of(words)
    assert found is not None, f"no such command: {words}"
    options = {name for parameter in found[1].params for name in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.split("=")[0] for word in words if word.startswith("--")}
    assert given <= options | {"--help"}


def test_every_command_is_in_the_readme() -> None:
    assert [path for path in COMMANDS if f"`{path}" not in README] == []


def test_every_command_named_in_the_readme_exists() -> None:
    named = re.findall(r"`(pms [a-z][^`]*)`", README)
    paths = {*COMMANDS, *(path.rsplit(" ", 1)[0] for path in COMMANDS)}
    assert [call for call in named if not any(call == path or call.startswith(path + " ") for path in paths - {"pms"})] == []


def test_every_setting_is_in_the_readme_and_the_other_way_round() -> None:
    settings = {variable_name(name) for name in setting_notes()} | {CONFIG_VARIABLE}
    named = set(re.findall(r"\bPMS_[A-Z_]*[A-Z]\b", README))
    assert settings - named == set()
    assert {name for name in named - settings if not name.startswith("PMS_TEST_")} == set()


def test_links_in_the_documentation_lead_somewhere() -> None:
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in project_files() if path.suffix == ".md"}
    links = [(path, link) for path, text in texts.items() for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)]
    assert [f"{path}: {link}" for path, link in links if "://" not in link and not (ROOT / path.parent / link).exists()] == []


def test_files_named_in_the_readme_exist() -> None:
    named = re.findall(r"`((?:api|benchmarks|deploy|detectors|streams|surveillance|tests|\.ci)/[\w./-]*)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    faults = []
    for path in project_files():
        text = (ROOT / path).read_text(encoding="utf-8", errors="ignore")
        faults += [f"{path}: {host}" for host in REGISTRY_HOSTS if host in text]
        faults += [f"{path}: {found}" for found in OF_ONE_MACHINE.findall(text)]
    assert faults == []


def test_a_path_of_one_machine_is_seen() -> None:
    assert OF_ONE_MACHINE.search("see " + "/".join(("", "work", "shared")))
    assert not OF_ONE_MACHINE.search("surveillance/work/x, https://host/home")
