"""The two sides of a change, run side by side: what differs between them, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from convdiff.case.axes import Axis
from convdiff.case.model import Case
from convdiff.diagnose.verdict import Finding, is_opinion
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.result import CaseResult
from convdiff.runtime.model import Interpreter, Standing
from convdiff.search.signature import gravest
from convdiff.search.stepping import Stepping


@dataclass(frozen=True)
class Neighbours:
    """Both sides in one run."""

    result: CaseResult
    finding: Finding | None
    """The gravest difference between the two; None where they agree."""
    standings: tuple[Standing, ...]


def neighbours(
    case: Case, interpreters: Sequence[Interpreter], axis: Axis, stepping: Stepping
) -> Neighbours | None:
    """Run a case that has both sides of a change along an axis; None as `in_session` is."""
    with Session(interpreters, stepping.timeout) as session:
        session.start()
        stepping.stopping(session)
        return in_session(case, session, axis, stepping.ask, stepping.tell)


def in_session(case: Case, session: Session, axis: Axis, ask: Ask, tell: Tell) -> Neighbours | None:
    """Run a case on workers that are there. What differs is explained, whatever is allowed.

    None where nothing was run, or too little to say that the two agree.
    """
    result = run([case], session, replace(ask, explain_up_to=float("inf")), tell)
    if not result.cases:
        return None
    along = [
        finding
        for finding in result.cases[0].findings
        if finding.comparison.axis == axis and not is_opinion(finding.comparison)
    ]
    finding, compared = gravest(along), [one.comparison.difference is not None for one in along]
    if finding is None and (result.cases[0].ended or not all(compared) or not compared):
        return None
    return Neighbours(result.cases[0], finding, result.standings)
