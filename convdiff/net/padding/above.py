"""Lengths above a safe one: whether they are safe, too."""

from __future__ import annotations

from collections.abc import Sequence

from convdiff.net.padding.paper import Paper
from convdiff.net.padding.result import Above, Miss, Run, Safe
from convdiff.net.padding.runs import Compared
from convdiff.net.padding.search import Search, spread

SAMPLE, LEAST, RUNS = 12, 4, 256
"""Lengths above each group's answer that are tried; the least where RUNS are of many groups."""


def sample_above(paper: Paper, compared: Compared, answers: Sequence[tuple[Search, Safe]]) -> Above:
    """Try some lengths above each answer, among them the next ones. Raises UnansweredError."""
    runs: list[Run] = []
    misses: list[Miss] = []
    half = max(LEAST, min(SAMPLE, RUNS // len(answers))) // 2
    for search, safe in answers:
        longer = range(safe.length + 1, paper.fixed)
        some = sorted({*longer[:half], *spread(longer, half)})
        runs += [search.run(length) for length in some if _is_enough(paper, safe, length)]
        misses += search.relapses(safe.length)
    return _above(compared, runs, misses, ())


def all_above(paper: Paper, compared: Compared, answers: Sequence[tuple[Search, Safe]]) -> Above:
    """Try every length above the answers of three data lengths. Raises UnansweredError."""
    safe_of: dict[int, Safe] = {}
    runs: list[Run] = []
    misses: list[Miss] = []
    for search, safe in answers:
        safe_of |= dict.fromkeys(safe.group.data, safe)
        misses += search.relapses(safe.length)
    every = sorted(safe_of)
    data = tuple(sorted({every[0], every[len(every) // 2], every[-1]}))
    for one in data:
        safe = safe_of[one]
        longer = range(safe.length + 1, paper.fixed)
        runs += [Run(one, length) for length in longer if _is_enough(paper, safe, length)]
    return _above(compared, runs, misses, data)


def _is_enough(paper: Paper, safe: Safe, length: int) -> bool:
    return paper.enough(safe.group.data[-1], length)


def _above(
    compared: Compared, runs: Sequence[Run], misses: Sequence[Miss], data: tuple[int, ...]
) -> Above:
    outcomes = compared.misses(runs)
    relapses = {miss.run: miss for miss in (*misses, *outcomes.values()) if miss}
    ordered = sorted(relapses.values(), key=lambda miss: (miss.run.length, miss.run.data))
    return Above(len(outcomes), data, tuple(ordered))
