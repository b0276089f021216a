"""Which differences are explained, within a budget, and what that makes of their verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.diagnose.cause import explain_difference
from convdiff.diagnose.verdict import Finding, accepts
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.kernel import data_of, flat
from convdiff.lab.store import Spool
from convdiff.order.orders import Orders, orders_of
from convdiff.order.reveal.kernel import Kernel
from convdiff.plan.cell import Cell
from convdiff.recording.pairing import Archive

SAMPLE = 1
"""Comparisons that are explained although `expect` allows them, in each group of a wide sweep."""
FEW = 24
"""Up to so many comparisons, all are explained."""
LIGHT = 1e6
"""Products in a cell up to which it is explained although `expect` allows the difference."""

Kernels = Callable[[Cell], Kernel]


class Explainer:
    """Explains cells once each, until its budget of calls is spent."""

    def __init__(
        self, tensors: Tensors, spool: Spool, kernels: Kernels, budget: int, archive: Archive
    ) -> None:
        self._tensors, self._spool, self._kernels = tensors, spool, kernels
        self._archive, self._left, self._asked = archive, budget, budget > 0
        self.found: dict[Cell, Orders] = {}

    def of(self, cell: Cell) -> Orders | None:
        """Return the orders of a cell's output, or None without an output or a budget.

        A recorded cell's are those that were found then.
        """
        if cell not in self.found and cell.runtime.origin:
            recorded = self._archive.explanation(cell)
            if recorded is None:
                return None
            self.found[cell] = recorded
        if cell not in self.found:
            observation = self._spool.get(cell)
            if observation is None or observation.output is None or self._left <= 0:
                return None
            explanation = orders_of(
                self._kernels(cell),
                data_of(cell, self._tensors),
                flat(observation.output),
                self._left,
            )
            self._left -= explanation.calls
            self.found[cell] = explanation
        return self.found[cell]

    def why_not(self, *cells: Cell) -> str:
        """Say why one of the cells has no explanation."""
        if any(c.runtime.origin and c not in self.found for c in cells):
            return "recorded without its orders, or too large to replay unasked"
        if not self._asked:
            return "explanations are off"
        return "the budget is spent; raise --budget"


def explain_findings(
    case: Case, findings: Sequence[Finding], explainer: Explainer, spool: Spool, *, strict: bool
) -> list[Finding]:
    """Return the findings, those that differ as rounding with why; drift is explained first."""
    chosen = _chosen(case, findings)
    explained: dict[int, Finding] = {}
    for number in sorted(chosen, key=lambda n: _urgency(findings[n])):
        explained[number] = _explained(case, findings[number], explainer, spool, strict=strict)
    return [
        explained.get(number, finding if number in chosen else _unasked(finding))
        for number, finding in enumerate(findings)
    ]


def _urgency(finding: Finding) -> tuple[bool, float]:
    """Order findings by how much their cause is wanted: drift first, then the largest."""
    difference = finding.comparison.difference
    return finding.allowed, -(difference.max_abs if difference else 0.0)


def _unasked(finding: Finding) -> Finding:
    if finding.verdict not in ("rounding", "precision"):
        return finding
    text = "not looked for: expected, and large or one of many; `convdiff explain` shows orders"
    return replace(finding, unasked=text)


def _explained(
    case: Case, finding: Finding, explainer: Explainer, spool: Spool, *, strict: bool
) -> Finding:
    comparison = finding.comparison
    sides = (comparison.baseline, comparison.candidate)
    baseline, candidate = (explainer.of(cell) for cell in sides)
    observations = [spool.get(cell) for cell in sides]
    if baseline is None or candidate is None or comparison.difference is None:
        return replace(finding, unasked=f"not looked for: {explainer.why_not(*sides)}")
    outputs = [o.output for o in observations if o is not None and o.output is not None]
    assert len(outputs) == 2, "an explained cell has an output"
    found = explain_difference(
        baseline,
        candidate,
        (outputs[0], outputs[1]),
        comparison.difference.max_index,
        strict=strict,
    )
    verdict: Verdict = finding.verdict
    evidence = finding.evidence
    for refusal in found.refusals:
        if refusal.kind in ("transform", "unstable"):
            verdict = "transform" if refusal.kind == "transform" else "unstable"
            evidence = (refusal.reason, *evidence)
            break
    if found.status == "proved" and any("precision" in cause for cause in found.causes):
        verdict = "precision"
    finding = replace(finding, verdict=verdict, evidence=evidence, why=found)
    return replace(finding, allowed=accepts(finding, case.expect[comparison.axis]))


def _chosen(case: Case, findings: Sequence[Finding]) -> list[int]:
    """Return which findings are explained: all drift, and what is allowed as far as it is light."""
    rounding = [n for n, f in enumerate(findings) if f.verdict in ("rounding", "precision")]
    chosen = [n for n in rounding if not findings[n].allowed]
    allowed = [n for n in rounding if findings[n].allowed and _is_light(case, findings[n])]
    if len(rounding) > FEW:
        allowed.sort(key=lambda n: -findings[n].comparison.screen_ratio)
        allowed = allowed[:SAMPLE]
    return chosen + allowed


def _is_light(case: Case, finding: Finding) -> bool:
    sides = (finding.comparison.baseline, finding.comparison.candidate)
    return all(is_light(case, cell.batch, cell.length) for cell in sides)


def is_light(case: Case, batch: int, length: int) -> bool:
    """Return whether a cell of this size is explained unasked."""
    outputs = math.prod(case.conv.output_shape(batch, case.height, length))
    return outputs * case.conv.taps <= LIGHT
