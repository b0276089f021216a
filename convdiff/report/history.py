"""Where a case changed, in words: releases, sizes, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from convdiff.case.model import Case
from convdiff.case.words import few, given, short
from convdiff.runtime.model import Runtime
from convdiff.search.ends import Ends
from convdiff.search.history import Change, History
from convdiff.search.settings import Culprits
from convdiff.search.states import By, is_good, state_in_words
from convdiff.search.tried import Releases

CONFOUNDERS = {
    "numpy": "NumPy",
    "python": "Python",
    "cpu_isa": "CPU",
    "isa_not_compiled_in": "not compiled for",
    "onednn": "oneDNN",
    "compiler": "compiler",
    "threads": "threads",
    "settings": "variables",
}
"""What else may differ between two environments, by what fingerprints call it."""

BY: Mapping[By, tuple[str, str]] = {
    "bits": ("give the same bits", "changes the bits"),
    "verdict": ("show the same", "changes what it shows"),
}
"""What is said of two environments that agree, and of what parts two others."""


def of_releases(
    case: Case, package: str, history: History[str], releases: Releases, ends: Ends[str]
) -> Iterator[str]:
    """Yield what was found between the releases of a package."""
    if len(history.states) < 2:
        yield f"{case.name}: no two releases of {package} could be run"
    for change in history.changes:
        yield f"{case.name}: {package} {_changed(change, ends)}{_range(change)}"
        for release, state in ((change.last, change.before), (change.first, change.after)):
            yield f"  {release:8} {state_in_words(state)}"
    yield from _unchanged(case, package, history)
    yield from not_monotone(history)
    for release in history.skipped:
        yield f"  skipped  {release}: {releases.reasons.get(release, 'passed by')}"
    yield f"  tried    {', '.join(one for one, _ in history.states) or 'none'}"


def _changed(change: Change[Any], ends: Ends[Any]) -> str:
    """Say what a change is to who named the ends, else that both differ."""
    if not ends.are_named:
        return f"{change.last} and {change.first} differ"
    if ends.find_fix:
        return f"{change.first} is the first with the fix, {change.last} the last without"
    return f"{change.first} is the first bad one, {change.last} the last good one"


def _range(change: Change[Any]) -> str:
    """Say what else the first may be, where something between the two is not known."""
    parts = []
    if change.skipped:
        parts.append(f"or one of {few(list(map(str, change.skipped)))}, not run")
    if change.untried:
        parts.append(f"or one of {few(list(map(str, change.untried)))}, untried")
    return "".join(f", {part}" for part in parts)


def not_monotone(history: History[Any]) -> Iterator[str]:
    """Warn where halves can have missed a change: they take a line for one with a single one."""
    if history.is_monotone or not history.untried:
        return
    states = len({state for _, state in history.states})
    yield (
        f"  warning  not one change: {len(history.changes)} among {len(history.states)} tried, "
        f"{states} states; {len(history.untried):,} untried may hide more: --scan tries all"
    )


def besides(releases: Releases, last: str, first: str) -> Iterator[str]:
    """Yield what else changed between two environments."""
    one, other = (releases.fingerprints.get(name, {}) for name in (last, first))
    for key, word in CONFOUNDERS.items():
        if one and other and one.get(key) != other.get(key):
            yield f"  besides  {word}: {_plain(one.get(key))} → {_plain(other.get(key))}"
    was, now = (releases.packages.get(name, {}) for name in (last, first))
    changed = []
    for name in sorted({*was, *now} - {"numpy"}):
        if was.get(name) != now.get(name):
            changed.append(f"{name} {was.get(name, '(none)')} → {now.get(name, '(none)')}")
    if changed:
        yield f"  packages {few(changed)}"


def _plain(value: object) -> str:
    """Write one side of what changed."""
    if isinstance(value, Mapping):
        return " ".join(f"{name}={text}" for name, text in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "unknown" if value is None else str(value)


def _unchanged(case: Case, package: str, history: History[str]) -> Iterator[str]:
    """Yield what may be said where no change was found, or the ends agree."""
    if history.changes or len(history.states) < 2:
        return
    first, last = history.states[0], history.states[-1]
    words = state_in_words(first[1])
    if history.untried:
        between = f"{len(history.untried)} between them untried"
        yield f"{case.name}: {package} {first[0]} and {last[0]} agree ({words}), {between}"
        yield "  warning  a change that was undone between them is not seen: --scan tries all"
        return
    but = f", but {len(history.skipped)} of them not run" if history.skipped else ""
    yield f"{case.name}: no release from {first[0]} to {last[0]} changes it ({words}){but}"


def of_sizes(
    case: Case, axis: str, runtime: Runtime, history: History[int], ends: Ends[int]
) -> Iterator[str]:
    """Yield at which sizes the first outputs' bits change."""
    if len(history.states) < 2:
        yield f"{case.name}: {runtime.id} could not be run at two sizes"
    for change in history.changes:
        by_verdict = is_good(change.before) is not None
        what = "gives other bits"
        if by_verdict:
            what = "shows something else"
        where = f"{what} from {axis} {change.first} on; {change.last} is the last before"
        if ends.are_named:
            where = f"{axis} {_changed(change, ends)}"
        yield f"{case.name}: {runtime.id} {where}{_range(change)}"
        if by_verdict:
            yield f"  {axis} {change.last} {state_in_words(change.before)}"
            yield f"  {axis} {change.first} {state_in_words(change.after)}"
    if not history.changes and len(history.states) > 1:
        (first, state), (last, _) = history.states[0], history.states[-1]
        words = "gives the same bits" if is_good(state) is None else state_in_words(state)
        yield f"{case.name}: {runtime.id} {words} at {axis} {first} and {last}"
    yield from not_monotone(history)
    if history.skipped:
        yield f"  not run  {few(list(map(str, history.skipped)))}"
    if history.untried:
        yield f"  untried  {len(history.untried):,} sizes between; --scan tries all"


def skipped(reasons: Mapping[int, str]) -> Iterator[str]:
    """Yield why sizes could not be tried, a line a reason."""
    by_reason: dict[str, list[int]] = {}
    for size, reason in sorted(reasons.items()):
        by_reason.setdefault(reason, []).append(size)
    for reason, some in by_reason.items():
        yield f"  skipped  {short(some)}: {reason}"


def of_settings(
    case: Case,
    sides: tuple[Mapping[str, str], Mapping[str, str]],
    culprits: Culprits,
    runs: int,
    by: By,
) -> Iterator[str]:
    """Yield which variables make the difference. sides: what each end sets."""
    good, bad = sides
    same, change = BY[by]
    if not culprits.names:
        yield f"{case.name}: both environments {same}"
        return
    parts = []
    for name in culprits.names:
        parts.append(f"{name}={good.get(name, '(unset)')} → {bad.get(name, '(unset)')}")
    together = given(len(parts) > 1, " together; none of them alone")
    yield f"{case.name}: {', '.join(parts)} {change}{together}"
    if not culprits.is_whole:
        yield "  besides  other variables change them further, to those of the other end"
    yield f"  tried    {runs} environments"
