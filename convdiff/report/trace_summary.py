"""What every report tells of a trace: plain data, no colours, no escapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from convdiff.case.axes import AXES
from convdiff.diagnose.verdicts import gravity
from convdiff.lab.nets import NetRun
from convdiff.net.trace.allowed import verdict_of, verdicts_of
from convdiff.net.trace.growth import JUMPS
from convdiff.net.trace.model import Entry, PairTrace, Traced, TraceResult
from convdiff.net.trace.pairs import NetPair
from convdiff.net.trace.status import Status
from convdiff.plan.cell import Cell
from convdiff.report.brief_names import full, runtime_part
from convdiff.report.brief_proof import proof_lines
from convdiff.report.marks import Grid, Line, Mark, Span, line, verdict_span
from convdiff.report.numbers import count
from convdiff.report.sentences import few, plural, short
from convdiff.report.summary import OUTCOMES, runtime_line, summarise
from convdiff.result import Result

STATUS_MARKS: dict[Status, Mark] = {
    "entered": "grave",
    "carried": "odd",
    "healed": "good",
    "untouched": "faint",
    "unseen": "faint",
    "apart": "faint",
}
FOLDED = 3
"""So many untouched layers in a row are told in one row."""
ORDERS = 2
"""Orders of an entry that are told."""


@dataclass(frozen=True)
class TraceSummary:
    """What every report tells of a trace."""

    result: TraceResult
    word: str
    """OK, DRIFT[rounding], UNTESTED."""
    sentence: str
    runtimes: tuple[str, ...]
    layers: Grid | None
    """The pair that is shown, a row a layer."""
    shown: str
    """Which pair that is."""
    pairs: Grid | None
    """All pairs, where there are several."""
    lines: tuple[Line, ...]
    again: str
    ending: str

    @property
    def name(self) -> str:
        """The net's name."""
        return self.result.case.name


def summarise_trace(result: TraceResult, again: str, *, whole: bool = False) -> TraceSummary:
    """Return the summary of a trace. again: the command that repeats it. whole: fold nothing."""
    shown = result.pairs[result.shown] if result.pairs else None
    outcome = result.outcome
    verdict = _verdict(result)
    compared = shown is not None and bool(shown.layers)
    return TraceSummary(
        result,
        OUTCOMES[outcome] + (f"[{verdict}]" if outcome == "drift" and verdict else ""),
        _sentence(result),
        tuple(_runtimes(result)),
        _layers(shown, whole=whole) if shown is not None and compared else None,
        _compared(result, shown.pair) if shown is not None else "",
        _pairs(result) if len(result.pairs) > 1 else None,
        tuple(_lines(result)),
        again if outcome != "ok" else "",
        f"1 net: 1 {outcome} (exit {result.exit_code})",
    )


def _verdict(result: TraceResult) -> str:
    """Return the gravest verdict on what drifts, where one is known."""
    verdicts = verdicts_of(result)
    found = [verdict_of(result.pairs[number], verdicts) for number in result.drifting]
    known = [one for one in found if one != "untested"]
    return max(known, key=gravity, default="")


def _runtimes(result: TraceResult) -> Iterator[str]:
    """Yield each runtime, with its number where there are several, or why it is not there."""
    numbers = _numbers(result)
    for standing in result.standings:
        one = runtime_line(standing, numbers.get(standing.runtime.id, 0))
        yield runtime_part(one) if one.available else f"{one.missing} {one.text}"


def _numbers(result: TraceResult) -> dict[str, int]:
    """Return the number of each runtime that is there, where there are several."""
    names = _available(result)
    return {name: number for number, name in enumerate(names, 1)} if len(names) > 1 else {}


def side(result: TraceResult, pair: NetPair, run: NetRun) -> str:
    """Name one run of a pair by what tells it apart: T=452, batch 1, #2."""
    name = AXES[pair.axis].side
    if name is None:
        return f"#{_numbers(result)[run.runtime.id]}"
    return name(Cell(run.runtime, "net", run.length, run.batch, run.repeat))


def _compared(result: TraceResult, pair: NetPair) -> str:
    """Say which two runs are compared, and what they share where there is more than one of it."""
    names = (full(side(result, pair, run)) for run in (pair.candidate, pair.baseline))
    return ", ".join([" against ".join(names), *map(full, _shared(result, pair, ()))])


def _group_name(result: TraceResult, pair: NetPair, lengths: Sequence[int]) -> str:
    """Name pairs that differ in their lengths alone: T=452..515 / T=2048, #2."""
    names = [side(result, pair, run) for run in (pair.candidate, pair.baseline)]
    if pair.axis == "length":
        names[0] = f"T={short(lengths)}"
    return ", ".join([" / ".join(names), *_shared(result, pair, lengths)])


