"""Lengths whose outputs are bit-identical to the longest one's, and the rule behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST_PERIOD = 64
LEAST_SHOWN = 3
"""Lengths of a kind, or of a residue, that a rule is founded on."""


@dataclass(frozen=True)
class SafeLengths:
    """What a runtime showed about its lengths, on the case's input and on random ones."""

    runtime: str
    longest: int
    lengths: tuple[int, ...]
    """Safe ones, the longest (with which all are compared) included."""
    unsafe: tuple[int, ...]
    untested: tuple[int, ...]
    unstable: tuple[int, ...]
    """Lengths that were unsafe on a random input and, run again on it, gave other bits still."""
    inputs: int
    """Random inputs tried beside the case's own, at the least."""
    rule: str | None = None
    """Such as `T ≡ 0 mod 4`, or None where there is none that all tried lengths keep."""
    proved: tuple[int, ...] = ()
    """Lengths whose orders are proved equal to the longest one's: safe for every input."""
    others: tuple[int, ...] = ()
    """The longest of each other grid of windows, with which the lengths of that grid are compared:
    `same` with a stride has two."""
    advised: bool = True
    """Whether padding to them is advice: not where a mistake tells lengths apart, or is in all."""

    @property
    def all_proved(self) -> bool:
        """Whether all safe lengths but the longest are proved."""
        return len(self.proved) == len(self.lengths) - 1


def safe_lengths(
    runtime: str,
    lengths: Sequence[int],
    verdicts: Mapping[int, bool | None],
    inputs: int,
    unstable: Sequence[int] = (),
    others: Sequence[int] = (),
) -> SafeLengths:
    """Sort lengths by verdict (True safe, False unsafe, None untested); the last is the longest.

    others: the longest of other grids of windows, which have none with which to be compared.
    """
    *shorter, longest = lengths
    safe: list[int] = []
    unsafe: list[int] = []
    untested: list[int] = []
    shelves = {True: safe, False: unsafe, None: untested}
    for length in shorter:
        if length not in others:
            shelves[verdicts.get(length)].append(length)
    return SafeLengths(
        runtime,
        longest,
        (*safe, longest),
        tuple(unsafe),
        tuple(untested),
        tuple(sorted(unstable)),
        inputs,
        None if untested else rule(safe, unsafe),
        others=tuple(sorted(others)),
    )


def rule(safe: Sequence[int], unsafe: Sequence[int]) -> str | None:
    """Return the simplest rule that tells safe from unsafe: a period, from some length on.

    Every residue must have been seen three times, so that a rule is no accident.
    """
    if not safe or not unsafe:
        return "every T" if len(safe) >= LEAST_SHOWN else None
    kinds = dict.fromkeys(safe, True) | dict.fromkeys(unsafe, False)
    starts = _starts(kinds)
    for period in range(1, LARGEST_PERIOD + 1):
        for start in starts:
            residues = _safe_residues(kinds, start, period)
            if residues:
                return _rule_text(residues, period, start, exceptions=start > min(kinds))
    return None


def _starts(kinds: Mapping[int, bool]) -> list[int]:
    """Return the lengths from which on a rule may hold.

    Those below are its exceptions: they must be few, and all of them unsafe.
    """
    lengths = sorted(kinds)
    starts = []
    for length in lengths:
        if length > lengths[0] + len(lengths) // 4:
            break
        starts.append(length)
        if kinds[length]:
            break
    return starts


def _rule_text(residues: Sequence[int], period: int, start: int, *, exceptions: bool) -> str:
    if period == 1:
        return f"T ≥ {start}"
    some = " or ".join(map(str, residues))
    below = f", T ≥ {start}" if exceptions else ""
    return f"T ≡ {some} mod {period}{below}"


def _safe_residues(kinds: Mapping[int, bool], start: int, period: int) -> list[int]:
    """Return the safe residues if the kind depends on T mod period alone, else none."""
    by_residue: dict[int, list[bool]] = {}
    for length, safe in kinds.items():
        if length >= start:
            by_residue.setdefault(length % period, []).append(safe)
    if len(by_residue) < period:
        return []
    for shown in by_residue.values():
        if len(shown) < LEAST_SHOWN or len(set(shown)) > 1:
            return []
    return sorted(residue for residue, shown in by_residue.items() if shown[0])
