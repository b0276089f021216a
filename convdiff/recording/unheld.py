"""What a case expects of a baseline, where none is given: nothing is held to it, which is said."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.case.model import Case


def unheld(case: Case) -> Iterator[str]:
    """Yield a note on what is not tested of a case without a baseline.

    It is no failure: runs with a baseline and runs without one share their cases.
    """
    asked = []
    if case.lock_order:
        asked.append("`order: locked`")
    if case.names_baseline:
        asked.append("what it expects of a baseline")
    if asked:
        yield f"no baseline is given, so that {' and '.join(asked)} is not tested"