def _shared(result: TraceResult, pair: NetPair, lengths: Sequence[int]) -> Iterator[str]:
    """Yield what both sides share, as far as the net has more than one of it.

    lengths: of several such pairs; none are those of the pair itself.
    """
    run, numbers = pair.candidate, _numbers(result)
    if pair.axis != "length" and len(result.case.lengths) > 1:
        yield f"T={short(lengths or [run.length])}"
    if pair.axis != "batch" and len(result.case.batches) > 1:
        yield f"batch {run.batch}"
    if not AXES[pair.axis].between_runtimes and numbers:
        yield f"#{numbers[run.runtime.id]}"


def _available(result: TraceResult) -> list[str]:
    return [one.runtime.id for one in result.standings if one.available]


def _sentence(result: TraceResult) -> str:
    """Say where the difference enters first, or that there is none."""
    if not result.pairs:
        absent = next((one.reason for one in result.standings if not one.available), None)
        return absent or "nothing to compare: one length on one runtime; --lengths, --vary, …"
    pair = result.pairs[result.shown]
    if not pair.layers:
        return pair.reason
    if not pair.entered and pair.differs:
        text = "the outputs have other bits, and no layer that was looked at has"
        return f"{text} ({_compared(result, pair.pair)})"
    if not pair.entered:
        layers = plural(len(pair.layers), "layer")
        axes = ", ".join(dict.fromkeys(AXES[one.pair.axis].noun for one in result.pairs))
        return f"{layers}, the same bits whatever {axes}"
    names = pair.entered
    first = f"{few(names)} {'gives' if len(names) == 1 else 'give'} other bits"
    if not pair.differs:
        return f"the outputs are the same; {first} ({_compared(result, pair.pair)}), healed later"
    before = "nothing before it does" if len(names) == 1 else "nothing that they read does"
    return f"{first}, and {before} ({_compared(result, pair.pair)})"


HEADER = ("layer", "", "differ", "|Δ| ≤", "ulp", "u‖y‖", "×")
"""What differs, in elements; its largest; its norm in roundings of the activation's; and how many
times that is the largest of what the layer reads."""


def _layers(pair: PairTrace, *, whole: bool) -> Grid:
    """Return a row a layer; what is untouched many times in a row, in one.

    Of layers that were not looked at, those in which a difference may enter.
    """
    behind = {name for one in pair.layers for name in one.unseen}
    told = [one for one in pair.layers if one.status != "unseen" or whole or one.name in behind]
    rows: list[tuple[Span, ...]] = []
    for status, group in groupby(told, lambda one: one.status):
        members = list(group)
        if status == "untouched" and len(members) >= FOLDED and not whole:
            rows.append(_folded(members))
        else:
            rows += [_row(one) for one in members]
    return Grid(HEADER, tuple(rows))


def _folded(members: Sequence[Traced]) -> tuple[Span, ...]:
    name = f"{len(members)} layers, to {members[-1].name}"
    return Span(name, "faint"), Span("untouched", "faint"), *(Span(""),) * (len(HEADER) - 2)


def _row(one: Traced) -> tuple[Span, ...]:
    mark = STATUS_MARKS[one.status]
    head = Span(one.name, mark), Span(one.status, mark)
    if one.growth is None:
        return *head, *(Span(""),) * (len(HEADER) - 2)
    difference = one.growth.difference
    times = one.growth.amplification
    return (
        *head,
        Span(count(difference.differing)),
        Span(f"{difference.max_abs:.2e}"),
        Span(count(difference.max_ulp)),
        Span(f"{one.growth.relative:.3g}"),
        Span("" if times is None else f"{times:.2g}"),
    )


PAIRS = ("compared", "enters at", "differ", "|Δ| ≤", "ulp", "")


def _pairs(result: TraceResult) -> Grid:
    """Return what was compared: pairs that tell the same, of neighbouring lengths, in one row."""
    numbered = sorted(enumerate(result.pairs), key=lambda one: _order(result, one[1]))
    rows = []
    for _, group in groupby(numbered, lambda one: _story(result, *one)):
        rows.append(_pair_row(result, list(group)))
    return Grid(PAIRS, tuple(rows))


def _order(result: TraceResult, pair: PairTrace) -> tuple[int, str, int, int]:
    run = pair.pair.candidate
    return list(AXES).index(pair.pair.axis), run.runtime.id, run.batch, run.length


def _story(result: TraceResult, number: int, pair: PairTrace) -> tuple[object, ...]:
    """Return what pairs have in common that stand in one row: all but their lengths."""
    one, other = pair.pair.baseline, pair.pair.candidate
    sides = (one.runtime, one.batch, other.runtime, other.batch, other.repeat)
    return pair.pair.axis, sides, pair.entered, pair.differs, number in result.drifting, pair.reason


