"""Help whose options stand in groups: what to run, compare, explain, record, report."""

from __future__ import annotations

import click

GROUPS = {
    "What to run": (
        "data",
        "fixed",
        "value",
        "thorough",
        "lengths",
        "index",
        "op",
        "batch",
        "channels_out",
        "channels",
        "threads",
        "device",
        "framework",
        "kernel",
        "runtime",
        "python",
        "requires",
        "exclude_newer",
        "vary",
        "require",
        "timeout",
        "time",
    ),
    "Compare": (
        "against",
        "pairwise",
        "strict",
        "whole_reference",
        "expect",
        "case",
        "layout",
        "by",
    ),
    "Explain": ("explain", "explain_up_to", "budget"),
    "Record": ("save", "baseline", "update_baseline", "add_to_baseline"),
    "Report": (
        "form",
        "verbose",
        "quiet",
        "whole",
        "depth",
        "json",
        "dot",
        "junit",
        "markdown",
        "github",
        "color",
    ),
}
"""The groups, in the order in which they are needed, each with the names of its options."""


class Grouped(click.Command):
    """A command whose options are listed by group; what no group names comes last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each group under its name."""
        left = {
            option.name: record
            for option in filter(_is_option, self.get_params(ctx))
            if (record := option.get_help_record(ctx)) is not None
        }
        for title, names in GROUPS.items():
            rows = [left.pop(name) for name in names if name in left]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
        with formatter.section("Other"):
            formatter.write_dl(list(left.values()))


def _is_option(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option)
