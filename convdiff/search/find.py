"""From a case to its gravest difference, and from there to the least case that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from convdiff import pipeline
from convdiff.case.arrays import make_tensors
from convdiff.case.model import Case
from convdiff.lab.lab import Tell
from convdiff.lab.session import Session
from convdiff.lab.watch import Watch
from convdiff.pipeline import Ask
from convdiff.plan.cell import Cell
from convdiff.result import Result
from convdiff.runtime.model import Runtime
from convdiff.search.kept import Kept
from convdiff.search.ledger import NOWHERE, Ledger, Value
from convdiff.search.shrink import Shrinker, Shrunk, Target, problem_of, shrink, target_of
from convdiff.search.signature import Signature, gravest


def shrunk(
    case: Case, session: Session, ask: Ask, most: int, tell: Tell, ledger: Ledger | None = None
) -> tuple[Result, Shrunk | None]:
    """Run a case, and shrink its gravest difference; None where there is none to shrink.

    Every difference is explained on the way, whatever is allowed: the cause has to stay. ledger:
    what is known of earlier runs; nothing unless given. Where it knows what is to be shrunk, the
    result has no cases.
    """
    ask, watch = replace(ask, explain_up_to=float("inf")), Watch(tell, session.stopping)
    watch.tell(f"{case.name}: importing frameworks")
    standings, tensors = session.availability(case), make_tensors(case)
    here = [standing.runtime for standing in standings if standing.available]
    kept = Kept.of(ledger or Ledger(NOWHERE), standings, session)
    result = Result(tuple(standings), (), signal=session.signal)

    def run() -> Value | None:
        nonlocal result
        result = pipeline.run([case], session, ask, tell)
        return _told(result, here)

    value = kept.step("gravest", case, tensors, [ask], run)
    if value is None or session.signal:
        return result, None
    target, fingerprints = _target(value, here), {one.runtime: one.fingerprint for one in standings}
    shrinker = Shrinker(target, session, fingerprints, ask, watch, kept)
    least = shrink(problem_of(case, tensors, target), most, shrinker)
    if least is None and not result.cases and not session.signal:
        run()  # what it shows is told
    return result, least


COORDINATES = [one.name for one in fields(Cell) if one.name != "runtime"]


def _told(result: Result, here: Sequence[Runtime]) -> Value | None:
    """Return what is to be shrunk as JSON takes it; None where that is nothing, or may change."""
    finding = gravest(result.cases[0].findings) if result.cases else None
    if finding is None or result.interrupted:
        return None
    target = target_of(finding)
    cells = []
    for cell in target.cells:
        coordinates = {name: getattr(cell, name) for name in COORDINATES}
        cells.append({"runtime": here.index(cell.runtime), **coordinates})
    return {"cells": cells, "axis": target.axis, "signature": target.signature.told}


def _target(value: Mapping[str, Any], here: Sequence[Runtime]) -> Target:
    cells = [Cell(**{**cell, "runtime": here[cell["runtime"]]}) for cell in value["cells"]]
    return Target(value["axis"], (cells[0], cells[1]), Signature.read(value["signature"]))
