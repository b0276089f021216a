"""The way through the house: load → expand into cells → observe → compare → diagnose → result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors, make_tensors, numpy_dtype
from convdiff.case.model import Case
from convdiff.compare.alignment import aligned
from convdiff.compare.comparison import Comparison, compare
from convdiff.compare.difference import differs
from convdiff.compare.reference import Reference
from convdiff.diagnose.diagnose import diagnose, unusual
from convdiff.diagnose.safe_lengths import SafeLengths, safe_lengths
from convdiff.diagnose.suggest import suggest
from convdiff.diagnose.verdict import Finding
from convdiff.plan import Plan, expand
from convdiff.recording.observation import Cell, Observation
from convdiff.recording.spool import Spool
from convdiff.result import CaseResult, Outcome, Result
from convdiff.runtime.model import Interpreter, Runtime, Standing
from convdiff.runtime.pool import Failure, Job, Pool

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many cells are done, and of how many."""

SMALL_OUTPUT = 12
"""Outputs up to so many elements are shown whole."""


@dataclass(frozen=True)
class Request:
    """What a command asks for, beside the cases."""

    interpreters: tuple[Interpreter, ...]
    required_devices: frozenset[str] = field(default_factory=frozenset)
    strict: bool = False
    most_elements: int = 10


def examine(cases: Sequence[Case], request: Request, pool: Pool, progress: Progress) -> Result:
    """Run cases on their runtimes and return all findings. After Ctrl-C: those of what was done."""
    for interpreter in request.interpreters:
        pool.start(interpreter)  # frameworks are imported while arrays are made here
    standings: dict[Runtime, Standing] = {}
    results: list[CaseResult] = []
    try:
        for case in cases:
            tensors = make_tensors(case)
            runtimes = find_runtimes(case, request, pool, standings)
            results.append(examine_case(expand(case, runtimes), tensors, request, pool, progress))
            if results[-1].done < results[-1].cells:
                return _result(standings, results, request, interrupted=True)
    except KeyboardInterrupt:
        return _result(standings, results, request, interrupted=True)
    return _result(standings, results, request, interrupted=False)


def examine_case(
    plan: Plan, tensors: Tensors, request: Request, pool: Pool, progress: Progress
) -> CaseResult:
    """Follow one case from its cells to its findings."""
    reference = Reference(plan.case.conv, tensors)
    with closing(Spool()) as spool:
        done = observe(plan, tensors, pool, spool, progress)
        comparisons = list(compare_all(plan, spool, reference, request))
        questioned = {
            cell: found
            for comparison in comparisons
            if unusual(comparison)
            for cell in (comparison.baseline, comparison.candidate)
            if (found := spool.get(cell)) is not None
        }
        interrupted = done < len(plan.cells)
        findings = diagnose(
            plan.case,
            comparisons,
            reference,
            questioned,
            None if interrupted else Laboratory(plan, pool).measure,
        )
        return CaseResult(
            case=plan.case,
            outcome=outcome_of(findings),
            runtimes=plan.runtimes,
            findings=tuple(findings),
            safe_lengths=tuple(find_safe_lengths(plan, spool, findings, request.strict)),
            suggested_expect=suggest(plan.case.expect, findings),
            failures=tuple(spool.failures()),
            outputs=small_outputs(plan, spool),
            cells=len(plan.cells),
            done=done,
        )


def find_runtimes(
    case: Case, request: Request, pool: Pool, standings: dict[Runtime, Standing]
) -> list[Runtime]:
    """Return the runtimes that are there for a case's devices, and note how each stands."""
    found: list[Runtime] = []
    for interpreter in request.interpreters:
        print_ = pool.fingerprint(interpreter)
        for wanted in case.devices:
            visible = [] if isinstance(print_, Failure) else list(print_["devices"])
            devices = [d for d in visible if d == wanted or d.split(":")[0] == wanted]
            for device in devices or [wanted]:
                runtime = Runtime(interpreter, device)
                reason = None if devices else _absence(print_, wanted)
                fingerprint = {} if isinstance(print_, Failure) else print_
                standings[runtime] = Standing(runtime, bool(devices), reason, fingerprint)
                if devices:
                    found.append(runtime)
    return found


