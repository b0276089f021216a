"""What a trace says last: what to do about rounding that drifts, how to accept it, and more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.axes import Axis
from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.model import PairTrace, TraceResult
from convdiff.report.marks import Line, line
from convdiff.report.summary import accept_line


def advice_lines(result: TraceResult, pad: str) -> Iterator[Line]:
    """Yield what to do about a drift, how to accept it where it is rounding, and what says more.

    pad: the command that says how far to pad; "" where there is none.
    """
    if not result.drifting:
        return
    pairs = [result.pairs[number] for number in result.drifting]
    axes = dict.fromkeys(one.pair.axis for one in pairs)
    verdicts = dict.fromkeys(verdict_of(result, one) for one in pairs)
    if "length" in axes and pad:
        yield line("  pad", f"{pad} --data A..B")
    if list(verdicts) == ["rounding"]:
        allowances = {axis: f"{{ulps: {_ulps(pairs, axis)}}}" for axis in axes}
        place = result.case.accepted_at.get(f"expect.{next(iter(axes))}")
        yield accept_line(allowances, place)
    rules = ["entered", *(name for name in verdicts if name not in ("same", "untested"))]
    if any(entry.is_proved for entry in result.entries):
        rules.append("notation")
    commands = [f"convdiff rule {name}" for name in rules]
    yield line("  more", " · ".join(["-v: every layer", *commands]))


def _ulps(pairs: Sequence[PairTrace], axis: Axis) -> int:
    """Return by how many ulps the outputs of pairs along an axis differ."""
    return max(one.max_ulp for one in pairs if one.pair.axis == axis)
