"""From a case to its gravest difference, and from there to the least case that shows it."""

from __future__ import annotations

from dataclasses import replace

from convdiff import pipeline
from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.pipeline import Ask
from convdiff.result import Result
from convdiff.search.shrink import Shrinker, Shrunk, problem_of, shrink, target_of
from convdiff.search.signature import gravest


def shrunk(
    case: Case, session: Session, ask: Ask, most: int, tell: Tell
) -> tuple[Result, Shrunk | None]:
    """Run a case, and shrink its gravest difference; None where there is none to shrink.

    Every difference is explained on the way, whatever is allowed: the cause has to stay.
    """
    ask = replace(ask, explain_up_to=float("inf"))
    result = pipeline.run([case], session, ask, tell)
    finding = gravest(result.cases[0].findings) if result.cases else None
    if finding is None or session.signal:
        return result, None
    fingerprints = {one.runtime: one.fingerprint for one in result.standings}
    target = target_of(finding)
    start = problem_of(case, make_tensors(case), target)
    shrinker = Shrinker(target, session, fingerprints, ask, Watch(tell, session.stopping))
    return result, shrink(finding, start, most, shrinker)
