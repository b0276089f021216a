"""Lengths whose outputs are bit-identical to the longest one's, and the rule behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST_PERIOD = 64


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


def safe_lengths(
    runtime: str,
    lengths: Sequence[int],
    verdicts: Mapping[int, bool | None],
    inputs: int,
    unstable: Sequence[int] = (),
) -> SafeLengths:
    """Sort lengths by verdict (True safe, False unsafe, None untested); the last is the longest."""
    longest = lengths[-1]
    shown = {length: verdicts.get(length) for length in lengths[:-1]}
    safe = tuple(length for length in lengths[:-1] if shown[length])
    unsafe = tuple(length for length in lengths[:-1] if shown[length] is False)
    unknown = tuple(length for length in lengths[:-1] if shown[length] is None)
    found = None if unknown else rule(safe, unsafe)
    unsteady = tuple(sorted(unstable))
    return SafeLengths(runtime, longest, (*safe, longest), unsafe, unknown, unsteady, inputs, found)


def rule(safe: Sequence[int], unsafe: Sequence[int]) -> str | None:
    """Return the simplest rule that tells safe from unsafe: a period, from some length on.

    Every residue must have been seen three times, so that a rule is no accident.
    """
    kinds = {**dict.fromkeys(safe, True), **dict.fromkeys(unsafe, False)}
    lengths = sorted(kinds)
    if not safe or not unsafe:
        return "every T" if safe and len(safe) >= 3 else None
    # Lengths below the start are exceptions; all of them must be unsafe, and they must be few.
    starts = [length for length in lengths if length <= lengths[0] + len(lengths) // 4]
    for period in range(1, LARGEST_PERIOD + 1):
        for start in starts:
            if any(kinds[length] for length in lengths if length < start):
                break
            residues = _residues(kinds, start, period)
            if residues is None or not residues:
                continue
            below = f", T ≥ {start}" if start > lengths[0] else ""
            if period == 1:
                return f"T ≥ {start}"
            some = " or ".join(map(str, residues))
            return f"T ≡ {some} mod {period}{below}"
    return None


def _residues(kinds: Mapping[int, bool], start: int, period: int) -> list[int] | None:
    """Return the safe residues if the kind depends on T mod period alone, else None."""
    seen: dict[int, list[bool]] = {}
    for length, safe in kinds.items():
        if length >= start:
            seen.setdefault(length % period, []).append(safe)
    if len(seen) < period or any(len(found) < 3 for found in seen.values()):
        return None
    if any(len(set(found)) > 1 for found in seen.values()):
        return None
    return sorted(residue for residue, found in seen.items() if found[0])
