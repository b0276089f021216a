"""Two recordings, compared without running anything: the same way through the house, no worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from convdiff.case.model import Allowance
from convdiff.lab.pool import Pool
from convdiff.pipeline import Request, examine_case
from convdiff.recording.model import RecordedCase, Recording
from convdiff.recording.pairing import between
from convdiff.result import CaseResult, Result
from convdiff.runtime.model import Standing

UNASKED = 2e7
"""Products of a cell up to which its orders are replayed unasked; more take seconds."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a comparison."""

    expect: Allowance | None = None
    """What may differ; None is what the second recording's case expects of a baseline."""
    strict: bool = False
    most_elements: int = 10
    replays: float = UNASKED
    """Products of a cell up to which its orders are replayed."""


def compare_recordings(a: Recording, b: Recording, asked: Asked) -> Result:
    """Compare B with A, case by case. Raises RecordingError for orders that are none."""
    results = [
        _compared(a.cases[name], b.cases[name], asked)
        if name in b.cases and name in a.cases
        else _alone(a.cases.get(name) or b.cases[name])
        for name in dict.fromkeys([*a.cases, *b.cases])
    ]
    both = [*a.cases.values(), *b.cases.values()]
    standings = [
        Standing(runtime, True, None, fingerprint)
        for recorded in both
        for runtime, fingerprint in recorded.fingerprints.items()
    ]
    return Result(tuple(_once(standings)), tuple(results))


def _compared(a: RecordedCase, b: RecordedCase, asked: Asked) -> CaseResult:
    plan, archive = between(a, b, asked.replays)
    expect = plan.case.expect
    if asked.expect is not None:
        expect = {**expect, "baseline": asked.expect}
    plan = replace(plan, case=replace(plan.case, expect=expect))
    request = Request((), strict=asked.strict, most_elements=asked.most_elements, budget=1)
    if not asked.replays:
        request = replace(request, budget=0)
    with Pool(timeout=1) as nobody:
        return examine_case(plan, b.tensors, request, nobody, lambda *_: None, archive)


def _alone(recorded: RecordedCase) -> CaseResult:
    """Return the result of a case that one of the recordings has not: nothing was compared."""
    return CaseResult(
        case=recorded.case,
        outcome="untested",
        runtimes=tuple(recorded.fingerprints),
        findings=(),
        safe_lengths=(),
        suggested_expect=None,
        remedies=(),
        failures=(),
        notes=(f"only in {recorded.case.file}",),
    )


def _once(standings: Sequence[Standing]) -> list[Standing]:
    """Return one standing a runtime."""
    return list({standing.runtime: standing for standing in standings}.values())
