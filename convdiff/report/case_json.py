"""What JSON reports hold of a runtime and of a case's findings; the keys are a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from convdiff.case.axes import Axis
from convdiff.case.expect import write_allowance
from convdiff.case.model import Allowance
from convdiff.compare.comparison import Comparison, Nearness
from convdiff.diagnose.cause import SideOrder
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.numerics.floats import hexes
from convdiff.plan.cell import Cell, Failure
from convdiff.report.json_values import finite, or_null, parted_json, refusal_json
from convdiff.report.numbers import shortest
from convdiff.result import CaseResult
from convdiff.runtime.model import Standing


def runtime_json(standing: Standing) -> dict[str, Any]:
    """Return a runtime as plain values."""
    interpreter = standing.runtime.interpreter
    return {
        "id": standing.runtime.id,
        "framework": interpreter.framework,
        "version": standing.fingerprint.get("version"),
        "device": str(standing.runtime.device),
        "available": standing.available,
        "reason": standing.reason,
        "settings": dict(interpreter.settings),
        "fingerprint": dict(standing.fingerprint),
    }


def case_json(case: CaseResult) -> dict[str, Any]:
    """Return a case's findings as plain values."""
    return {
        "name": case.case.name,
        "file": case.case.file,
        "outcome": case.outcome,
        "notes": list(case.notes),
        "unclaimed": list(case.unclaimed),
        "then": case.case.conv.then or None,
        "cells": {"asked": case.cells, "done": case.done},
        "not_compared": max(0, case.planned - len(case.findings)),
        "failures": [_failure(failure) for failure in case.failures],
        "comparisons": [_comparison(finding) for finding in case.findings],
        "safe_lengths": [_safe(safe) for safe in case.safe_lengths],
        "suggested_expect": or_null(case.suggested_expect, _expectation),
    }


def _expectation(expect: Mapping[Axis, Allowance]) -> dict[str, Any]:
    return {axis: write_allowance(allowance) for axis, allowance in expect.items()}


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        **_side(failure.cell),
        "trial": failure.cell.trial,
        "reason": failure.reason,
        "died": failure.died,
    }


def _comparison(finding: Finding) -> dict[str, Any]:
    comparison = finding.comparison
    return {
        "axis": comparison.axis,
        "baseline": _side(comparison.baseline),
        "candidate": _side(comparison.candidate),
        "verdict": finding.verdict,
        "allowed": finding.allowed,
        "order": finding.lock or None,
        "reason": comparison.reason,
        "evidence": [str(fact) for fact in finding.evidence],
        "fits": finding.fits,
        "fits_side": finding.fits_side,
        **_sizes(comparison),
        "bound_ratio": finite(comparison.bound_ratio),
        "screen_ratio": finite(comparison.screen_ratio),
        "exact_error_ulp": or_null(comparison.nearness, _exact_error),
        "step": or_null(finding.without, asdict),
        "elements_shown": _elements(finding),
        "explanation": _explanation(finding),
    }


def _sizes(comparison: Comparison) -> dict[str, Any]:
    """Return how many elements differ, and by how much; nulls where nothing was compared."""
    difference, sampled_of = comparison.difference, comparison.sampled_of
    if difference is None:
        unknown = dict.fromkeys(("max_abs", "max_ulp", "max_index"))
        return {"elements": 0, "sampled_of": sampled_of, "differing": 0, **unknown}
    return {
        "elements": difference.elements,
        "sampled_of": sampled_of,
        "differing": difference.differing,
        "max_abs": finite(difference.max_abs),
        "max_ulp": difference.max_ulp,
        "max_index": difference.max_index,
    }


def _exact_error(nearness: Nearness) -> dict[str, Any]:
    return {
        "baseline": finite(nearness.baseline),
        "candidate": finite(nearness.candidate),
        "nearer": nearness.nearer,
        "baseline_nearer": nearness.baseline_nearer,
        "candidate_nearer": nearness.candidate_nearer,
        "elements": nearness.elements,
    }


def _explanation(finding: Finding) -> dict[str, Any]:
    why = finding.why
    if why is None:
        return _no_explanation(finding)
    return {
        "status": why.status,
        "cause": list(why.causes),
        "causes": dict(why.causes),
        "unexplained": why.unexplained,
        "confirmed": why.confirmed,
        "replayed": {side: list(counts) for side, counts in why.replayed.items()},
        "orders": [_order(order) for order in why.orders],
        "parted": or_null(why.parted, parted_json),
        "refusals": [refusal_json(refusal) for refusal in why.refusals],
    }


def _no_explanation(finding: Finding) -> dict[str, Any]:
    status = "not_needed"
    if VERDICTS[finding.verdict].has_cause and not finding.comparison.baseline.is_exact:
        status = "unexplained"
    none: dict[str, Any] = {"status": status, "cause": [], "replayed": None, "orders": []}
    if finding.unasked:
        none["reason"] = finding.unasked
    return none


def _order(order: SideOrder) -> dict[str, Any]:
    return {
        "side": order.side,
        "elements": order.elements,
        "notation": order.notation,
        "description": order.words,
        "fused": order.fused,
        "where": order.where,
        "replayed": True,
    }


def _elements(finding: Finding) -> list[dict[str, Any]]:
    comparison = finding.comparison
    if comparison.difference is None or comparison.difference.worst is None:
        return []
    worst, shown = comparison.difference.worst, []
    baseline_hex, candidate_hex = hexes(worst.baseline), hexes(worst.candidate)
    exact = [None] * len(worst) if comparison.exact is None else comparison.exact
    for row in range(len(worst)):
        element = {
            "index": [int(i) for i in worst.index[row]],
            "baseline": shortest(worst.baseline[row]),
            "candidate": shortest(worst.candidate[row]),
            "baseline_hex": baseline_hex[row],
            "candidate_hex": candidate_hex[row],
            "abs": finite(abs(float(worst.delta[row]))),
            "ulp": int(worst.ulp[row]),
            "exact": or_null(exact[row], shortest),
        }
        shown.append(element)
    return shown


def _side(cell: Cell) -> dict[str, Any]:
    return {
        "runtime": cell.runtime.id,
        "op": cell.op,
        "length": cell.length,
        "batch": cell.batch,
        "repeat": cell.repeat,
        "channels": cell.channels,
    }


def _safe(safe: SafeLengths) -> dict[str, Any]:
    return {
        "runtime": safe.runtime,
        "longest": safe.longest,
        "others": list(safe.others),
        "lengths": list(safe.lengths),
        "unsafe": list(safe.unsafe),
        "untested": list(safe.untested),
        "unstable": list(safe.unstable),
        "random_inputs": safe.inputs,
        "rule": safe.rule,
        "proved": list(safe.proved),
        "advised": safe.advised,
    }
