"""Options that several commands share: settings as flags, times, `--json`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from surveillance.errors import InvalidInput, InvalidSetting
from surveillance.settings import Group, Settings, load_settings, setting_notes, variable_name
from surveillance.times import from_text

Command = Callable[..., Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, in place of text.")


class _Time(click.ParamType):
    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else from_text(str(value))
        except InvalidInput as error:
            self.fail(f"{error.what}; {error.mend}", param, ctx)


FILE_PATH = click.Path(path_type=Path, readable=False)
"""A file that is looked at where it is read: one that cannot be read is no wrong usage, whatever keeps it from being read."""

TIME = _Time()
"""An RFC 3339 time with `Z` or an offset, as milliseconds since the epoch."""


def settings_from(flags: dict[str, object], config: Path | None) -> Settings:
    """Settings of flags, environment and file. Raises InvalidSetting: what is wrong with them is wrong usage."""
    try:
        return load_settings(flags, os.environ, config)
    except InvalidInput as error:
        raise InvalidSetting(error.what, error.mend) from error


def with_settings(*groups: Group) -> Callable[[Command], Command]:
    """Gives a command one flag for each setting of these groups, and the argument `settings`.

    Passwords have no flag: a command line is open to everybody on the machine.
    """
    notes = {name: note for name, note in setting_notes().items() if note.group in groups and not note.secret}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_loaded(*args: object, config: Path | None, **given: object) -> object:
            flags = {name: given.pop(name) for name in notes}
            return command(*args, settings=settings_from(flags, config), **given)

        decorated: Command = with_loaded
        for name, note in reversed(notes.items()):
            flag = "--" + name.replace("_", "-")
            names = f"{flag}/--no-{flag[2:]}" if note.is_switch else flag
            shown = f"{note.meaning} [{variable_name(name)}]"
            decorated = click.option(names, name, default=None, help=shown)(decorated)
        config_help = "settings file [PMS_CONFIG; default pms.toml, where there is one]"
        return click.option("--config", type=FILE_PATH, help=config_help)(decorated)

    return decorate
