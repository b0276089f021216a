"""What `cure`, `bisect` and `shrink` share: what is run, and what is known of earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convdiff.cli.options import of_run
from convdiff.cli.shared import shared
from convdiff.cli.streams import write_err

if TYPE_CHECKING:
    from convdiff.search.ledger import Ledger

WHAT_IS_RUN = (
    *("lengths", "batch", "threads", "device", "framework", "kernel", "runtime"),
    *("python", "requires", "exclude_newer", "timeout"),
)
"""The options of `run` that every search has."""
FRESH = shared("fresh", "Run every step, whatever is known of earlier runs.")


def of_search(*more: str) -> tuple[click.Option, ...]:
    """Return the options of `run` that a search has; more: the names of those that not all have."""
    return of_run(*WHAT_IS_RUN, *more)


def say_known(ledger: Ledger) -> None:
    """Say on stderr how much of a search was known before it."""
    from convdiff.report.known import known_words

    for line in known_words(ledger.known):
        write_err(f"convdiff: {line}")
