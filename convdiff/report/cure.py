"""What was tried to make a case equal, in words: a table, and one recommendation to paste."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence

from convdiff.report.numbers import count
from convdiff.report.sentences import plural, short
from convdiff.search.cure.find import Attempt, Cured
from convdiff.search.cure.recheck import BEYOND, INPUTS, Recheck
from convdiff.search.cure.switches import SESSION, THREAD_LINES, Switch
from convdiff.search.cure.trial import Count, Trial

HEADER = ("set", "drift", "elements changed", "off exact", "time", "holds across")
ALWAYS = ("exact", "reference")
"""Axes along which there is rounding everywhere; they are counted where something drifts."""


def lines(cured: Cured, run: str) -> Iterator[str]:
    """Yield all that was found. run: the command that runs the case."""
    name = f"{cured.case.name}: {cured.subject.name}"
    if cured.today.reason:
        yield f"{name}: not run: {cured.today.reason}"
        return
    if not cured.today.drifting:
        yield f"{name}: nothing drifts, {plural(cured.today.compared, 'comparison')} made"
        return
    yield f"{name}: {_drift(cured.today)}"
    yield from _table(cured)
    yield from (f"  not run  {one.name}: {one.trial.reason}" for one in _not_run(cured))
    yield from _useless(cured)
    yield from _not_held(cured)
    if cured.interrupted:
        yield "  interrupted: what was tried is kept, and not run again"
    if cured.best is not None:
        yield from _recommendation(cured, cured.best, run)
    elif not cured.interrupted:
        yield "  nothing that was tried makes it equal"


def _drift(trial: Trial) -> str:
    parts = [
        f"{axis} {one.drifting} of {count(one.compared)}"
        for axis, one in trial.counts.items()
        if one.drifting
    ]
    return f"drifts today: {', '.join(parts)}"


def _table(cured: Cured) -> Iterator[str]:
    """Yield a row a set of switches."""
    tried = [one for one in cured.attempts if not one.trial.reason]
    axes = {axis for one in (cured.today, *(one.trial for one in tried)) for axis in _telling(one)}
    rows = [HEADER, ("today", _counted(cured.today, axes), "", _error(cured.today), "1", "")]
    for one in tried:
        trial = one.trial
        changed = (
            "none" if not trial.changed else f"{count(trial.changed)} of {count(trial.elements)}"
        )
        scopes = "+".join(dict.fromkeys(switch.scope for switch in one.switches))
        rows.append((one.name, _counted(trial, axes), changed, _error(trial), _time(one), scopes))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others, last in rows:
        middle = [text.rjust(width) for text, width in zip(others, widths[1:], strict=False)]
        yield "  ".join(["", first.ljust(widths[0]), *middle, last]).rstrip()


def _telling(trial: Trial) -> set[str]:
    """Return the axes that are counted."""
    return {axis for axis, one in trial.counts.items() if axis not in ALWAYS or one.drifting}


def _counted(trial: Trial, axes: set[str]) -> str:
    some = [one for axis, one in trial.counts.items() if axis in axes]
    total = Count(sum(one.drifting for one in some), sum(one.compared for one in some))
    return f"{count(total.drifting)} of {count(total.compared)}"


def _error(trial: Trial) -> str:
    return f"{trial.error:.2e}" if trial.error else "0"


def _time(attempt: Attempt) -> str:
    cost = attempt.cost
    return f"×{cost.median:.2f} ({cost.low:.2f}–{cost.high:.2f})" if cost else ""


def _not_run(cured: Cured) -> list[Attempt]:
    return [one for one in cured.attempts if one.trial.reason]


def _useless(cured: Cured) -> Iterator[str]:
    """Name what was tried and changed no bit."""
    alone = [one for one in cured.attempts if len(one.switches) == 1 and not one.trial.reason]
    useless = [one for one in alone if not one.trial.changed]
    if useless:
        cells = min(one.trial.cells for one in useless)
        names = ", ".join(one.name for one in useless)
        yield f"  no effect, proved on {plural(cells, 'cell')}: {names}"


def _not_held(cured: Cured) -> Iterator[str]:
    """Name what made the case equal, and no other input."""
    for one in cured.attempts:
        recheck = one.recheck
        if one.trial.is_equal and recheck is not None and not one.is_cure:
            yield f"  {one.name}: equal on this input alone; {_rechecked(recheck)}"


def _rechecked(recheck: Recheck) -> str:
    """Say what other inputs and lengths showed."""
    within = recheck.within
    if within.reason:
        return f"not rechecked: {within.reason}"
    fresh = f", {len(recheck.fresh)} of them new" if recheck.fresh else ""
    where = f"on {INPUTS} random inputs at {_lengths(recheck.lengths)}{fresh}"
    text = f"{where}: {count(within.drifting)} of {count(within.compared)} drift"
    beyond = recheck.beyond
    if beyond.reason or not recheck.outside:
        return text
    outside = f"outside of the case, at {_lengths(recheck.outside)} on {BEYOND} inputs: "
    at = f", at {_lengths(beyond.drifting_at)}" if beyond.drifting else ""
    return f"{text}; {outside}{count(beyond.drifting)} of {count(beyond.compared)}{at}"


def _lengths(lengths: Sequence[int]) -> str:
    return f"length{'s' * (len(lengths) > 1)} {short(lengths)}"


def _recommendation(cured: Cured, best: Attempt, run: str) -> Iterator[str]:
    """Yield what to do: why, the lines to paste, and a runtime of that name."""
    yield f"set {best.name}"
    for switch in best.switches:
        yield f"  {switch.name}: {switch.does} ({switch.source})"
    if len(best.switches) > 1:
        yield f"  all of them: {_parts_drift(cured, best)}"
    assert best.recheck is not None, "what is recommended was rechecked"
    yield f"  rechecked {_rechecked(best.recheck)}"
    yield from _lines_to_paste(cured, best)
    yield from _runtime(cured, best, run)


def _parts_drift(cured: Cured, best: Attempt) -> str:
    """Say that no part of a set makes the case equal, with what each left."""
    parts = [one for one in cured.attempts if set(one.switches) < set(best.switches)]
    left = [f"{one.name} leaves {count(_left(one))}" for one in parts]
    return f"{'; '.join(left)} that drift"


def _left(attempt: Attempt) -> int:
    """Return how many comparisons drift: of the case, else of the recheck."""
    recheck = attempt.recheck
    return attempt.trial.drifting or (recheck.within.drifting if recheck else 0)


def _lines_to_paste(cured: Cured, best: Attempt) -> Iterator[str]:
    """Yield shell and Python that set it."""
    yield ""
    for switch in best.switches:
        for name, value in switch.env:
            yield f"  export {name}={shlex.quote(value)}"
        yield from (f"  {line}" for line in switch.lines)
        if switch.threads:
            yield from (f"  {line}" for line in _thread_lines(cured))
        if switch.pads == "length":
            yield from _padding(best)
        if switch.pads == "batch":
            images = cured.case.batches[-1]
            yield f"  # always {images} images: fill up with zeros, drop their outputs"


def _thread_lines(cured: Cured) -> Sequence[str]:
    (told, *_) = cured.subject.fingerprints.values()
    framework = str(told.get("framework"))
    if framework == "tensorflow" and str(told.get("version")).startswith(("0.", "1.")):
        return SESSION
    return THREAD_LINES.get(framework, ("# one thread within an operation",))


def _padding(best: Attempt) -> Iterator[str]:
    """Yield to what each length is padded."""
    if best.multiple:
        yield f"  # append zeros up to the next multiple of {best.multiple}, keep the first outputs"
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
    yield from (f"  {line}" for line in _table_of(cured, settings))
    yield ""
    yield f"  {run} --runtime {name}{threads}"


def _threads(cured: Cured, best: Attempt) -> str:
    if any(switch.threads for switch in best.switches):
        return " --threads 1"
    counts = [one.interpreter.threads for one in cured.subject.runtimes]
    named = dict.fromkeys(str(one) for one in counts if one)
    return f" --threads {','.join(named)}" if named else ""


def _table_of(cured: Cured, switches: Sequence[Switch]) -> Iterator[str]:
    """Yield the keys of a named runtime with switches set."""
    first = cured.subject.runtimes[0]
    interpreter, device = first.interpreter, first.device
    yield f"framework = {json.dumps(interpreter.framework)}"
    if interpreter.python != sys.executable:
        yield f"python = {json.dumps(interpreter.python)}"
    modes = [*device.modes, *(one.mode for one in switches if one.mode)]
    if modes:
        yield f"device = {json.dumps('+'.join([str(device.bare), *modes]))}"
    env = dict(interpreter.settings)
    for one in switches:
        env |= dict(one.env)
    if env:
        inside = ", ".join(f"{name} = {json.dumps(value)}" for name, value in env.items())
        yield f"env = {{{inside}}}"
