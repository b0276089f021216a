"""Two recordings, or two outputs of a case, compared without running anything: the same trip."""

from __future__ import annotations

from dataclasses import dataclass, replace

from convdiff.case.arrays import make_tensors, refuse_too_big
from convdiff.case.model import Allowance, Case
from convdiff.case.rounded import rounding_notes
from convdiff.lab.watch import Watch
from convdiff.pipeline import Ask, examine
from convdiff.plan.cost import REPLAYED
from convdiff.recording.between import between
from convdiff.recording.lab import RecordedLab
from convdiff.recording.model import RecordedCase, Recording
from convdiff.recording.outputs import Output, OutputsLab, layout_notes, plan_of, read_output
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Standing


@dataclass(frozen=True)
class Asked:
    """What is asked of a comparison."""

    expect: Allowance | None = None
    """What may differ; None is what the second recording's case expects of a baseline."""
    strict: bool = False
    most_elements: int = 10
    replays: float = REPLAYED
    """Products of a cell up to which its orders are replayed."""
    explain_up_to: float | None = None
    """See `convdiff.pipeline.Ask`."""


def compare_recordings(
    a: Recording, b: Recording, asked: Asked, watch: Watch | None = None
) -> Result:
    """Compare B with A, case by case. Raises RecordingError for orders that are none.

    Once it is stopped: the findings of what was done.
    """
    watch = watch or Watch()
    results = []
    names = dict.fromkeys([*a.cases, *b.cases])
    for name in names:
        if watch.stop.signal:
            break
        if name in a.cases and name in b.cases:
            results.append(_compared(a.cases[name], b.cases[name], asked, watch))
        else:
            results.append(_alone(a.cases.get(name) or b.cases[name]))
    standings: dict[object, Standing] = {}
    for recorded in (*a.cases.values(), *b.cases.values()):
        for runtime, fingerprint in recorded.fingerprints.items():
            standings[runtime] = Standing(runtime, True, None, fingerprint)
    return Result(
        tuple(standings.values()),
        tuple(results),
        signal=watch.stop.signal,
        unbegun=len(names) - len(results),
    )


def compare_outputs(
    case: Case, a: Output, b: Output, asked: Asked, watch: Watch | None = None
) -> Result:
    """Compare B with A, two outputs of a case from files. Raises CaseError for what is none."""
    watch = watch or Watch()
    refuse_too_big(case)
    tensors = make_tensors(case)
    plan = plan_of(_expecting(case, asked), a, b)
    outputs = (read_output(case, a), read_output(case, b))
    lab = OutputsLab(case.conv, tensors, dict(zip(plan.cells, outputs, strict=True)), watch)
    plan = replace(plan, notes=(*layout_notes(case, (a, b)), *rounding_notes(case, tensors)))
    ask = Ask(strict=asked.strict, most_elements=asked.most_elements)
    result = examine(plan, lab, tensors, ask)
    standings = tuple(Standing(runtime, True) for runtime in plan.runtimes)
    return Result(standings, (result,), signal=watch.stop.signal)


def _expecting(case: Case, asked: Asked) -> Case:
    """Return a case with what is asked of its baseline, where something is."""
    if asked.expect is None:
        return case
    return replace(case, expect={**case.expect, "baseline": asked.expect})


def _compared(a: RecordedCase, b: RecordedCase, asked: Asked, watch: Watch) -> CaseResult:
    plan = between(a, b)
    plan = replace(plan, case=_expecting(plan.case, asked))
    ask = Ask(
        strict=asked.strict,
        most_elements=asked.most_elements,
        explain_up_to=asked.explain_up_to,
    )
    return examine(plan, RecordedLab([a, b], asked.replays, watch), b.tensors, ask)


def _alone(recorded: RecordedCase) -> CaseResult:
    """Return the result of a case that one of the recordings has not: nothing was compared."""
    return CaseResult(
        case=recorded.case,
        outcome="untested",
        runtimes=tuple(recorded.fingerprints),
        findings=(),
        safe_lengths=(),
        suggested_expect=None,
        failures=(),
        notes=(f"only in {recorded.case.file}",),
    )
