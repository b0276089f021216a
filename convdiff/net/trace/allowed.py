"""Which differences of a net's outputs its file does not expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convdiff.case.model import Allowance
from convdiff.diagnose.verdicts import Verdict, gravity, permits
from convdiff.net.trace.model import PairTrace, TraceResult


def drifting(result: TraceResult) -> Iterator[int]:
    """Yield the numbers of the pairs that drift.

    What is rounding where it enters is rounding at the end; what was not explained where it enters
    is not.
    """
    verdicts = verdicts_of(result)
    for number, trace in enumerate(result.pairs):
        if trace.differs and not _permits(result.case.expect[trace.pair.axis], trace, verdicts):
            yield number


def verdicts_of(result: TraceResult) -> dict[str, Verdict]:
    """Return the gravest verdict on each layer where a difference enters."""
    found: dict[str, Verdict] = {}
    for entry in result.entries:
        known = found.get(entry.layer, entry.verdict)
        found[entry.layer] = max(known, entry.verdict, key=gravity)
    return found


def verdict_of(trace: PairTrace, verdicts: Mapping[str, Verdict]) -> Verdict:
    """Return the gravest verdict on the layers where a pair's difference enters."""
    if not trace.differs:
        return "same" if trace.outputs else "untested"
    if trace.pair.axis == "repeat":
        return "unstable"
    found = [verdicts.get(name, "untested") for name in trace.entered]
    return "untested" if "untested" in found else max(found, key=gravity, default="untested")


def _permits(allowance: Allowance, trace: PairTrace, verdicts: Mapping[str, Verdict]) -> bool:
    verdict, worst = verdict_of(trace, verdicts), trace.worst
    assert worst is not None, "an output differs"
    if allowance.kind != "anything" and verdict == "untested":
        return False
    return permits(allowance, verdict, worst.max_ulp)
