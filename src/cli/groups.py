"""A group of commands that helps to find the one that was meant."""

from __future__ import annotations

import click

from finlake.errors import suggestion


class Commands(click.Group):
    """Lists commands in the order a person meets them, and suggests the one that was meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"there is no command {args[0]!r}{suggestion(args[0], self.commands)}")
        return super().resolve_command(ctx, args)
