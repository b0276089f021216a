"""What every report tells of a trace: plain data, no colours, no escapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from convdiff.case.axes import AXES
from convdiff.case.words import few, given, one_or_many, plural
from convdiff.diagnose.verdicts import gravity
from convdiff.errors import ENDINGS
from convdiff.net.trace.allowed import verdict_of
from convdiff.net.trace.growth import JUMPS
from convdiff.net.trace.model import Entry, Judged, PairTrace, TraceResult
from convdiff.report.brief_names import full, runtime_part
from convdiff.report.brief_proof import proof_lines
from convdiff.report.commands import Commands
from convdiff.report.groups import Row
from convdiff.report.marks import Line, Span, line, verdict_span
from convdiff.report.net_summary import TraceSummary
from convdiff.report.summary import OUTCOMES, runtime_line, summarise
from convdiff.report.trace_advice import advice_lines
from convdiff.report.trace_grids import layer_grid, pair_grid
from convdiff.report.trace_names import compared, numbers_of, side
from convdiff.result import Result
from convdiff.runtime.constant import as_in_a_model

UNTESTED = 3
"""Runs that gave nothing that are told."""
ORDERS = 2
"""Orders of an entry that are told."""
NOTHING = "nothing to compare: one length on one runtime; add --lengths, --batch or --vary"
"""A net, or a case of it, that has no two sides."""


def summarise_trace(
    result: TraceResult, again: str, pad: str = "", *, whole: bool = False
) -> TraceSummary:
    """Return the summary of a trace.

    again: the command that repeats it. pad: the one that says how far to pad. whole: fold nothing.
    """
    outcome = result.outcome
    layers, shown, pairs = None, "", None
    if result.pairs:
        pair = result.pairs[result.shown]
        shown = compared(result, pair.pair)
        if pair.layers:
            layers = layer_grid(pair, whole=whole)
    if len(result.pairs) > 1:
        pairs = pair_grid(result)
    if outcome == "ok":
        again = ""
    return TraceSummary(
        result,
        _word(result),
        _sentence(result),
        tuple(_runtimes(result)),
        layers,
        shown,
        pairs,
        (*_lines(result), *advice_lines(result, pad)),
        again,
        f"1 net: 1 {outcome} (exit {result.exit_code})",
    )


def _word(result: TraceResult) -> str:
    """Return the outcome, and the gravest verdict on what drifts, where one is known."""
    verdicts = {verdict_of(result, result.pairs[number]) for number in result.drifting}
    verdicts.discard("untested")
    word = OUTCOMES[result.outcome]
    if result.outcome == "drift" and verdicts:
        word += f"[{max(verdicts, key=gravity)}]"
    return word


def _runtimes(result: TraceResult) -> Iterator[str]:
    """Yield each runtime, with its number where there are several, or why it is not there."""
    numbers = numbers_of(result)
    for standing in result.standings:
        one = runtime_line(standing, numbers.get(standing.runtime.id, 0))
        if one.available:
            yield runtime_part(one)
        else:
            yield f"{one.missing} {one.text}"


def _sentence(result: TraceResult) -> str:
    """Say where the difference enters first, or that there is none."""
    if not result.pairs and result.recording is not None:
        return "recorded, and compared with nothing"
    if not result.pairs:
        absent = next((one.reason for one in result.standings if not one.available), None)
        return absent or NOTHING
    pair = result.pairs[result.shown]
    if not pair.layers:
        return _not_compared(result, pair)
    if pair.entered:
        return _of_entries(result, pair)
    if pair.is_unstable:
        return _of_noise(result)
    return _without_entry(result, pair)


def _of_noise(result: TraceResult) -> str:
    """Say which runtime gives other bits each time; the pair says no more than that."""
    noise = [one for one in result.noise if not one.by_looking]
    if not noise:
        return "a run gives other bits where it is looked at in another way: no layer is to blame"
    begins = tuple(dict.fromkeys(chain.from_iterable(one.begins for one in noise)))
    numbers, where = numbers_of(result), ""
    if numbers:
        runtimes = dict.fromkeys(one.run.runtime.id for one in noise)
        where = "".join(f" (#{numbers[name]})" for name in runtimes)
    differs = one_or_many(len(begins), "differs", "differ")
    return f"{few(begins)} {differs} from one run to the next{where}: no layer is to blame"


def _not_compared(result: TraceResult, pair: PairTrace) -> str:
    """Say which run gave nothing; it is shown where nothing that was compared differs."""
    left = sum(not one.layers for one in result.pairs)
    if left == len(result.pairs):
        return f"nothing was compared: {ENDINGS.get(result.signal, pair.reason)}"
    return (
        f"{left:,} of {len(result.pairs):,} not compared: {pair.reason}; the others do not differ"
    )


def _without_entry(result: TraceResult, pair: PairTrace) -> str:
    if pair.differs:
        text = "the outputs have other bits, and no layer that was looked at has"
        return f"{text} ({compared(result, pair.pair)})"
    there = [one for one in result.pairs if not one.reason]
    if not there:
        return f"nothing was compared: {result.pairs[0].reason}"
    layers = plural(len(pair.layers), "layer")
    if result.constant:
        return f"{layers}, equal, but the outputs are {result.constant}: that proves little"
    text = f"{layers}, the same bits {_whatever(there)}"
    left = len(result.pairs) - len(there)
    if left:
        text += f"; {left:,} of {len(result.pairs):,} not compared"
    return text


def _whatever(pairs: Sequence[PairTrace]) -> str:
    """Say what changes no bits."""
    axes = dict.fromkeys(one.pair.axis for one in pairs)
    parts = [given("baseline" in axes, "as recorded")]
    nouns = ", ".join(AXES[axis].noun for axis in axes if axis != "baseline")
    parts.append(given(nouns, "whatever {}"))
    return " and ".join(filter(None, parts))


def _of_entries(result: TraceResult, pair: PairTrace) -> str:
    names, where = pair.entered, compared(result, pair.pair)
    if pair.differs and result.shown not in result.drifting:
        return _allowed(result, pair)
    first = f"{names[0]} gives other bits"
    off = [one for one in result.entries if one.verdict == "wrong"]
    if any(one.carries for one in off):
        wrong = tuple(dict.fromkeys(one.layer for one in off))
        first = f"{few(wrong)} {one_or_many(len(wrong), 'is', 'are')} wrong; {first}"
    if not pair.differs:
        same = given(result.constant, "{}, which proves little") or "the same"
        return f"the outputs are {same}; {first} ({where}), healed later"
    return f"{first}, and nothing before it does ({where}){later(names)}"


def later(names: Sequence[str]) -> str:
    """Name the layers after the first where another difference enters, of inputs that are equal."""
    return given(few(names[1:]), "; later also {}, on equal inputs")


def _allowed(result: TraceResult, pair: PairTrace) -> str:
    """Say what `expect` allows, and where it enters first."""
    axis, names = pair.pair.axis, pair.entered
    answer = f"allowed: {verdict_of(result, pair)} that enters at {names[0]} and nowhere before it"
    expected = f"; expect has {axis}: {result.case.expect[axis]}"
    return f"{answer} ({compared(result, pair.pair)}){later(names)}{expected}"


def _lines(result: TraceResult) -> Iterator[Line]:
    for entry in result.entries:
        yield from entry_lines(result, entry)
    yield from _untested(result)
    if result.unexplained:
        yield line("entry", f"not run alone: {few(result.unexplained)}")
    yield from _noise(result)
    yield from _jumps(result)
    if result.looked:
        yield _looking(result)


def _untested(result: TraceResult) -> Iterator[Line]:
    """Yield why pairs were not compared, each reason once, but for the one that is the answer."""
    if result.signal:
        return
    answer = _sentence(result)
    reasons = dict.fromkeys(one.reason for one in result.pairs if one.reason)
    left = [reason for reason in reasons if reason not in answer]
    if left:
        yield line(Span("untested", "warning"), "; ".join(left[:UNTESTED]))
    if len(left) > UNTESTED:
        yield line("", f"… and {len(left) - UNTESTED:,} more: --json has them")


def entry_lines(result: TraceResult, entry: Entry) -> Iterator[Line]:
    """Yield what a layer gives alone, what that is called, and the proof."""
    what = f", {entry.what}"
    if entry.at not in ("", entry.layer):
        what += f" (in {entry.at}, which was not looked at)"
    if len({one.pair.kind for one in result.entries}) > 1:
        what += f", {compared(result, entry.pair)}"
    name, verdict = Span(entry.layer, "strong"), verdict_span(entry.verdict)
    yield line("entry", name, f"{what}: ", verdict, f"; {_alone(entry)}")
    if entry.judged is not None:
        yield line("  right", _judged(result, entry))
    if entry.result is None or not entry.result.findings:
        return
    standings = [replace(one, runtime=as_in_a_model(one.runtime)) for one in result.standings]
    summary = summarise(Result(tuple(standings), (entry.result,)), [Commands()]).cases[0]
    yield from proof_lines(summary, _of_the_net(summary.rows[0], entry), ORDERS, whole=True)


def _of_the_net(row: Row, entry: Entry) -> Row:
    """Return a row of a layer alone whose sides have the net's lengths instead of its own."""
    if entry.pair.axis != "length":
        return row
    lengths = entry.pair.baseline.length, entry.pair.candidate.length
    return replace(row, baseline=f"T={lengths[0]}", candidate=f"T={lengths[1]}")


