"""What a case expects of a baseline, where it is held against none."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.case.model import Case


def unheld_notes(case: Case, option: str = "--baseline") -> Iterator[str]:
    """Say that a case which expects something of a baseline was held to none.

    option: the one that names a baseline.
    """
    if case.of_baseline:
        named = ", ".join(f"`{one}`" for one in case.of_baseline)
        yield f"no {option} is given: nothing was held to {named} of its `expect`"
