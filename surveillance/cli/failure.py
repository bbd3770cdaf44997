"""What a user is told of an error: what happened, why, how to mend it, and the exit code. Never a traceback."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

import click

from surveillance.errors import InvalidInput, InvalidManifest, InvalidSetting, StoreUnavailable, SurveillanceError

EXIT_UNREADABLE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_OUR_FAULT = 70


@dataclass(frozen=True, slots=True)
class Failure:
    """One error as a person reads it. `why` and `mend` are empty where `what` says all there is."""

    what: str
    why: str = ""
    mend: str = ""
    exit_code: int = EXIT_UNREADABLE

    @property
    def is_fault_of_ours(self) -> bool:
        return self.exit_code == EXIT_OUR_FAULT

    def text(self) -> str:
        """The lines for stderr."""
        lines = [f"error: {self.what}"]
        lines += [f"  why: {self.why}"] if self.why else []
        lines += [f"  to mend: {self.mend}"] if self.mend else []
        return "\n".join(lines)


def explain(error: Exception) -> Failure:
    """The failure that an exception stands for."""
    match error:
        case click.UsageError():
            return _usage(error)
        case click.ClickException():
            return Failure(error.format_message())
        case InvalidManifest():
            return Failure(str(error), mend="`pms manifest lint FILE` names every problem; mend them at the paths shown")
        case InvalidSetting():
            return Failure(error.what, mend=error.mend, exit_code=EXIT_USAGE)
        case InvalidInput():
            return Failure(error.what, mend=error.mend)
        case StoreUnavailable():
            return Failure(str(error), mend="nothing was lost: see that it runs and can be reached, then repeat the command")
        case SurveillanceError():
            return Failure(str(error))
        case OSError() if error.filename:
            return Failure(
                f"{error.filename}: cannot be used", why=error.strerror or "", mend="check the path and its permissions"
            )
        case _:
            return _our_fault(error)


def _usage(error: click.UsageError) -> Failure:
    path = error.ctx.command_path if error.ctx else "pms"
    return Failure(error.format_message(), mend=f"`{path} --help` shows the usage", exit_code=EXIT_USAGE)


def _our_fault(error: Exception) -> Failure:
    # The message of a stray exception may quote an event, so only its kind and place are shown.
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return Failure(
        f"pms failed: {type(error).__name__}{place}",
        why="this is a fault of pms, not of your input",
        mend="report it with the output of the same command under `pms --log-level debug`",
        exit_code=EXIT_OUR_FAULT,
    )
