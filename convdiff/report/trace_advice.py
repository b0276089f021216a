"""What a trace says last: what to do about rounding that drifts, how to accept it, and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from convdiff.case.axes import Axis
from convdiff.diagnose.verdicts import Verdict
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
    ulps = _ulps(pairs)
    verdicts = dict.fromkeys(verdict_of(result, one) for one in pairs)
    if "length" in ulps and pad:
        yield line("  pad", f"{pad} --data A..B")
    if list(verdicts) == ["rounding"]:
        expect = {axis: f"{{ulps: {most}}}" for axis, most in ulps.items()}
        yield accept_line(expect, result.case.accepted_at.get(f"expect.{next(iter(expect))}"))
    yield line("  more", " · ".join(_more(result, verdicts)))


def _more(result: TraceResult, verdicts: Iterable[Verdict]) -> Iterator[str]:
    yield "-v: every layer"
    yield "convdiff rule entered"
    for verdict in verdicts:
        if verdict not in ("same", "untested"):
            yield f"convdiff rule {verdict}"
    if any(entry.is_proved for entry in result.entries):
        yield "convdiff rule notation"


def _ulps(pairs: Sequence[PairTrace]) -> dict[Axis, int]:
    """Return by how many ulps the outputs of pairs differ at most along each axis."""
    ulps: dict[Axis, int] = {}
    for one in pairs:
        axis = one.pair.axis
        ulps[axis] = max(ulps.get(axis, 0), one.max_ulp)
    return ulps
