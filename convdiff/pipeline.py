"""The way through the house: expand into cells → observe → compare → diagnose → result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

import numpy as np

from convdiff.behaviour.examine import behaviour_of
from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.device import Device
from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison, compare
from convdiff.compare.reference import Reference
from convdiff.diagnose.agreement import agreement
from convdiff.diagnose.diagnose import diagnose, unusual
from convdiff.diagnose.equal_orders import prove
from convdiff.diagnose.examining import Examiner
from convdiff.diagnose.explaining import Explainer, explain_findings
from convdiff.diagnose.order_lock import hold_orders
from convdiff.diagnose.remedy import remedies
from convdiff.diagnose.safety import find_safe_lengths
from convdiff.diagnose.suggest import suggest
from convdiff.diagnose.verdict import outcome_of
from convdiff.lab.availability import stand
from convdiff.lab.jobs import measure, observe
from convdiff.lab.kernel import WorkerKernel
from convdiff.lab.pool import Pool
from convdiff.lab.store import Spool
from convdiff.order.orders import BUDGET
from convdiff.plan.cell import Cell, Observation
from convdiff.plan.expand import Pairing, Plan, expand
from convdiff.recording.baseline import Baseline
from convdiff.recording.pairing import NOTHING_RECORDED, Archive, against_baseline
from convdiff.recording.record import record_case
from convdiff.result import CaseResult, Result
from convdiff.runtime.fingerprints import Fingerprint
from convdiff.runtime.model import Interpreter, Runtime, Standing

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many cells are done, and of how many."""

SMALL_OUTPUT = 12
"""Outputs up to so many elements are shown whole."""


@dataclass(frozen=True)
class Request:
    """What a command asks for, beside the cases."""

    interpreters: tuple[Interpreter, ...]
    required_devices: frozenset[Device] = field(default_factory=frozenset)
    strict: bool = False
    most_elements: int = 10
    budget: int = BUDGET
    """Probe calls that explanations of one case may take; 0 explains nothing."""
    baseline: Baseline | None = None
    """What is recorded, to be compared with."""
    record: bool = False
    """Keep what is observed for a recording."""
    pairwise: bool = False
    """Compare every runtime with every other, not just with the first."""
    adding: bool = False
    """What the baseline lacks is about to be added to it, and so is nothing to complain of."""


def examine(cases: Sequence[Case], request: Request, pool: Pool, progress: Progress) -> Result:
    """Run cases on their runtimes and return all findings. After Ctrl-C: those of what was done."""
    standings: dict[Runtime, Standing] = {}
    results: list[CaseResult] = []
    interrupted = False
    try:
        for case in cases:
            tensors = make_tensors(case)
            found = {s.runtime: s for s in _standings(case, request, pool)}
            standings.update(found)
            here = [runtime for runtime, s in found.items() if s.available]
            plan = expand(case, here, pairwise=request.pairwise)
            fingerprints = {runtime: s.fingerprint for runtime, s in found.items()}
            archive = _archive(plan, tensors, request, fingerprints)
            results.append(
                examine_case(plan, tensors, request, pool, progress, archive, fingerprints)
            )
            interrupted = results[-1].interrupted
            if interrupted:
                break
    except KeyboardInterrupt:
        interrupted = True
    missing = [s for s in standings.values() if _is_missed(s, request.required_devices)]
    once = {(s.runtime.interpreter, s.runtime.device if s.fingerprint else ""): s for s in missing}
    return Result(
        tuple(standings.values()), tuple(results), tuple(once.values()), interrupted=interrupted
    )


def examine_case(
    plan: Plan,
    tensors: Tensors,
    request: Request,
    pool: Pool,
    progress: Progress,
    archive: Archive = NOTHING_RECORDED,
    fingerprints: Mapping[Runtime, Fingerprint] | None = None,
) -> CaseResult:
    """Follow one case from its cells to its findings."""
    case, reference, deaths = plan.case, Reference(plan.case.conv, tensors), pool.deaths
    with closing(Spool(archive.observations())) as spool:

        def run(cells: Sequence[Cell]) -> Iterator[Cell]:
            for number, observation in enumerate(observe(case, cells, tensors, pool), 1):
                spool.add(observation)
                progress(_described(observation.cell, case), number, len(cells))
                yield observation.cell

        compared = partial(_compared, spool=spool, reference=reference, request=request)
        arriving = chain(run(plan.cells), archive.candidates)
        pairings = (*plan.pairings, *archive.pairings)
        done, comparisons = compare_as_observed(arriving, pairings, compared)
        interrupted = done < len(plan.cells) + len(archive.candidates)
        comparisons = [*comparisons, *archive.refused]
        questioned = _outputs_in_question(comparisons, spool)
        examiner = Examiner(
            partial(behaviour_of, case, measure=partial(measure, case, pool=pool)), archive
        )
        judged = partial(diagnose, case, comparisons, reference, questioned)
        try:
            findings = judged(None if interrupted else examiner.of)
        except KeyboardInterrupt:  # a verdict without probes, rather than none
            interrupted, findings = True, judged(None)
        explainer = Explainer(
            tensors, spool, partial(WorkerKernel, case, pool=pool), request.budget, archive
        )
        try:
            if not interrupted and request.budget:
                findings = explain_findings(case, findings, explainer, spool, strict=request.strict)
            findings = hold_orders(case, findings, explainer)
        except KeyboardInterrupt:  # unexplained, rather than nothing
            interrupted = True
        tried = partial(find_safe_lengths, plan, findings, spool, strict=request.strict)
        try:
            safe = list(tried(None if interrupted else lambda cells: _exhaust(run(cells))))
            if not interrupted and request.budget:
                safe = prove(plan, safe, explainer)
        except KeyboardInterrupt:
            interrupted, safe = True, list(tried(None))
        kept = None
        if request.record:
            kept = record_case(
                plan,
                tensors,
                fingerprints or {},
                spool,
                None if interrupted else examiner,
                explainer if request.budget and not interrupted else None,
            )
        failures = tuple(spool.failures())
        return CaseResult(
            case=case,
            outcome="drift"
            if any(one.unstable for one in safe)
            else outcome_of(findings, failures),
            runtimes=plan.runtimes,
            findings=tuple(findings),
            safe_lengths=tuple(safe),
            suggested_expect=suggest(case.expect, findings),
            remedies=tuple(remedies(findings, safe=any(len(one.lengths) > 1 for one in safe))),
            failures=failures,
            outputs=_small_outputs(plan, spool),
            cells=len(plan.cells),
            done=done,
            died=pool.deaths > deaths or any(failure.died for failure in failures),
            notes=archive.notes,
            unclaimed=archive.unclaimed,
            agreement=agreement(plan.runtimes, findings) if request.pairwise else None,
            recorded=kept,
            interrupted=interrupted,
        )


