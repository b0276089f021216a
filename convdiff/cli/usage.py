"""A usage error in one line: what it is about, where that came from, and where help is."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.core import ParameterSource

from convdiff.cli.renamed import Renamed

DEFAULTS = "convdiff.defaults"
"""The key of a context's `meta` of the file that the defaults were read from."""


def usage(error: click.ClickException) -> str:
    """Return what click says of an error; of a value that nobody typed, where it stands."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        shown = {*_spellings(error.ctx.command)}
        near = [one for one in error.possibilities or () if one in shown]
        error = click.NoSuchOption(error.option_name, error.message, near, error.ctx)
    words = " ".join(error.format_message().split())
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return words
    source = _source(error, error.ctx)
    if source:
        return f"{source}: {error.message.rstrip('.')}"
    path = error.ctx.command_path.replace("python -m convdiff", "convdiff")
    return f"{words.rstrip('.')}; see {path} --help"


def _source(error: click.UsageError, ctx: click.Context) -> str:
    """Return the variable, or the file, table and key, of a bad value; "" where it was typed."""
    param = error.param if isinstance(error, click.BadParameter) else None
    if param is None or param.name is None:
        return ""
    source = ctx.get_parameter_source(param.name)
    if source is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    if source is ParameterSource.DEFAULT_MAP:
        return f"{ctx.meta[DEFAULTS]}: [tool.convdiff]: {param.name}"
    return ""


def _spellings(command: click.Command) -> Iterator[str]:
    """Yield a command's options as its help has them: no hidden one, no older name."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            yield from param.opts[:1] if isinstance(param, Renamed) else param.opts
            yield from param.secondary_opts
