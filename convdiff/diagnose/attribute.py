"""Which differences are explained, within a budget, and what that makes of their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from convdiff.case.model import Case
from convdiff.diagnose.cause import Explanation, explain_difference
from convdiff.diagnose.evidence import SideFact
from convdiff.diagnose.own_sums import of_own_sums
from convdiff.diagnose.verdict import TINY, Finding, accepts, allowance_of
from convdiff.diagnose.verdicts import Verdict
from convdiff.lab.lab import Lab, NotAsked
from convdiff.lab.pace import Work
from convdiff.order.counterfactual import NARROWING
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.cost import CALL, LIGHT, TOGETHER, products
from convdiff.runtime.model import Runtime

WIDE = 24
"""Up to so many comparisons, all are explained; of more, and allowed ones, one a runtime, and so
where they are large together."""
EXPLAINABLE: tuple[Verdict, ...] = ("rounding", "precision")
EXPECTED = "expected, and large or one of many; --explain asks for all"

QUANTISED = "no order of the case's own products gives sums of quantised ones"


def attribute(
    case: Case,
    findings: Sequence[Finding],
    lab: Lab,
    *,
    strict: bool,
    up_to: float | None = None,
) -> list[Finding]:
    """Return the findings, those that differ as rounding with why; drift is explained first.

    up_to: products of a cell up to which what `expect` allows is explained, too, however many there
    are; None explains what takes next to no time.
    """
    chosen = sorted(_chosen(case, findings, up_to), key=lambda n: _urgency(findings[n]))
    explained: dict[int, Finding] = {}
    for number in lab.paced(chosen, lambda n: Work(CALL + _size(case, findings[n]))):
        explained[number] = _explained(case, findings[number], lab, strict=strict)
    attributed = []
    for number, finding in enumerate(findings):
        if finding.comparison.baseline.is_exact:
            attributed.append(of_own_sums(case, finding, lab))
        elif number in explained:
            attributed.append(explained[number])
        elif finding.verdict in EXPLAINABLE:
            attributed.append(_not_looked_for(finding, EXPECTED))
        else:
            attributed.append(finding)
    return attributed


def _urgency(finding: Finding) -> tuple[bool, float]:
    """Order findings by how much their cause is wanted: drift first, then the largest."""
    difference = finding.comparison.difference
    return finding.allowed, -(difference.max_abs if difference else 0.0)


def _not_looked_for(finding: Finding, reason: str) -> Finding:
    return replace(finding, unasked=f"not looked for: {reason}")


def _explained(case: Case, finding: Finding, lab: Lab, *, strict: bool) -> Finding:
    comparison = finding.comparison
    if _is_quantised(comparison.baseline, lab) or _is_quantised(comparison.candidate, lab):
        return _not_looked_for(finding, QUANTISED)
    baseline, candidate = lab.orders(comparison.baseline), lab.orders(comparison.candidate)
    if isinstance(baseline, NotAsked):
        return _not_looked_for(finding, baseline.reason)
    if isinstance(candidate, NotAsked):
        return _not_looked_for(finding, candidate.reason)
    outputs = lab.bits(comparison.baseline), lab.bits(comparison.candidate)
    assert not isinstance(outputs[0], NoBits), "an explained cell has an output"
    assert not isinstance(outputs[1], NoBits), "an explained cell has an output"
    assert comparison.difference is not None, "what differs was measured"
    worst = comparison.difference.max_index
    both = outputs[0], outputs[1]
    work = partial(explain_difference, baseline, candidate, both, worst, strict=strict)
    cause = lab.compute(f"explaining length {comparison.candidate.length}", work)
    if isinstance(cause, NotAsked):
        return _not_looked_for(finding, cause.reason)
    finding = _ruled(replace(finding, why=cause), cause)
    return replace(finding, allowed=accepts(finding, allowance_of(case, finding)))


def _is_quantised(cell: Cell, lab: Lab) -> bool:
    """Return whether probes proved that a cell sums other numbers than the case's."""
    behaviour = lab.known(cell).behaviour
    traits = None if behaviour is None else behaviour.traits
    return traits is not None and traits.quantised is not None


def _ruled(finding: Finding, cause: Explanation) -> Finding:
    """Return the finding with the verdict that its cause makes of it."""
    verdicts: dict[str, Verdict] = {"transform": "transform", "unstable": "unstable"}
    for refusal in cause.refusals:
        if refusal.kind in verdicts:
            evidence = (refusal.reason, *finding.evidence)
            finding = replace(finding, verdict=verdicts[refusal.kind], evidence=evidence)
            break
    narrows = any(NARROWING.intersection(one.parts) for one in cause.causes)
    if finding.verdict == "rounding" and narrows:
        return replace(finding, verdict="precision", evidence=tuple(_narrowed(cause)))
    return finding


def _narrowed(cause: Explanation) -> Iterator[SideFact]:
    """Yield what each side narrows, once: what probes saw of it, that of rounding, is disproved."""
    facts = dict.fromkeys((order.side, order.narrowed) for order in cause.orders)
    for side, fact in facts:
        if fact:
            yield SideFact(side, fact)


def _chosen(case: Case, findings: Sequence[Finding], up_to: float | None) -> list[int]:
    """Return which findings are explained: all drift, and what is allowed as far as is asked.

    So is all that may be no rounding if its cause is known.
    """
    candidates = [n for n, finding in enumerate(findings) if _has_cause(finding)]
    urgent = [n for n in candidates if not findings[n].allowed or _is_tiny(findings[n])]
    others = sorted(set(candidates) - set(urgent))
    if up_to is not None:
        return urgent + _up_to(up_to, case, findings, others)
    light = _up_to(LIGHT, case, findings, others)
    together = sum(_size(case, findings[n]) for n in light)
    if len(candidates) > WIDE or together > TOGETHER:
        light = list(_one_a_runtime(findings, light))
    return urgent + light


def _up_to(
    most: float, case: Case, findings: Sequence[Finding], numbers: Sequence[int]
) -> list[int]:
    """Return those of these findings whose cells sum at most so many products."""
    return [n for n in numbers if _size(case, findings[n]) <= most]


def _one_a_runtime(findings: Sequence[Finding], numbers: Sequence[int]) -> Iterator[int]:
    """Yield those of these findings that first tell a runtime's order, unusual ones first."""
    covered: set[Runtime] = set()
    for number in sorted(numbers, key=lambda n: -findings[n].comparison.screen_ratio):
        cells = findings[number].comparison.cells
        runtimes = {cell.runtime for cell in cells if not cell.is_reference}
        if not runtimes <= covered:
            covered |= runtimes
            yield number


def _has_cause(finding: Finding) -> bool:
    """Return whether two orders may explain a finding."""
    return finding.verdict in EXPLAINABLE and not finding.comparison.baseline.is_exact


def _is_tiny(finding: Finding) -> bool:
    """Return whether a side may have flushed numbers to zero, which is no rounding if it did."""
    difference = finding.comparison.difference
    return difference is not None and 0 < difference.max_abs < TINY


def _size(case: Case, finding: Finding) -> int:
    """Return the products of the larger of both cells."""
    return max(products(case, cell) for cell in finding.comparison.cells)
