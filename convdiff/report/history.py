"""Where a case changed, in words: releases, sizes, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convdiff.case.model import Case
from convdiff.runtime.model import Runtime
from convdiff.search.history import Change, History
from convdiff.search.releases import Releases
from convdiff.search.settings import Culprits
from convdiff.search.states import state_in_words

CONFOUNDERS = {"numpy": "NumPy", "python": "Python", "cpu_isa": "CPU", "threads": "threads"}
"""What else may differ between two environments, by what fingerprints call it."""


def of_releases(
    case: Case, package: str, history: History[str], releases: Releases
) -> Iterator[str]:
    """Yield what was found between the releases of a package."""
    if len(history.states) < 2:
        yield f"{case.name}: no two releases of {package} could be run"
    for change in history.changes:
        yield f"{case.name}: {package} {change.last} and {change.first} differ{_range(change)}"
        for release, state in ((change.last, change.before), (change.first, change.after)):
            yield f"  {release:8} {state_in_words(state)}"
            yield from (f"           {line}" for line in releases.orders.get(release, ()))
        yield from _confounders(releases, change)
    yield from _unchanged(case, package, history)
    for release in history.skipped:
        yield f"  skipped  {release}: {releases.reasons.get(release, 'nothing was compared')}"
    yield f"  tried    {', '.join(one for one, _ in history.states) or 'none'}"


def _range(change: Change[str]) -> str:
    if not change.skipped:
        return ""
    return f", or one of {', '.join(change.skipped)} between them, which could not be run"


def _confounders(releases: Releases, change: Change[str]) -> Iterator[str]:
    """Yield what else changed between two environments."""
    one, other = (releases.fingerprints.get(name, {}) for name in (change.last, change.first))
    changed = [
        f"{word} {one.get(key)} → {other.get(key)}"
        for key, word in CONFOUNDERS.items()
        if one.get(key) != other.get(key)
    ]
    if changed:
        yield f"  besides  {'; '.join(changed)}"


def _unchanged(case: Case, package: str, history: History[str]) -> Iterator[str]:
    """Yield what may be said where no change was found, or the ends agree."""
    if history.changes or len(history.states) < 2:
        return
    first, last = history.states[0], history.states[-1]
    words = state_in_words(first[1])
    if history.untried:
        between = f"{len(history.untried)} between them untried; --scan tries all"
        yield f"{case.name}: {package} {first[0]} and {last[0]} agree ({words}), {between}"
    else:
        yield f"{case.name}: no release from {first[0]} to {last[0]} changes it ({words})"


def of_sizes(
    case: Case, axis: str, runtime: Runtime, history: History[int], reasons: Mapping[int, str]
) -> Iterator[str]:
    """Yield at which sizes the first outputs' bits change."""
    for change in history.changes:
        yield (
            f"{case.name}: {runtime.id} gives other bits from {axis} {change.first} on; "
            f"{change.last} is the last before"
        )
    if not history.changes and len(history.states) > 1:
        first, last = history.states[0][0], history.states[-1][0]
        yield f"{case.name}: {runtime.id} gives the same bits at {axis} {first} and {last}"
    if history.untried:
        yield f"  untried  {len(history.untried):,} sizes between; --scan tries all"
    yield from (f"  skipped  {size}: {reason}" for size, reason in reasons.items())


def of_settings(
    case: Case, good: Mapping[str, str], bad: Mapping[str, str], found: Culprits, runs: int
) -> Iterator[str]:
    """Yield which variables make the difference."""
    if not found.names:
        yield f"{case.name}: both environments give the same bits"
        return
    what = ", ".join(
        f"{name}={good.get(name, '(unset)')} → {bad.get(name, '(unset)')}" for name in found.names
    )
    together = " together; none of them alone" if len(found.names) > 1 else ""
    yield f"{case.name}: {what} changes the bits{together}"
    if not found.is_whole:
        yield "  besides  other variables change them further, to those of the other end"
    yield f"  tried    {runs} environments"
