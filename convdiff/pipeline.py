"""The trip of a case: expand into cells → observe → compare → diagnose → result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.case.nonfinite import is_finite
from convdiff.case.rounded import rounding_notes
from convdiff.case.unheld import unheld_notes
from convdiff.compare.against_exact import against_exact
from convdiff.compare.comparison import Comparison, compare
from convdiff.compare.in_part import compare_in_part
from convdiff.compare.nonfinite_notes import nonfinite_notes
from convdiff.compare.reference import References
from convdiff.diagnose.agreement import agreement
from convdiff.diagnose.attribute import attribute
from convdiff.diagnose.diagnose import behaviours, diagnose
from convdiff.diagnose.equal_orders import prove
from convdiff.diagnose.fed_filters import fed_filter_notes
from convdiff.diagnose.find_safe_lengths import find_safe_lengths
from convdiff.diagnose.order_lock import hold_orders
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.suggest import suggest
from convdiff.diagnose.verdict import Finding, outcome_of
from convdiff.diagnose.without_step import beside_step
from convdiff.errors import TIME_OVER
from convdiff.lab.lab import Lab, NotAsked, Tell
from convdiff.lab.live import LiveLab
from convdiff.lab.mixed import MixedLab
from convdiff.lab.padding import padding_notes_of
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch, silent
from convdiff.numerics.array import Array
from convdiff.order.orders import BUDGET
from convdiff.plan.cell import Cell, Failure, NoBits
from convdiff.plan.expand import expand
from convdiff.plan.plan import Pair, Plan
from convdiff.recording.against import against, held_of
from convdiff.recording.baseline import Baseline
from convdiff.recording.lab import RecordedLab
from convdiff.recording.record import record
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Runtime, Standing

SMALL_OUTPUT = 12
"""Outputs up to so many elements are shown whole."""


@dataclass(frozen=True)
class Ask:
    """What is asked of every case."""

    strict: bool = False
    """−0 differs from +0, and one NaN from another."""
    most_elements: int = 10
    """Worst elements of a comparison that are kept."""
    budget: int = BUDGET
    """Probe calls that explanations of one case may take; 0 explains nothing."""
    explain_up_to: float | None = None
    """Products of a cell up to which differences that are allowed are explained, too; None: as far
    as that takes next to no time."""
    baseline: Baseline | None = None
    """What is recorded, to be compared with."""
    record: bool = False
    """Keep what is observed for a recording."""
    whole: bool = False
    """Compute large references at all of their outputs, not at some."""
    pairwise: bool = False
    """Compare every runtime with every other, not just with the first."""
    adding: bool = False
    """What the baseline lacks is about to be added to it, and so is nothing to complain of."""
    updating: bool = False
    """The baseline is about to be made anew, and so there is none to be held to."""


def run(cases: Sequence[Case], session: Session, ask: Ask, tell: Tell = silent) -> Result:
    """Run cases on a session's runtimes. Once it is stopped: the findings of what was done."""
    watch = Watch(tell, session.stopping)
    standings: dict[Runtime, Standing] = {}
    results: list[CaseResult] = []
    for case in cases:
        # Frameworks are imported meanwhile.
        tensors = watch.compute(f"{case.name}: making its arrays", partial(make_tensors, case))
        if isinstance(tensors, NotAsked):
            break
        watch.tell(f"{case.name}: importing frameworks")
        available = session.availability(case)
        if session.signal:  # an import that was cut short says nothing of a framework
            break
        standings.update({standing.runtime: standing for standing in available})
        results.append(run_case(case, available, tensors, session, ask, tell))
    return Result(
        tuple(standings.values()),
        tuple(results),
        _missing(standings.values(), session),
        signal=session.signal,
        unbegun=len(cases) - len(results),
    )


