"""What a trace's runtimes, runs and pairs are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convdiff.case.axes import AXES
from convdiff.case.words import short
from convdiff.lab.nets import NetRun
from convdiff.net.trace.model import TraceResult
from convdiff.net.trace.pairs import NetPair
from convdiff.plan.cell import Cell
from convdiff.report.brief_names import full


def numbers_of(result: TraceResult) -> dict[str, int]:
    """Return the number of each runtime that is there, where there are several."""
    names = [one.runtime.id for one in result.standings if one.available]
    if len(names) < 2:
        return {}
    return dict(zip(names, range(1, len(names) + 1), strict=True))


def side(result: TraceResult, pair: NetPair, run: NetRun) -> str:
    """Name one run of a pair by what tells it apart: T=452, batch 1, #2."""
    name = AXES[pair.axis].side
    if name is None:
        return f"#{numbers_of(result)[run.runtime.id]}"
    return name(cell_of(run))


def cell_of(run: NetRun) -> Cell:
    """Return a run as the cell that names it."""
    return Cell(run.runtime, "net", run.length, run.batch, run.repeat)


def compared(result: TraceResult, pair: NetPair) -> str:
    """Say which two runs are compared, and what they share where there is more than one of it."""
    candidate, baseline = side(result, pair, pair.candidate), side(result, pair, pair.baseline)
    both = f"{full(candidate)} against {full(baseline)}"
    return ", ".join([both, *map(full, _shared(result, pair, ()))])


def group_name(result: TraceResult, pair: NetPair, lengths: Sequence[int]) -> str:
    """Name pairs that differ in their lengths alone: T=452..515 / T=2048, #2."""
    candidate, baseline = side(result, pair, pair.candidate), side(result, pair, pair.baseline)
    if pair.axis == "length":
        candidate = f"T={short(lengths)}"
    return ", ".join([f"{candidate} / {baseline}", *_shared(result, pair, lengths)])


def _shared(result: TraceResult, pair: NetPair, lengths: Sequence[int]) -> Iterator[str]:
    """Yield what both sides share, as far as the net has more than one of it.

    lengths: of several such pairs; none are those of the pair itself.
    """
    run, numbers = pair.candidate, numbers_of(result)
    if pair.axis != "length" and len(result.case.lengths) > 1:
        yield f"T={short(lengths or [run.length])}"
    if pair.axis != "batch" and len(result.case.batches) > 1:
        yield f"batch {run.batch}"
    if AXES[pair.axis].side is not None and numbers:
        yield f"#{numbers[run.runtime.id]}"
