"""Groups of commands that name the nearest command when one is misspelt, as options do."""

from __future__ import annotations

from difflib import get_close_matches

import click


class Commands(click.Group):
    """A group whose error for an unknown command says which one may be meant."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's; a misspelt name is told with the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            meant = get_close_matches(args[0], self.list_commands(ctx), n=1)
            if meant:
                error.message += f" Did you mean {meant[0]!r}?"
            raise
