"""What a trace says last: what to do about rounding that drifts, how to accept it, and more."""

from __future__ import annotations

from collections.abc import Iterator

from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.model import TraceResult
from convdiff.report.marks import Line, line


def advice_lines(result: TraceResult, pad: str) -> Iterator[Line]:
    """Yield what to do about a drift, how to accept it where it is rounding, and what says more.

    pad: the command that says how far to pad; "" where there is none.
    """
    if not result.drifting:
        return
    axes = dict.fromkeys(result.pairs[number].pair.axis for number in result.drifting)
    verdicts = dict.fromkeys(verdict_of(result, result.pairs[one]) for one in result.drifting)
    if "length" in axes and pad:
        yield line("  pad", f"{pad} --data A..B")
    if list(verdicts) == ["rounding"]:
        inside = ", ".join(f"{axis}: {{ulps: {_ulps(result, axis)}}}" for axis in axes)
        yield line("  accept", f"expect: {{{inside}}}")
    rules = [f"convdiff rule {name}" for name in verdicts if name not in ("same", "untested")]
    notation = any(entry.is_proved for entry in result.entries)
    rules += ["convdiff rule notation"] if notation else []
    yield line("  more", " · ".join(["-v: every layer", "convdiff rule entered", *rules]))


def _ulps(result: TraceResult, axis: str) -> int:
    """Return by how many ulps the outputs of what drifts along an axis differ."""
    pairs = (result.pairs[number] for number in result.drifting)
    return max(one.max_ulp for one in pairs if one.pair.axis == axis)