ALONE = {
    "same": "alone, with its real input{long}, it gives the bits that it has in the net",
    "other": "alone, with its real input{long}, it differs too, but has other bits in the net",
    "differs": "alone, with its real input{long}, it differs; in the net it was not looked at",
    "unsteady": "alone, with its real input{long}, it gives other bits when it is run again",
    "equal": "alone, with its real input{long}, it does not differ: what is around it in the net"
    " does it",
    "not run": "",
}


def _own_lengths(entry: Entry) -> str:
    """Say how long the input of a layer that was run alone is, where the net's lengths differ."""
    if entry.pair.axis != "length" or entry.result is None or not entry.result.findings:
        return ""
    own, net = entry.result.findings[0].comparison, entry.pair
    candidate = f"{own.candidate.length} long at {net.candidate.length}"
    return f" ({candidate}, {own.baseline.length} long at {net.baseline.length})"


def _alone(entry: Entry) -> str:
    if entry.reason:
        return entry.reason
    if entry.judged is not None:
        own = given(entry.carries, "of what each side itself reads, ")
        return f"{own}held against float64, rounded once"
    if entry.carries:
        return "alone, with the same input on both sides, it differs besides what it passes on"
    return ALONE[entry.alone].format(long=_own_lengths(entry))


def _judged(result: TraceResult, entry: Entry) -> str:
    """Say which side is correctly rounded, or how far each is off, for how many values."""
    judged = entry.judged
    assert judged is not None
    runs = entry.pair.baseline, entry.pair.candidate
    parts = judged_sides(judged, [full(side(result, entry.pair, run)) for run in runs])
    if judged.undecided:
        parts.append(f"{judged.undecided:,} too near to the middle of two floats to tell")
    return "; ".join(parts)


