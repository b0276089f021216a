"""How much of a search was known before it."""

from __future__ import annotations

from convdiff.case.words import one_or_many
from convdiff.report.numbers import count


def known_words(steps: int) -> tuple[str, ...]:
    """Return a line that says how many steps were not run, none where all were."""
    if not steps:
        return ()
    noun = one_or_many(steps, "step was", "steps were")
    return (f"{count(steps)} {noun} known from an earlier run; --fresh runs them anew",)
