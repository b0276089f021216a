"""`convdiff rule`: what a name in a report means."""

from __future__ import annotations

import textwrap

import click

from convdiff.cli.complete import one_of
from convdiff.cli.streams import write_out
from convdiff.errors import ConvdiffError, meant
from convdiff.report.rules import RULES, rule_lines
from convdiff.report.width import screen_width

WIDTH, LABEL = 80, 9

EPILOG = """\b
Example:
  convdiff rule rounding
  convdiff rule order
"""


@click.command("rule", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=one_of(lambda: RULES))
def command(name: str | None) -> int:
    """Say what a verdict, a cause, a refusal or a term means, and what to do.

    Without NAME: all names.
    """
    if name is None:
        kinds = {
            kind: [n for n, rule in RULES.items() if rule.kind == kind]
            for kind in dict.fromkeys(rule.kind for rule in RULES.values())
        }
        write_out("".join(_wrapped(f"{kind}s", ", ".join(names)) for kind, names in kinds.items()))
        return 0
    wanted = name.lower().split("/")[0].replace(" ", "-").replace("_", "-")
    if wanted not in RULES:
        hint = meant(wanted, RULES) or "; `convdiff rule` lists all names"
        raise ConvdiffError(f"no rule is called {name!r}{hint}")
    write_out("".join(_wrapped(label, text) for label, text in rule_lines(wanted)))
    return 0


def _wrapped(label: str, text: str) -> str:
    """Return text beside its label, at most 80 columns wide; a longer label has a line above."""
    head = f"{label:{LABEL}} " if len(label) <= LABEL else f"{label}\n{'':{LABEL}} "
    indent = " " * (LABEL + 1)
    width = min(WIDTH, screen_width())
    body = textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return f"{head}{body[len(indent) :]}\n"