def _archive(
    plan: Plan,
    tensors: Tensors,
    request: Request,
    fingerprints: Mapping[Runtime, Fingerprint],
) -> Archive:
    if request.baseline is None:
        return NOTHING_RECORDED
    return against_baseline(plan, tensors, request.baseline, fingerprints, adding=request.adding)


def compare_as_observed(
    cells: Iterable[Cell],
    pairings: Sequence[Pairing],
    compared: Callable[[Pairing], Comparison | None],
) -> tuple[int, list[Comparison]]:
    """Compare each pair as soon as both sides are there, while the workers go on.

    Returns how many cells were done and compared (fewer than planned after Ctrl-C) and the
    comparisons in the plan's order.
    """
    waiting: dict[Cell, list[tuple[int, Pairing]]] = {}
    for number, pairing in enumerate(pairings):
        for cell in (pairing.baseline, pairing.candidate):
            waiting.setdefault(cell, []).append((number, pairing))
    found: dict[int, Comparison] = {}
    done = 0
    try:
        for cell in cells:
            for number, pairing in waiting.get(cell, ()):
                comparison = compared(pairing)
                if comparison is not None:
                    found[number] = comparison
            done += 1
    except KeyboardInterrupt:
        pass
    return done, [found[number] for number in sorted(found)]


def _compared(
    pairing: Pairing, spool: Spool, reference: Reference, request: Request
) -> Comparison | None:
    """Compare a pair, or return None while a side is not there."""
    baseline, candidate = spool.get(pairing.baseline), spool.get(pairing.candidate)
    if baseline is None or candidate is None:
        return None
    return compare(
        pairing.axis,
        baseline,
        candidate,
        reference,
        strict=request.strict,
        most=request.most_elements,
    )


def _outputs_in_question(
    comparisons: Sequence[Comparison], spool: Spool
) -> dict[Cell, Observation]:
    """Return the observations behind comparisons that are more than everyday rounding."""
    cells = {cell for c in comparisons if unusual(c) for cell in (c.baseline, c.candidate)}
    return {cell: found for cell in cells if (found := spool.get(cell)) is not None}


def _small_outputs(plan: Plan, spool: Spool) -> dict[Cell, Observation]:
    """Return the outputs that are small enough to be shown whole."""
    found: dict[Cell, Observation] = {}
    order = sorted(plan.cells, key=lambda c: (plan.runtimes.index(c.runtime), c.op, c.length))
    for cell in order:
        shape = plan.case.conv.output_shape(cell.batch, plan.case.height, cell.length)
        if not cell.trial and not cell.repeat and np.prod(shape) <= SMALL_OUTPUT:
            observation = spool.get(cell)
            if observation is not None and observation.output is not None:
                found[cell] = observation
    return found


def _standings(case: Case, request: Request, pool: Pool) -> Iterator[Standing]:
    """Yield how the runtimes stand that a case and the command ask for."""
    required = sorted(request.required_devices, key=str)
    return stand(request.interpreters, case.devices, pool, required)


def _is_missed(standing: Standing, required: frozenset[Device]) -> bool:
    """Return whether a runtime must be there: its interpreter or it was asked for by name.

    A device that only a case names may be absent.
    """
    runtime = standing.runtime
    named = {runtime.device, Device(runtime.device.kind)} & {
        *required,
        *runtime.interpreter.devices,
    }
    unmet = standing.reason is not None and standing.reason.startswith("requires ")
    return not standing.available and (not standing.fingerprint or bool(named) or unmet)


def _described(cell: Cell, case: Case) -> str:
    what = f"random input {cell.trial}" if cell.trial else cell.op
    return f"{case.name}: {what}, length {cell.length}"


def _exhaust(cells: Iterable[Cell]) -> None:
    for _ in cells:
        pass
