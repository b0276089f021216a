"""The commands that go on from a case, as the options that were given make them."""

from __future__ import annotations

from convdiff.cli.explain_command import explain_command
from convdiff.cli.options import Options
from convdiff.cli.repeat import repeat_command, search_words
from convdiff.report.commands import Commands
from convdiff.result import CaseResult


def commands_of(case: CaseResult, options: Options, command: str) -> Commands:
    """Return what a person types to go on from a case that `command` has run."""
    return Commands(
        repeat_command(case, options, command),
        explain_command(case, options),
        search_words(case, options),
    )
