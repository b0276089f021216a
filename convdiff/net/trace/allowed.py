"""Which differences of a net's outputs its file does not expect."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.diagnose.verdicts import Verdict, gravity, permits
from convdiff.net.trace.model import PairTrace, TraceResult


def drifting(result: TraceResult) -> Iterator[int]:
    """Yield the numbers of the pairs that drift.

    What is rounding where it enters is rounding at the end; what was not explained where it enters
    is not.
    """
    for number, trace in enumerate(result.pairs):
        if trace.differs and not _permits(result, trace):
            yield number


def verdict_of(result: TraceResult, trace: PairTrace) -> Verdict:
    """Return the gravest verdict on the layers where a pair's difference enters."""
    if not trace.differs:
        return "same" if trace.outputs else "untested"
    if trace.pair.axis == "repeat":
        return "unstable"
    entries = [one for one in result.entries if one.pair.kind == trace.pair.kind]
    known = {one.layer for one in entries}
    found = [one.verdict for one in entries if one.layer in trace.entered]
    if "untested" in found or not known.issuperset(trace.entered):
        return "untested"
    return max(found, key=gravity, default="untested")


def _permits(result: TraceResult, trace: PairTrace) -> bool:
    allowance, worst = result.case.expect[trace.pair.axis], trace.worst
    assert worst is not None, "an output differs"
    verdict = verdict_of(result, trace)
    if allowance.kind != "anything" and verdict == "untested":
        return False
    return permits(allowance, verdict, worst.max_ulp)