def observe(plan: Plan, tensors: Tensors, pool: Pool, spool: Spool, progress: Progress) -> int:
    """Run every cell and keep its observation; return how many were done before an interrupt."""
    jobs: list[Job] = []
    members: list[list[Cell]] = []
    arrays = {"w": tensors.filter_hwio, "x0": tensors.input_nhwc, **_trials(plan, tensors)}
    if tensors.bias is not None:
        arrays["b"] = tensors.bias
    for interpreter in dict.fromkeys(runtime.interpreter for runtime in plan.runtimes):
        cells = [cell for cell in plan.cells if cell.runtime.interpreter == interpreter]
        requests = [_request(cell, f"x{cell.trial}", "w", "b" in arrays) for cell in cells]
        jobs.append(Job(interpreter, _conv(plan.case), arrays, requests))
        members.append(cells)
    done = 0
    try:
        for job, number, outcome in pool.observe(jobs):
            cell = members[job][number]
            spool.add(_observation(cell, outcome, plan.case))
            done += 1
            progress(f"{plan.case.name} {cell.op} length {cell.length}", done, len(plan.cells))
    except KeyboardInterrupt:
        pass
    return done


def compare_all(
    plan: Plan, spool: Spool, reference: Reference, request: Request
) -> Iterator[Comparison]:
    """Compare every pair of cells that were both run or both have a reason why not."""
    for pairing in plan.pairings:
        baseline, candidate = spool.get(pairing.baseline), spool.get(pairing.candidate)
        if baseline is None or candidate is None:
            continue  # interrupted before
        yield compare(
            pairing.axis,
            baseline,
            candidate,
            reference,
            strict=request.strict,
            most=request.most_elements,
        )


def outcome_of(findings: Sequence[Finding]) -> Outcome:
    """Reduce findings to a word; equality of nothing, or of constants, is not green."""
    if any(not finding.allowed for finding in findings):
        return "drift"
    if all(finding.verdict in ("untested", "mistrusted") for finding in findings):
        return "untested"
    return "ok"


def find_safe_lengths(
    plan: Plan, spool: Spool, findings: Sequence[Finding], strict: bool
) -> Iterator[SafeLengths]:
    """Yield each runtime's safe lengths: equal on the case's input and on the random ones."""
    lengths = plan.case.lengths
    if len(lengths) < 2:
        return
    for runtime in plan.runtimes:
        verdicts: dict[int, bool | None] = {}
        for finding in findings:
            comparison = finding.comparison
            if comparison.axis == "length" and comparison.candidate.runtime == runtime:
                length, difference = comparison.candidate.length, comparison.difference
                equal = None if difference is None else difference.differing == 0
                before = verdicts.get(length, True)
                verdicts[length] = False if before is False else equal if before else None
        for cell in plan.cells:
            if cell.trial and cell.runtime == runtime and verdicts.get(cell.length):
                verdicts[cell.length] = _same_trial(cell, lengths[-1], spool, strict)
        yield safe_lengths(runtime.id, lengths, verdicts, plan.trials)


def small_outputs(plan: Plan, spool: Spool) -> dict[Cell, Observation]:
    """Return the outputs that are small enough to be shown whole."""
    found: dict[Cell, Observation] = {}
    for cell in plan.cells:
        shape = plan.case.conv.output_shape(cell.batch, plan.case.height, cell.length)
        if np.prod(shape) > SMALL_OUTPUT or cell.trial or cell.repeat:
            continue
        observation = spool.get(cell)
        if observation is not None and observation.output is not None:
            found[cell] = observation
    return found


