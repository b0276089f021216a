"""Which differences of a net's outputs its file does not expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.diagnose.verdicts import Verdict, gravity, permits
from convdiff.net.trace.model import Entry, PairTrace, TraceResult


def drifting(result: TraceResult) -> Iterator[int]:
    """Yield the numbers of the pairs that drift.

    What is rounding where it enters is rounding at the end; what was not explained where it enters
    is not.
    """
    for number, trace in enumerate(result.pairs):
        is_wrong = bool(trace.outputs) and verdict_of(result, trace) == "wrong"
        is_other = trace.differs or trace.is_unstable or is_wrong
        if is_other and not _permits(result, trace):
            yield number


def verdict_of(result: TraceResult, trace: PairTrace) -> Verdict:
    """Return the gravest verdict on the layers where a pair's difference enters.

    A layer that is wrong is so where what follows heals it, or where another one differs before it.
    """
    entries = [one for one in result.entries if one.pair.kind == trace.pair.kind]
    verdicts = _verdicts(entries, trace)
    if "wrong" in verdicts and trace.outputs:
        return "wrong"
    if trace.is_unstable or (trace.differs and trace.pair.axis == "repeat"):
        return "unstable"
    if not trace.differs:
        return "same" if trace.outputs else "untested"
    if _is_unknown(entries, trace) or "untested" in verdicts:
        return "untested"
    return max(verdicts, key=gravity, default="untested")


def _verdicts(entries: Sequence[Entry], trace: PairTrace) -> list[Verdict]:
    """Return those on what enters, and on what is more than rounding further on."""
    return [one.verdict for one in entries if one.carries or one.layer in trace.entered]


def _is_unknown(entries: Sequence[Entry], trace: PairTrace) -> bool:
    """Return whether an entry was not explained, or is not all: values are finite on one side."""
    known = {one.layer for one in entries}
    appeared = any(one.appeared for one in trace.outputs.values())
    return appeared or not known.issuperset(trace.entered)


def _permits(result: TraceResult, trace: PairTrace) -> bool:
    allowance = result.case.expect[trace.pair.axis]
    verdict = verdict_of(result, trace)
    if allowance.kind != "anything" and verdict == "untested":
        return False
    return permits(allowance, verdict, trace.max_ulp)