def _pair_row(result: TraceResult, group: Sequence[tuple[int, PairTrace]]) -> tuple[Span, ...]:
    pair = group[0][1]
    lengths = sorted({one.pair.candidate.length for _, one in group})
    name = Span(_group_name(result, pair.pair, lengths))
    if pair.reason:
        return name, Span(pair.reason, "warning"), *(Span(""),) * (len(PAIRS) - 2)
    worst = max((one.worst for _, one in group if one.worst), key=lambda one: one.max_abs)
    drifts = group[0][0] in result.drifting
    verdicts = verdicts_of(result)
    ruling = verdict_of(pair, verdicts)
    return (
        name,
        Span(few(pair.entered, 3) or "—", "grave" if pair.entered else "faint"),
        Span(f"{worst.differing:,} of {worst.elements:,}"),
        Span(f"{worst.max_abs:.2e}" if worst.differing else ""),
        Span(count(worst.max_ulp) if worst.differing else ""),
        Span("DRIFT", "grave") if drifts else verdict_span(ruling),
    )


def _lines(result: TraceResult) -> Iterator[Line]:
    for entry in result.entries:
        yield from entry_lines(result, entry)
    if result.unexplained:
        yield line("entry", f"not run alone: {few(result.unexplained)}")
    yield from _jumps(result)
    if result.looked:
        yield _looking(result)


def entry_lines(result: TraceResult, entry: Entry) -> Iterator[Line]:
    """Yield what a layer gives alone, what that is called, and the proof."""
    inside = (
        f" (in {entry.at}, which was not looked at)" if entry.at not in ("", entry.layer) else ""
    )
    name, verdict = Span(entry.layer, "strong"), verdict_span(entry.verdict)
    yield line("entry", name, f", {entry.what}{inside}: ", verdict, f"; {_alone(entry)}")
    if entry.judged is not None:
        yield line("  right", _judged(result, entry))
    if entry.result is None or not entry.result.findings:
        return
    summary = summarise(Result(result.standings, (entry.result,)), [""]).cases[0]
    yield from proof_lines(summary, summary.rows[0], ORDERS, whole=True)


ALONE = {
    "same": "alone, with its real input, it gives the bits that it has in the net",
    "other": "alone, with its real input, it differs too, but has other bits in the net",
    "equal": "alone, with its real input, it does not differ: what is around it in the net does it",
    "not run": "",
}


def _alone(entry: Entry) -> str:
    if entry.reason:
        return entry.reason
    if entry.judged is not None:
        return "held against float64, rounded once"
    return ALONE[entry.alone]


def _judged(result: TraceResult, entry: Entry) -> str:
    """Say which side is correctly rounded, or how far each is off, for how many values."""
    judged = entry.judged
    assert judged is not None
    said = []
    runs = entry.pair.baseline, entry.pair.candidate
    for run, wrong, ulps in zip(runs, judged.wrong, judged.ulps, strict=True):
        name = full(side(result, entry.pair, run))
        said.append(f"{name}: {side_judged(wrong, ulps, judged.elements)}")
    if judged.undecided:
        said.append(f"{judged.undecided:,} too near to the middle of two floats to tell")
    return "; ".join(said)


def side_judged(wrong: int, ulps: float, elements: int) -> str:
    """Say of how many values one side is right."""
    if not wrong:
        return f"all {elements:,} correctly rounded"
    return f"{wrong:,} of {elements:,} not correctly rounded, ≤ {ulps:.3g} ulp off"


def _jumps(result: TraceResult) -> Iterator[Line]:
    if not result.pairs:
        return
    said = []
    for one in result.pairs[result.shown].layers:
        if one.growth is not None and one.growth.jumps:
            said.append(f"{one.name}: {JUMPS[one.op].words.format(count=f'{one.growth.jumps:,}')}")
    if said:
        yield line("jumps", "; ".join(said[:4]) + ("; …" if len(said) > 4 else ""))


def _looking(result: TraceResult) -> Line:
    """Say whether looking at the activations changed the outputs."""
    changed, runs = result.changed, plural(len(result.looked), "run")
    if not changed:
        same = "the outputs have the same bits with nothing looked at"
        return line("looking", f"changed nothing: {same}, in {runs}")
    worst = max(changed, key=lambda one: one.changed)
    return line(
        "looking",
        Span("changed the bits", "warning"),
        f" in {len(changed):,} of {runs}, up to {worst.changed:,} of {worst.elements:,} elements:"
        " the layers are those of the net that is looked at, the outputs those of the other",
    )