def run_case(
    case: Case,
    available: Sequence[Standing],
    tensors: Tensors,
    session: Session,
    ask: Ask,
    tell: Tell,
) -> CaseResult:
    """Plan a case on the runtimes that are there, and examine it on live workers."""
    watch = Watch(tell, session.stopping)
    here = [standing.runtime for standing in available if standing.available]
    fingerprints = {standing.runtime: standing.fingerprint for standing in available}
    plan = expand(case, here, pairwise=ask.pairwise, clean=not is_finite(tensors))
    lab = LiveLab(case, tensors, session, fingerprints, ask.budget, watch, whole=ask.whole)
    with closing(lab) as live:
        pads = padding_notes_of(case, here, session.pool)
        notes = (*rounding_notes(case, tensors), *pads)
        if ask.baseline is None:
            unheld = () if ask.updating else unheld_notes(case)
            notes = (*plan.notes, *notes, *unheld)
            return examine(replace(plan, notes=notes), live, tensors, ask)
        held = held_of(ask.baseline, case.name)
        plan = against(plan, tensors, held, fingerprints, adding=ask.adding)
        plan = replace(plan, notes=(*plan.notes, *notes))
        homes = [] if held.recorded is None else [held.recorded]
        recorded = RecordedLab(homes, float("inf") if ask.budget else 0, watch)
        return examine(plan, MixedLab(live, recorded), tensors, ask)


def examine(plan: Plan, lab: Lab, tensors: Tensors, ask: Ask) -> CaseResult:
    """Follow one case from its cells to its findings, whoever answers for them."""
    case, references, start = plan.case, References(plan.case.conv, tensors), perf_counter()
    plan = replace(plan, notes=(*plan.notes, *nonfinite_notes(references.longest)))
    comparisons = with_runs(_comparisons(plan, lab, references, ask), lab.log.seconds)
    findings = diagnose(case, comparisons, behaviours(case, comparisons, lab), lab)
    is_judged = not lab.log.signal
    findings = attribute(case, findings, lab, strict=ask.strict, up_to=ask.explain_up_to)
    findings = beside_step(case, findings, lab)
    findings = hold_orders(case, findings, lab)
    safe = prove(plan, find_safe_lengths(plan, findings, lab, strict=ask.strict), lab)
    result = _result(plan, lab, findings, safe, ask)
    if result.interrupted and result.outcome == "ok" and not (is_judged and result.time_over):
        result = replace(result, outcome="untested")  # the rest is not known
    return replace(result, seconds=perf_counter() - start)


def _comparisons(plan: Plan, lab: Lab, references: References, ask: Ask) -> list[Comparison]:
    """Measure the pairs as their sides come in, and return them in the plan's order.

    Once it is stopped: those that were measured.
    """
    measured = {}
    for number, pair in arriving(plan.pairs, lab.observe(plan.cells)):
        work = partial(_compared, pair, lab, references, ask)
        comparison = lab.compute(f"comparing length {pair.candidate.length}", work)
        if not isinstance(comparison, NotAsked):
            measured[number] = comparison
    return [measured[number] for number in sorted(measured)]


def _compared(pair: Pair, lab: Lab, references: References, ask: Ask) -> Comparison:
    """Measure a pair whose sides are there, or of which it is known why not, and the time."""
    start = perf_counter()
    comparison = _measured(pair, lab, references, ask)
    return replace(comparison, seconds=perf_counter() - start)


def with_runs(comparisons: Sequence[Comparison], run: Mapping[Cell, float]) -> list[Comparison]:
    """Add to each comparison's seconds those of the cells that it is the first to need.

    run: seconds by cell; so the times of all comparisons add up to no more than was spent.
    """
    left = dict(run)
    timed = []
    for comparison in comparisons:
        cells = left.pop(comparison.baseline, 0.0) + left.pop(comparison.candidate, 0.0)
        timed.append(replace(comparison, seconds=comparison.seconds + cells))
    return timed


def _measured(pair: Pair, lab: Lab, references: References, ask: Ask) -> Comparison:
    candidate, most = lab.bits(pair.candidate), ask.most_elements
    reference = references.at(pair.candidate.length)
    if pair.baseline.is_exact:
        return against_exact(pair, candidate, reference, most=most)
    baseline, parts = lab.bits(pair.baseline), (lab.part(pair.baseline), lab.part(pair.candidate))
    if any(parts):
        given = parts[0] or baseline, parts[1] or candidate
        return compare_in_part(pair, given, reference, strict=ask.strict, most=most)
    return compare(pair, baseline, candidate, reference, strict=ask.strict, most=most)


