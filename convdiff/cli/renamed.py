"""An option with an older name, which works and is not shown."""

from __future__ import annotations

from typing import Any

import click


class Renamed(click.Option):
    """An option that is shown by the first of its names alone."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the names and the help, without older names."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        name, *older = self.opts
        return record[0].replace(", ".join([name, *older]), name), record[1]

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return what an error calls it."""
        return f"'{self.opts[0]}'"


def lengths(**given: Any) -> Renamed:
    """Return the option --lengths, which was --length where one is taken."""
    return Renamed(["--lengths", "--length"], **given)
