"""Who agrees with whom: every pair of runtimes, over all lengths and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convdiff.compare.comparison import Comparison
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import Verdict, gravity
from convdiff.runtime.model import Runtime


@dataclass(frozen=True)
class Pair:
    """Two runtimes, over all that was compared of them."""

    verdict: Verdict
    """The gravest of all."""
    allowed: bool
    differing: int
    elements: int
    max_ulp: int
    cell: tuple[int, int] | None = None
    """The length and the batch size at which the ulps are the most; None where no bits differ."""


@dataclass(frozen=True)
class Agreement:
    """A square of pairs, symmetric; None on the diagonal and where nothing was compared."""

    runtimes: tuple[Runtime, ...]
    pairs: tuple[tuple[Pair | None, ...], ...]
    alike: tuple[tuple[int, ...], ...]
    """Groups of runtimes, by their place, whose bits are the same; the largest first."""


def agreement(runtimes: Sequence[Runtime], findings: Sequence[Finding]) -> Agreement | None:
    """Return the square of a pairwise comparison; None where pairs are missing.

    Counts the convolutions, not their manual references.
    """
    places = {runtime: number for number, runtime in enumerate(runtimes)}
    members: dict[tuple[int, int], list[Finding]] = {}
    for finding in findings:
        pair = _between(finding, places)
        if pair is not None:
            members.setdefault(pair, []).append(finding)
    count = len(runtimes)
    if count < 2 or len(members) < count * (count - 1) // 2:
        return None
    rows: list[list[Pair | None]] = [[None] * count for _ in runtimes]
    for (i, j), between in members.items():
        rows[i][j] = rows[j][i] = _pair(between)
    square = tuple(map(tuple, rows))
    return Agreement(tuple(runtimes), square, _groups(square))


def _between(finding: Finding, places: Mapping[Runtime, int]) -> tuple[int, int] | None:
    """Return which two runtimes' convolutions a finding compares, if it does so."""
    one, other = finding.comparison.cells
    known = one.runtime in places and other.runtime in places
    if not known or one.runtime == other.runtime or one.is_reference or other.is_reference:
        return None
    i, j = sorted((places[one.runtime], places[other.runtime]))
    return i, j


def _pair(findings: Sequence[Finding]) -> Pair:
    differences = [f.comparison.difference for f in findings if f.comparison.difference]
    farthest = max((finding.comparison for finding in findings), key=_ulps)
    cell = (farthest.candidate.length, farthest.candidate.batch) if _ulps(farthest) else None
    return Pair(
        max((finding.verdict for finding in findings), key=gravity),
        all(finding.allowed for finding in findings),
        sum(difference.differing for difference in differences),
        sum(difference.elements for difference in differences),
        _ulps(farthest),
        cell,
    )


def _ulps(comparison: Comparison) -> int:
    return comparison.difference.max_ulp if comparison.difference else 0


def _groups(square: tuple[tuple[Pair | None, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Return groups of places that are bitwise the same; equality of bits is transitive."""
    left, groups = list(range(len(square))), []
    while left:
        first = left[0]
        group = [first]
        for other in left[1:]:
            pair = square[first][other]
            if pair is not None and pair.verdict == "same":
                group.append(other)
        groups.append(tuple(group))
        left = [number for number in left if number not in group]
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))