class Laboratory:
    """Runs a cell again on other numbers of the same shapes."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan, self._pool = plan, pool

    def measure(self, cell: Cell, data: Sequence[Tensors]) -> list[Any]:
        """Return each output in the case's dtype, or None where the runtime gave none."""
        arrays: dict[str, Any] = {}
        requests = []
        for number, tensors in enumerate(data):
            arrays[f"x{number}"], arrays[f"w{number}"] = tensors.input_nhwc, tensors.filter_hwio
            if tensors.bias is not None:
                arrays["b"] = tensors.bias
                arrays[f"b{number}"] = tensors.bias
            request = _request(cell, f"x{number}", f"w{number}", tensors.bias is not None)
            requests.append({**request, "b": f"b{number}" if tensors.bias is not None else None})
        arrays.pop("b", None)
        job = Job(cell.runtime.interpreter, _conv(self._plan.case), arrays, requests)
        outputs: list[Any] = [None] * len(data)
        for _, number, outcome in self._pool.observe([job]):
            outputs[number] = _observation(cell, outcome, self._plan.case).output
        return outputs


def _trials(plan: Plan, tensors: Tensors) -> dict[str, Any]:
    """Return the random inputs, NHWC: zero-mean, so that sums cancel and orders show."""
    shape = tensors.input_nhwc.shape
    return {
        f"x{trial}": np.random.default_rng([7, trial])
        .standard_normal(shape, dtype=np.float32)
        .astype(tensors.input_nhwc.dtype)
        for trial in range(1, plan.trials + 1)
    }


def _same_trial(cell: Cell, longest: int, spool: Spool, strict: bool) -> bool | None:
    from dataclasses import replace

    baseline, candidate = spool.get(replace(cell, length=longest)), spool.get(cell)
    if not baseline or not candidate or baseline.output is None or candidate.output is None:
        return None
    return not differs(*aligned(baseline.output, candidate.output), strict).any()


def _request(cell: Cell, x: str, w: str, bias: bool) -> dict[str, Any]:
    return {
        "op": cell.op,
        "device": cell.runtime.device,
        "x": x,
        "w": w,
        "b": "b" if bias else None,
        "length": cell.length,
        "batch": cell.batch,
    }


def _conv(case: Case) -> dict[str, Any]:
    conv = case.conv
    return {
        "kernel": conv.kernel,
        "strides": conv.strides,
        "dilations": conv.dilations,
        "groups": conv.groups,
        "channels_in": conv.channels_in,
        "channels_out": conv.channels_out,
        "dtype": conv.dtype,
    }


def _observation(cell: Cell, outcome: Any, case: Case) -> Observation:
    if isinstance(outcome, Failure):
        return Observation(cell, None, outcome.reason, outcome.died)
    dtype = numpy_dtype(case.conv.dtype)
    if outcome.dtype != dtype and outcome.dtype.itemsize == 2 and dtype.name == "bfloat16":
        outcome = outcome.view(dtype)
    if outcome.dtype != dtype:
        return Observation(cell, None, f"gave {outcome.dtype.name}, expected {dtype.name}")
    return Observation(cell, outcome)


def _absence(found: Any, device: str) -> str:
    if isinstance(found, Failure):
        return str(found.reason)
    name = f"{found['framework']} {found['version']}"
    if found.get("cuda") is None and device.startswith("gpu"):
        return f"{name} is a CPU build and sees no {device}"
    return f"{name} sees no {device}; it has {', '.join(found['devices'])}"


def _result(
    standings: dict[Runtime, Standing],
    results: Sequence[CaseResult],
    request: Request,
    *,
    interrupted: bool,
) -> Result:
    missing = tuple(
        standing
        for standing in standings.values()
        if not standing.available
        and (
            not standing.fingerprint  # the interpreter itself was asked for, and does not serve
            or standing.runtime.device.split(":")[0] in request.required_devices
            or standing.runtime.device in request.required_devices
        )
    )
    return Result(tuple(standings.values()), tuple(results), missing, interrupted)
