"""What was tried to make a case equal: the answer, what it stands on, and lines to paste."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence

from convdiff.case.words import given, one_or_many, plural, short
from convdiff.report.marks import Grid, Line, Mark, Span, line
from convdiff.report.numbers import count
from convdiff.search.cure.cost import Cost
from convdiff.search.cure.find import Attempt, Cured
from convdiff.search.cure.recheck import BEYOND, INPUTS, Recheck
from convdiff.search.cure.switches import SESSION, THREAD_LINES, Switch
from convdiff.search.cure.trial import Count, Trial

HEADER = ("set", "drift", "changed", "off exact", "time", "holds")
ALWAYS = ("exact", "reference")
"""Axes along which there is rounding everywhere; they are counted where something drifts."""


def headline(cured: Cured) -> tuple[Span, ...]:
    """Say what to set, or why there is nothing to set: the answer."""
    name = Span(cured.case.name, "strong"), Span(f", {cured.subject.name}: ")
    today = cured.today
    if today.reason:
        return *name, Span(f"not run: {today.reason}", "warning")
    if not today.drifting:
        return *name, Span(f"nothing drifts, {plural(today.compared, 'comparison')} made")
    if cured.best is not None:
        words = cured.best.name
        if not cured.best.switches[0].pads:
            words = f"set {words}"
        return *name, Span(words, "strong"), Span(_gain(cured, cured.best))
    if cured.interrupted:
        return *name, Span("interrupted: what was tried is kept, and not run again", "warning")
    return *name, Span("nothing that was tried makes it equal", "warning")


def _gain(cured: Cured, best: Attempt) -> str:
    """Say what is left of the drift, and what that costs."""
    axes, cost = _axes(cured), best.cost
    gain = f": {_counted(best.trial, axes)} drift, today {_counted(cured.today, axes)}"
    if cost is not None:
        gain += f", {cost.median:.2f} times the time ({_interval(cost)})"
    return gain


def evidence(cured: Cured) -> Iterator[Line]:
    """Yield what the table leaves out, and why the answer is one."""
    if cured.today.reason or not cured.today.drifting:
        return
    yield line("today", _drift(cured.today))
    for attempt in cured.attempts:
        if attempt.trial.reason:
            yield line("not run", f"{attempt.name}: {attempt.trial.reason}")
    yield from _useless(cured)
    yield from _not_held(cured)
    if cured.best is not None:
        yield from _reasons(cured, cured.best)


def _drift(trial: Trial) -> str:
    parts = []
    for axis, one in trial.counts.items():
        if one.drifting:
            parts.append(f"{axis} {one.drifting} of {count(one.compared)}")
    return f"drifts: {', '.join(parts)}"


def grid(cured: Cured) -> Grid | None:
    """Return a row a set of switches that changes bits; None where nothing was tried."""
    tried = [one for one in cured.attempts if not one.trial.reason and one.trial.changed]
    if not tried:
        return None
    axes = _axes(cured)
    today = ("today", _counted(cured.today, axes), "", _error(cured.today), "1", "")
    rows = [tuple(map(Span, today))]
    for one in tried:
        mark: Mark = ""
        if cured.best is not None and cured.best.name == one.name:
            mark = "good"
        rows.append(tuple(Span(cell, mark) for cell in _cells(one, axes)))
    return Grid(HEADER, tuple(rows))


def _cells(attempt: Attempt, axes: set[str]) -> tuple[str, ...]:
    trial, time = attempt.trial, ""
    changed = f"{count(trial.changed)} of {count(trial.elements)}"
    if attempt.cost is not None:
        time = f"×{_interval(attempt.cost)}"
    scopes = "+".join(dict.fromkeys(switch.scope for switch in attempt.switches))
    return attempt.name, _counted(trial, axes), changed, _error(trial), time, scopes


def _axes(cured: Cured) -> set[str]:
    """Return the axes that are counted, of today and of all that was tried."""
    tried = [one.trial for one in cured.attempts if not one.trial.reason]
    return _telling(cured.today).union(*map(_telling, tried))


def _telling(trial: Trial) -> set[str]:
    return {axis for axis, one in trial.counts.items() if axis not in ALWAYS or one.drifting}


def _counted(trial: Trial, axes: set[str]) -> str:
    some = [one for axis, one in trial.counts.items() if axis in axes]
    total = Count(sum(one.drifting for one in some), sum(one.compared for one in some))
    return f"{count(total.drifting)} of {count(total.compared)}"


def _error(trial: Trial) -> str:
    return given(trial.error, "{:.2e}") or "0"


def _interval(cost: Cost) -> str:
    """Return where the median lies with 95 %."""
    return f"{cost.low:.2f}–{cost.high:.2f}"


def _useless(cured: Cured) -> Iterator[Line]:
    """Name what was tried and changed no bit; nothing where they change from run to run."""
    repeats = cured.today.counts.get("repeat")
    if repeats is not None and repeats.drifting:
        return
    tried = [one for one in cured.attempts if one.trial.cells and not one.trial.reason]
    useless = [one for one in tried if len(one.switches) == 1 and not one.trial.changed]
    if useless:
        cells = min(one.trial.cells for one in useless)
        names = ", ".join(one.name for one in useless)
        yield line("nothing", f"changed, proved on {plural(cells, 'cell')}, by {names}")


def _not_held(cured: Cured) -> Iterator[Line]:
    """Name what made the case equal, and no other input."""
    for one in cured.attempts:
        recheck = one.recheck
        if one.trial.is_equal and recheck is not None and not one.is_cure:
            yield line("no cure", f"{one.name}: equal on this input alone; {_rechecked(recheck)}")


def _rechecked(recheck: Recheck) -> str:
    """Say what other inputs and lengths showed."""
    within = recheck.within
    if within.reason:
        return f"not rechecked: {within.reason}"
    fresh = given(len(recheck.fresh), ", {} of them new")
    where = f"on {INPUTS} random inputs at {_lengths(recheck.lengths)}{fresh}"
    text = f"{where}: {count(within.drifting)} of {count(within.compared)} drift"
    beyond = recheck.beyond
    if beyond.reason or not recheck.outside:
        return text
    text += f"; outside of the case, at {_lengths(recheck.outside)} on {BEYOND} inputs: "
    text += f"{count(beyond.drifting)} of {count(beyond.compared)}"
    if beyond.drifting:
        text += f", at {_lengths(beyond.drifting_at)}"
    return text


def _lengths(lengths: Sequence[int]) -> str:
    return f"{one_or_many(len(lengths), 'length', 'lengths')} {short(lengths)}"


def _reasons(cured: Cured, best: Attempt) -> Iterator[Line]:
    """Yield what the answer does, that no part of it is enough, and how it was checked."""
    for switch in best.switches:
        yield line("does", f"{switch.name}: {switch.does} ({switch.source})")
    if len(best.switches) > 1:
        yield line("alone", _parts_drift(cured, best))
    assert best.recheck is not None, "what is recommended was rechecked"
    yield line("checked", _rechecked(best.recheck))


def _parts_drift(cured: Cured, best: Attempt) -> str:
    """Say that no part of a set makes the case equal, with what each left."""
    parts = [attempt for attempt in cured.attempts if set(attempt.switches) < set(best.switches)]
    left = [f"{part.name} leaves {count(_left(part))}" for part in parts]
    return f"{'; '.join(left)} that drift"


def _left(attempt: Attempt) -> int:
    """Return how many comparisons drift: of the case, else of the recheck."""
    if attempt.trial.drifting or attempt.recheck is None:
        return attempt.trial.drifting
    return attempt.recheck.within.drifting


def paste(cured: Cured, run: str) -> Iterator[str]:
    """Yield lines to paste that set the answer, and a runtime of that name.

    run: the command that runs the case.
    """
    if cured.best is not None:
        yield from _lines_to_paste(cured, cured.best)
        yield from _runtime(cured, cured.best, run)


def _lines_to_paste(cured: Cured, best: Attempt) -> Iterator[str]:
    """Yield shell and Python that set it."""
    yield ""
    for switch in best.switches:
        for name, value in switch.env:
            yield f"  export {name}={shlex.quote(value)}"
        yield from _indented(switch.lines)
        if switch.threads:
            yield from _indented(_thread_lines(cured))
        if switch.pads == "length":
            yield from _padding(best)
        if switch.pads == "batch":
            images = cured.case.batches[-1]
            yield f"  # always {images} images: fill up with zeros, drop their outputs"


def _thread_lines(cured: Cured) -> Sequence[str]:
    (fingerprint, *_) = cured.subject.fingerprints.values()
    framework = str(fingerprint.get("framework"))
    if framework == "tensorflow" and str(fingerprint.get("version")).startswith(("0.", "1.")):
        return SESSION
    return THREAD_LINES.get(framework, ("# one thread within an operation",))


def _padding(best: Attempt) -> Iterator[str]:
    """Yield to what each length is padded."""
    if best.multiple:
        lengths = _lengths([length for length, _ in best.pads])
        step = f"the next multiple of {best.multiple}"
        yield f"  # {lengths}: append zeros up to {step}, keep the first outputs"
        return
    by_target: dict[int, list[int]] = {}
    for length, target in best.pads:
        if target != length:
            by_target.setdefault(target, []).append(length)
    for target, some in by_target.items():
        yield f"  # {_lengths(some)}: append zeros up to {target}, keep the first outputs"


def _runtime(cured: Cured, best: Attempt, run: str) -> Iterator[str]:
    """Yield a named runtime for pyproject.toml, and the command that runs the case on it."""
    settings = [switch for switch in best.switches if switch.env or switch.mode]
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", cured.case.name)
    threads = _threads(cured, best)
    if not settings:
        return
    yield ""
    yield f"  [tool.convdiff.runtimes.{name}]"
    yield from _indented(_table_of(cured, settings))
    yield ""
    yield f"  {run} --runtime {name}{threads}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    for text in lines:
        yield f"  {text}"


def _threads(cured: Cured, best: Attempt) -> str:
    if any(switch.threads for switch in best.switches):
        return " --threads 1"
    counts = [runtime.interpreter.threads for runtime in cured.subject.runtimes]
    named = dict.fromkeys(str(one) for one in counts if one)
    return given(",".join(named), " --threads {}")


def _table_of(cured: Cured, switches: Sequence[Switch]) -> Iterator[str]:
    """Yield the keys of a named runtime with switches set."""
    first = cured.subject.runtimes[0]
    interpreter, device = first.interpreter, first.device
    yield f"framework = {json.dumps(interpreter.framework)}"
    if interpreter.python != sys.executable:
        yield f"python = {json.dumps(interpreter.python)}"
    modes = [*device.modes, *(switch.mode for switch in switches if switch.mode)]
    if modes:
        yield f"device = {json.dumps('+'.join([str(device.bare), *modes]))}"
    env = dict(interpreter.settings)
    for one in switches:
        env |= dict(one.env)
    if env:
        inside = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
        yield f"env = {{{inside}}}"
