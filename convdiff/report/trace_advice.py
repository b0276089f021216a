"""What a trace says last: what to do about rounding that drifts, how to accept it, and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.axes import Axis
from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.model import TraceResult
from convdiff.report.marks import Line, Span, line


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
        yield _accept(result, tuple(axes))
    rules = [f"convdiff rule {name}" for name in verdicts if name not in ("same", "untested")]
    notation = any(entry.is_proved for entry in result.entries)
    rules += ["convdiff rule notation"] if notation else []
    yield line("  more", " · ".join(["-v: every layer", "convdiff rule entered", *rules]))


def _accept(result: TraceResult, axes: Sequence[Axis]) -> Line:
    """Return what allows the drift along some axes, and where in the file it is written."""
    inside = ", ".join(f"{axis}: {{ulps: {_ulps(result, axis)}}}" for axis in axes)
    place = result.case.accepted_at.get(f"expect.{axes[0]}")
    where = f"   at {place.file}:{place.line}" if place else ""
    return line("  accept", f"expect: {{{inside}}}", Span(where, "faint"))


def _ulps(result: TraceResult, axis: str) -> int:
    """Return by how many ulps the outputs of what drifts along an axis differ."""
    pairs = (result.pairs[number] for number in result.drifting)
    return max(one.max_ulp for one in pairs if one.pair.axis == axis)
