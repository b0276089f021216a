"""Two runtimes of a model file: where a difference enters, what becomes of it, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convdiff.case.words import few, given, one_or_many
from convdiff.errors import DRIFT, SAME, UNTESTED
from convdiff.net.models.own_found import OwnEntry, OwnTrace, OwnValue
from convdiff.net.trace.status import Status
from convdiff.report.brief_names import runtime_part
from convdiff.report.brief_proof import proof_lines
from convdiff.report.case_json import case_json
from convdiff.report.commands import Commands
from convdiff.report.json_values import or_null
from convdiff.report.marks import Line, Span, line, verdict_span
from convdiff.report.model import clean
from convdiff.report.summary import OUTCOMES, runtime_line, summarise
from convdiff.report.trace_summary import ORDERS, judged_sides, later
from convdiff.result import Outcome, Result
from convdiff.runtime.model import Standing

ENDS: Mapping[int, Outcome] = {SAME: "ok", DRIFT: "drift", UNTESTED: "untested"}
REST: tuple[Status, ...] = ("healed", "untouched", "unstable")
"""What is only counted."""


@dataclass(frozen=True)
class OwnSummary:
    """What the console tells of a file in its own runtimes: no colours, no escapes."""

    outcome: Outcome
    word: str
    """OK, DRIFT[wrong]."""
    name: str
    headline: str
    runtimes: tuple[str, ...]
    lines: tuple[Line, ...]
    again: str
    ending: str


def summarise_own(trace: OwnTrace, again: str) -> OwnSummary:
    """Return the summary of a trace; again: the command that repeats it."""
    outcome = ENDS[trace.exit_code]
    word = OUTCOMES[outcome]
    if outcome == "drift" and trace.verdict != "untested":
        word += f"[{trace.verdict}]"
    if outcome == "ok":
        again = ""
    return OwnSummary(
        outcome,
        word,
        clean(trace.file),
        _sentence(trace),
        tuple(_runtimes(trace)),
        tuple(_lines(trace)),
        again,
        f"1 net: 1 {outcome} (exit {trace.exit_code})",
    )


def _sentence(trace: OwnTrace) -> str:
    """Say where the difference enters first, or that there is none."""
    names = _nodes(trace.entered)
    if trace.verdict == "unstable":
        return f"outputs differ from one run to the next: no node is to blame; {_share(trace)}"
    if trace.verdict == "rounding" and trace.differing:
        return f"rounding that enters at {names[0]} and nowhere before it{_more(trace, names)}"
    wrong = _nodes([one for one in trace.passing if one.passes and one.passes.verdict == "wrong"])
    if not wrong:
        return _of_entries(trace, names)
    verb = one_or_many(len(wrong), "is", "are")
    return f"{few(wrong)} {verb} wrong; {_of_entries(trace, names)}"


def _of_entries(trace: OwnTrace, names: Sequence[str]) -> str:
    """Say where what is more than rounding enters, as far as that was looked at."""
    if not trace.differing:
        return _share(trace) + given(few(names[:1]), "; {} gives other bits, healed later")
    if not names:
        return f"the outputs have other bits, and no value that was looked at has; {_share(trace)}"
    return f"{names[0]} gives other bits, and nothing before it does{_more(trace, names)}"


def _nodes(values: Sequence[OwnValue]) -> tuple[str, ...]:
    """Return what the nodes of values are called, each once."""
    return tuple(dict.fromkeys(clean(value.node or value.name) for value in values))


def _more(trace: OwnTrace, names: Sequence[str]) -> str:
    return f"{later(names)}; {_share(trace)}"


def _share(trace: OwnTrace) -> str:
    """Say how many values of the outputs differ, over all steps."""
    steps = given(trace.steps > 1, f" of {trace.steps:,} steps")
    if not trace.differing:
        little = given(trace.constant[4:], ", but all are {}: that proves little")
        return f"all {trace.elements:,} output values{steps} are equal{little}"
    largest = max(delta for _, _, delta in trace.outputs.values())
    share = f"{trace.differing:,} of {trace.elements:,} output values{steps}"
    return f"{share} differ, |Δ| ≤ {largest:.3g}"


def _standings(trace: OwnTrace) -> list[Standing]:
    pairs = zip(trace.runtimes, trace.fingerprints, strict=True)
    return [Standing(runtime, True, fingerprint=facts) for runtime, facts in pairs]


def _runtimes(trace: OwnTrace) -> Iterator[str]:
    """Yield both sides with their numbers."""
    for number, standing in enumerate(_standings(trace), 1):
        yield runtime_part(runtime_line(standing, number))


def _lines(trace: OwnTrace) -> Iterator[Line]:
    for value in trace.entered:
        yield from _entry_lines(trace, value, value.entry, _entered_often(trace, value))
    for value in trace.passing:
        yield from _entry_lines(trace, value, value.passes, ", of what each side itself reads")
    yield from _noise(trace)
    yield from _counts(trace)
    yield line("looking", _looking(trace))
    if trace.untrusted:
        foreign = ", ".join(map(clean, trace.untrusted))
        yield line("trusted", f"ran {foreign}, none of ONNX' own operators")


def _entered_often(trace: OwnTrace, value: OwnValue) -> str:
    often = given(trace.steps > 1, f", in {value.entered:,} of {trace.steps:,} steps")
    return f"{often}: {value.differing:,} of {value.elements:,} values differ"


def _entry_lines(
    trace: OwnTrace, value: OwnValue, entry: OwnEntry | None, where: str
) -> Iterator[Line]:
    """Yield what a node is called that differs of itself, and what that rests on."""
    name, what = Span(clean(value.node or value.name), "strong"), f", {clean(value.op)}{where}"
    if entry is None:
        yield line("entry", name, f"{what}; not judged: it was not looked at")
        return
    if entry.verdict == "untested":
        yield line("entry", name, f"{what}; not judged: {entry.reason}")
        return
    reason = given(entry.reason, ", {}") or _alone(entry)
    yield line("entry", name, f"{what}; ", verdict_span(entry.verdict), reason)
    if entry.judged is not None:
        yield line("  right", "; ".join(judged_sides(entry.judged, ("#1", "#2"))))
    if entry.result is not None and entry.result.findings:
        result = Result(tuple(_standings(trace)), (entry.result,))
        summary = summarise(result, [Commands()]).cases[0]
        yield from proof_lines(summary, summary.rows[0], ORDERS, whole=True)


def _alone(entry: OwnEntry) -> str:
    """Say that a verdict is by the size of what differs, where the node alone does not differ."""
    if entry.result is None or any(row.verdict != "same" for row in entry.result.findings):
        return ""
    return "; alone, with its real input, it does not differ: what is around it does it"


def _noise(trace: OwnTrace) -> Iterator[Line]:
    """Yield what is others when a side is run again."""
    if trace.begins:
        names = few(tuple(map(clean, trace.begins)))
        text = ": run again, it gives other bits; nothing else is said of it"
        yield line("unstable", Span(names, "strong"), text)
    if trace.noisy:
        names = few(tuple(map(clean, trace.noisy)))
        yield line("unstable", Span(names, "strong"), ": an output that differs from run to run")


def _counts(trace: OwnTrace) -> Iterator[Line]:
    """Yield what carries the difference, and how many values it leaves alone."""
    counts = Counter(value.status for value in trace.values)
    carried = Counter(value.op for value in trace.values if value.status == "carried")
    if carried:
        unjudged = given(trace.unjudged, "; {:,} of them are not judged")
        ops = [f"{clean(op)} {count}" for op, count in carried.most_common()]
        yield line("carried", f"by {counts['carried']:,} values: {few(ops)}{unjudged}")
    rest = [f"{counts[name]:,} {name}" for name in REST if counts[name]]
    if trace.unseen:
        why = "constants, branches not taken, fused on one side"
        rest.append(f"{trace.unseen:,} not seen ({why})")
    if rest:
        yield line("others", ", ".join(rest))


def _looking(trace: OwnTrace) -> str:
    if any(trace.changed):
        return f"changed {sum(trace.changed):,} output values: the runs differ otherwise, too"
    return "changed nothing: the outputs are those of the file as it is, bit for bit"


def side_names(trace: OwnTrace) -> list[str]:
    """Return what both sides are called, with their versions."""
    versions = [str(facts.get("version", "?")) for facts in trace.fingerprints]
    if versions[0] == versions[1]:
        return [runtime.id for runtime in trace.runtimes]
    names = []
    for runtime, version in zip(trace.runtimes, versions, strict=True):
        names.append(f"{runtime.interpreter.framework} {version}")
    return names


def own_trace_json(trace: OwnTrace) -> dict[str, Any]:
    """Return a trace as plain values."""
    return {
        "file": trace.file,
        "exit_code": trace.exit_code,
        "sides": side_names(trace),
        "steps": trace.steps,
        "elements": trace.elements,
        "differing": trace.differing,
        "changed_by_looking": list(trace.changed),
        "unstable": list(trace.begins),
        "unstable_outputs": list(trace.noisy),
        "trusted": list(trace.untrusted),
        "outputs": {
            name: {"differing": count, "elements": of, "max_abs": largest}
            for name, (count, of, largest) in trace.outputs.items()
        },
        "values": [_value(value) for value in trace.values],
    }


def _value(value: OwnValue) -> dict[str, Any]:
    return {
        "name": value.name,
        "node": value.node,
        "operation": value.op,
        "status": value.status,
        "entered_in_steps": value.entered,
        "elements": value.elements,
        "differing": value.differing,
        "entry": or_null(value.entry, _entry),
        "passes_on": or_null(value.passes, _entry),
    }


def _entry(entry: OwnEntry) -> dict[str, Any]:
    wrong, ulps = None, None
    if entry.judged is not None:
        wrong, ulps = list(entry.judged.wrong), list(entry.judged.ulps)
    return {
        "verdict": entry.verdict,
        "reason": entry.reason or None,
        "not_correctly_rounded": wrong,
        "max_ulp": ulps,
        "case": or_null(entry.result, case_json),
    }
