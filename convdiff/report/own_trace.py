"""Two runtimes of a model file in lines: where a difference enters, and what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from convdiff.net.models.own_trace import OwnEntry, OwnTrace, OwnValue
from convdiff.net.trace.model import Judged
from convdiff.net.trace.status import Status
from convdiff.report.case_json import case_json
from convdiff.report.model import clean
from convdiff.report.sentences import few
from convdiff.report.trace_summary import side_judged

REST: tuple[Status, ...] = ("healed", "untouched", "unstable")
"""What is only counted."""


def own_trace_lines(trace: OwnTrace) -> Iterator[str]:
    """Yield the answer, each entry with its verdict, and what carries the difference."""
    sides = " against ".join(side_names(trace))
    steps = f", {trace.steps} steps" if trace.steps > 1 else ""
    yield f"{clean(trace.file)}: {sides}{steps}: {_answer(trace)}"
    for value in trace.entered:
        yield f"  enters  {clean(value.node)} ({value.op}){_often(trace, value)}: {_share(value)}"
        yield from _entry_lines(trace, value.entry)
    yield from _noise(trace)
    counts = Counter(value.status for value in trace.values)
    carried = Counter(value.op for value in trace.values if value.status == "carried")
    if carried:
        ops = [f"{op} {count}" for op, count in carried.most_common()]
        yield f"  carried by {counts['carried']} values: {few(ops)}"
    rest = [f"{counts[name]} {name}" for name in REST if counts[name]]
    if trace.unseen:
        rest.append(f"{trace.unseen} not seen (constants, branches not taken, fused on one side)")
    yield f"  {', '.join(rest)}"
    yield f"  {_looking(trace)}"
    if trace.untrusted:
        foreign = ", ".join(map(clean, trace.untrusted))
        yield f"  trusted: ran {foreign}, none of ONNX' own operators"


def _noise(trace: OwnTrace) -> Iterator[str]:
    """Yield what is others when a side is run again."""
    for name in trace.begins:
        yield f"  unstable {clean(name)}: run again, it gives other bits; no more is said of it"
    if trace.noisy:
        yield f"  outputs that differ from run to run: {few(tuple(map(clean, trace.noisy)))}"


def side_names(trace: OwnTrace) -> list[str]:
    """Return what both sides are called, with their versions."""
    versions = [str(said.get("version", "?")) for said in trace.fingerprints]
    if versions[0] == versions[1]:
        return [runtime.id for runtime in trace.runtimes]
    frameworks = [runtime.interpreter.framework for runtime in trace.runtimes]
    return [f"{name} {version}" for name, version in zip(frameworks, versions, strict=True)]


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
        "entry": None if value.entry is None else _entry(value.entry),
    }


def _entry(entry: OwnEntry) -> dict[str, Any]:
    judged = entry.judged
    return {
        "verdict": entry.verdict,
        "reason": entry.reason or None,
        "not_correctly_rounded": None if judged is None else list(judged.wrong),
        "max_ulp": None if judged is None else list(judged.ulps),
        "case": None if entry.result is None else case_json(entry.result),
    }


def _answer(trace: OwnTrace) -> str:
    if not trace.differing:
        return f"all {trace.elements:,} output values are equal"
    largest = max(delta for _, _, delta in trace.outputs.values())
    return f"{trace.differing:,} of {trace.elements:,} output values differ, |Δ| ≤ {largest:.3g}"


def _often(trace: OwnTrace, value: OwnValue) -> str:
    return f" in {value.entered} of {trace.steps} steps" if trace.steps > 1 else ""


def _share(value: OwnValue) -> str:
    return f"{value.differing:,} of {value.elements:,} values differ"


def _entry_lines(trace: OwnTrace, entry: OwnEntry | None) -> Iterator[str]:
    if entry is None or entry.reason:
        yield f"    not judged: {'it was not looked at' if entry is None else entry.reason}"
        return
    yield f"    {entry.verdict}"
    if entry.judged is not None:
        yield from _judged(trace, entry.judged)


def _judged(trace: OwnTrace, judged: Judged) -> Iterator[str]:
    rows = zip(side_names(trace), judged.wrong, judged.ulps, strict=True)
    for name, wrong, ulps in rows:
        yield f"    {name}: {side_judged(wrong, ulps, judged.elements)}"


def _looking(trace: OwnTrace) -> str:
    if any(trace.changed):
        return (
            f"looking changed {sum(trace.changed):,} output values: the runs differ otherwise, too"
        )
    return "looking changed nothing: the outputs are those of the file as it is, bit for bit"