def judged_sides(judged: Judged, names: Sequence[str]) -> list[str]:
    """Say of both sides, baseline first, how far they are correctly rounded."""
    parts = []
    for name, wrong, ulps in zip(names, judged.wrong, judged.ulps, strict=True):
        parts.append(f"{name}: {_side_judged(wrong, ulps, judged.elements)}")
    return parts


def _side_judged(wrong: int, ulps: float, elements: int) -> str:
    """Say how many values of one side are not correctly rounded, and how far they are off."""
    if not wrong:
        return f"all {elements:,} correctly rounded"
    return f"{wrong:,} of {elements:,} not correctly rounded, ≤ {ulps:.3g} ulp off"


def _noise(result: TraceResult) -> Iterator[Line]:
    """Yield the runs that differ from themselves, and what is not told for that reason."""
    numbers = numbers_of(result)
    for one in result.noise:
        run = f"length {one.run.length}, batch {one.run.batch}"
        if numbers:
            run = f"#{numbers[one.run.runtime.id]}, {run}"
        what = "looking changes it" if one.by_looking else "run again, it gives other bits"
        behind, more = len(one.layers) - len(one.begins), ""
        if behind:
            more = f", and {plural(behind, 'layer')} after it"
        text = f"{more} ({run}): {what}; nothing else is said of it"
        yield line("unstable", Span(few(one.begins), "strong"), text)


def _jumps(result: TraceResult) -> Iterator[Line]:
    if not result.pairs:
        return
    jumps = []
    for one in result.pairs[result.shown].layers:
        if one.growth is not None and one.growth.jumps:
            words = JUMPS[one.op].words.format(count=f"{one.growth.jumps:,}")
            jumps.append(f"{one.name}: {words}")
    if len(jumps) > 4:
        jumps[4:] = ["…"]
    if jumps:
        yield line("jumps", "; ".join(jumps))


def _looking(result: TraceResult) -> Line:
    """Say whether looking at the activations changed the outputs."""
    changed, runs = result.changed, plural(len(result.looked), "run")
    less = "at all layers changes the outputs, so what may be fused is not looked at; "
    if not changed:
        before = less if result.looks_less else "changed nothing: "
        same = "the outputs have the same bits with nothing looked at"
        return line("looking", f"{before}{same}, in {runs}")
    worst = max(changed, key=lambda one: one.changed)
    return line(
        "looking",
        given(result.looks_less, f"{less}still "),
        Span("changed the bits", "warning"),
        f" in {len(changed):,} of {runs}, up to {worst.changed:,} of {worst.elements:,} elements:"
        " the layers are those of the net that is looked at, the outputs those of the other",
    )