def arriving(pairs: Sequence[Pair], cells: Iterable[Cell]) -> Iterator[tuple[int, Pair]]:
    """Yield each pair with its number as soon as both sides are there, while workers go on.

    An exact result is always there. Pairs that can't be compared come last, with their reason.
    """
    waiting: dict[Cell, list[int]] = {}
    for number, pair in enumerate(pairs):
        if not pair.reason:
            waiting.setdefault(pair.baseline, []).append(number)
            waiting.setdefault(pair.candidate, []).append(number)
    there = {pair.baseline for pair in pairs if pair.baseline.is_exact}
    for cell in cells:
        there.add(cell)
        for number in waiting.get(cell, ()):
            if {pairs[number].baseline, pairs[number].candidate} <= there:
                yield number, pairs[number]
    for number, pair in enumerate(pairs):
        if pair.reason:
            yield number, pair


def _result(
    plan: Plan, lab: Lab, findings: Sequence[Finding], safe: Sequence[SafeLengths], ask: Ask
) -> CaseResult:
    """Reduce what was found to a result."""
    case = plan.case
    recorded = record(plan, lab) if ask.record and plan.live else None
    log = lab.log
    failed = [(cell, no) for cell, no in log.failures.items() if not cell.bare]
    failures = tuple(Failure(cell, no.reason, no.died) for cell, no in failed)
    outcome = outcome_of(findings, failures)
    if any(lengths.unstable for lengths in safe):
        outcome = "drift"
    return CaseResult(
        case=case,
        outcome=outcome,
        runtimes=plan.runtimes,
        findings=tuple(findings),
        safe_lengths=tuple(safe),
        suggested_expect=suggest(case.expect, findings),
        failures=failures,
        outputs=_small_outputs(plan, lab),
        cells=len(plan.live),
        done=sum(cell in log.done for cell in plan.live),
        died=log.died,
        notes=(*plan.notes, *fed_filter_notes(findings, plan.runtimes)),
        unclaimed=plan.unclaimed,
        agreement=agreement(plan.runtimes, findings) if ask.pairwise else None,
        recorded=recorded,
        interrupted=log.signal != 0,
        time_over=log.signal == TIME_OVER,
        planned=len(plan.pairs),
        left=_left(plan, findings),
    )


def _left(plan: Plan, findings: Sequence[Finding]) -> tuple[Axis, ...]:
    """Return the axes along which a comparison was not made."""
    if len(findings) == len(plan.pairs):
        return ()
    made = Counter(finding.axis for finding in findings)
    return tuple((Counter(pair.axis for pair in plan.pairs) - made).keys())


def _small_outputs(plan: Plan, lab: Lab) -> Mapping[Cell, Array]:
    """Return the outputs that are small enough to be shown whole."""
    outputs: dict[Cell, Array] = {}
    runtimes = list(plan.runtimes)
    for cell in sorted(plan.live, key=lambda c: (runtimes.index(c.runtime), c.op, c.length)):
        conv = plan.case.conv.first(cell.channels)
        shape = conv.output_shape(cell.batch, plan.case.height, cell.length)
        if not cell.is_first_run or np.prod(shape) > SMALL_OUTPUT:
            continue
        output = lab.bits(cell)
        if not isinstance(output, NoBits):
            outputs[cell] = output
    return outputs


def _missing(standings: Iterable[Standing], session: Session) -> tuple[Standing, ...]:
    """Return the runtimes that are not there and had to be; an absent framework once."""
    once = {}
    for standing in standings:
        if session.missed(standing):
            runtime = standing.runtime
            device = runtime.device if standing.fingerprint else ""
            once[runtime.interpreter, device] = standing
    return tuple(once.values())
