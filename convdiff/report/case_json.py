"""What JSON reports hold of a runtime and of a case's findings; the keys are a contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from convdiff.case.expect import write_allowance
from convdiff.compare.comparison import Comparison, Nearness
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.numerics.floats import hexes
from convdiff.plan.cell import Cell, Failure
from convdiff.report.json_values import finite, parted_json
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
    suggestion = case.suggested_expect
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
        "suggested_expect": (
            None
            if suggestion is None
            else {axis: write_allowance(allowance) for axis, allowance in suggestion.items()}
        ),
    }


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
        "exact_error_ulp": _exact_error(comparison.nearness),
        "step": None if finding.without is None else asdict(finding.without),
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


def _exact_error(nearness: Nearness | None) -> dict[str, Any] | None:
    if nearness is None:
        return None
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
        wanted = VERDICTS[finding.verdict].has_cause and not finding.comparison.baseline.is_exact
        status = "unexplained" if wanted else "not_needed"
        none: dict[str, Any] = {"status": status, "cause": [], "replayed": None, "orders": []}
        return {**none, "reason": finding.unasked} if finding.unasked else none
    return {
        "status": why.status,
        "cause": list(why.causes),
        "causes": dict(why.causes),
        "unexplained": why.unexplained,
        "confirmed": why.confirmed,
        "replayed": {side: list(counts) for side, counts in why.replayed.items()},
        "orders": [
            {
                "side": order.side,
                "elements": order.elements,
                "notation": order.notation,
                "description": order.words,
                "fused": order.fused,
                "where": order.where,
                "replayed": True,
            }
            for order in why.orders
        ],
        "parted": parted_json(why.parted),
        "refusals": [{"kind": r.kind, "reason": r.reason} for r in why.refusals],
    }


def _elements(finding: Finding) -> list[dict[str, Any]]:
    comparison = finding.comparison
    if comparison.difference is None or comparison.difference.worst is None:
        return []
    worst, exact = comparison.difference.worst, comparison.exact
    baseline_hex, candidate_hex = hexes(worst.baseline), hexes(worst.candidate)
    return [
        {
            "index": [int(i) for i in worst.index[row]],
            "baseline": shortest(worst.baseline[row]),
            "candidate": shortest(worst.candidate[row]),
            "baseline_hex": baseline_hex[row],
            "candidate_hex": candidate_hex[row],
            "abs": finite(abs(float(worst.delta[row]))),
            "ulp": int(worst.ulp[row]),
            "exact": None if exact is None else shortest(exact[row]),
        }
        for row in range(len(worst))
    ]


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
