"""What differs without the step that follows: the convolutions, or what the step makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from convdiff.case.model import Case
from convdiff.compare.align import aligned, shared
from convdiff.compare.difference import differs
from convdiff.diagnose.evidence import Evidence, Side, SideFact
from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS
from convdiff.diagnose.with_and_without import WithoutStep
from convdiff.lab.lab import Lab
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell, NoBits
from convdiff.plan.cost import LIGHT, products
from convdiff.worker.ops.then import applied

MOST = 24
"""Comparisons whose cells are also run without the step: drift first, then what is the same."""


def beside_step(case: Case, findings: Sequence[Finding], lab: Lab) -> list[Finding]:
    """Return the findings, some of them with what their cells give without the step."""
    completed = list(findings)
    if not case.conv.then:
        return completed
    chosen = _chosen(case, findings)
    cells = dict.fromkeys(chain.from_iterable(_bare(findings[number]) for number in chosen))
    for _ in lab.observe(list(cells)):
        pass
    for number in chosen:
        completed[number] = _told(case, findings[number], lab)
    return completed


def _chosen(case: Case, findings: Sequence[Finding]) -> list[int]:
    """Return the findings that are looked at: drift, the largest first, then what is the same."""
    there = [n for n, one in enumerate(findings) if _can_be_told(case, one)]
    drift = [n for n in there if not findings[n].allowed]
    drift.sort(key=lambda n: -findings[n].comparison.screen_ratio)
    same = [n for n in there if not VERDICTS[findings[n].verdict].differs]
    return [*drift, *same][:MOST]


def _can_be_told(case: Case, finding: Finding) -> bool:
    comparison, cells = finding.comparison, finding.comparison.cells
    live = not any(cell.is_exact or cell.recorded or cell.trial for cell in cells)
    measured = comparison.difference is not None and not comparison.mismatch
    named = finding.verdict == "wrong" and finding.fits is not None
    light = all(products(case, cell) <= LIGHT for cell in cells) or not finding.allowed
    return live and measured and light and not named and finding.verdict != "unstable"


def _bare(finding: Finding) -> tuple[Cell, Cell]:
    """Return the cells of both sides without the step."""
    baseline, candidate = finding.comparison.cells
    return replace(baseline, bare=True), replace(candidate, bare=True)


def _told(case: Case, finding: Finding, lab: Lab) -> Finding:
    """Return a finding with what its cells give without the step, where they give anything."""
    cells = finding.comparison.cells
    outputs = [lab.bits(cell) for cell in (*cells, *_bare(finding))]
    arrays = [output for output in outputs if not isinstance(output, NoBits)]
    if len(arrays) < len(outputs):
        return finding
    whole = _differing(case, finding, *arrays[:2])
    alone = _differing(case, finding, *arrays[2:])
    without = WithoutStep(
        case.conv.then,
        differing=int(np.count_nonzero(alone)),
        passed_on=int(np.count_nonzero(alone & whole)),
        hidden=int(np.count_nonzero(alone & ~whole)),
        made=int(np.count_nonzero(whole & ~alone)),
    )
    if finding.allowed and not without.differing:
        return finding
    fused = _fused(case, cells, arrays, lab)
    without = replace(without, fused=(fused[0], fused[1]))
    facts = _facts(without, [output.size for output in arrays])
    return replace(finding, without=without, evidence=(*finding.evidence, without.words, *facts))


def _differing(case: Case, finding: Finding, one: Array, other: Array) -> Array:
    """Return the mask of elements in which two outputs differ, as far as both have them."""
    lengths = finding.comparison.baseline.length, finding.comparison.candidate.length
    channels = min(one.shape[3], other.shape[3])
    width = shared(case.conv, lengths)
    return differs(*aligned(one[..., :channels], other[..., :channels], width), strict=False)


SIDES: tuple[Side, Side] = ("baseline", "candidate")


def _fused(case: Case, cells: Sequence[Cell], arrays: Sequence[Array], lab: Lab) -> list[int]:
    """Return in how many elements each side is not what the step makes of what it gives alone."""
    counts = []
    for cell, whole, alone in zip(cells, arrays[:2], arrays[2:], strict=True):
        conv, added = cell.conv_of(case.conv), lab.inputs(cell).added
        if added is not None:
            added = conv.addend(added, (cell.batch, case.height, cell.length, conv.channels_in))
        with np.errstate(all="ignore"):
            stepped = applied(conv.then, alone, added)
        counts.append(int(np.count_nonzero(differs(whole, stepped, strict=False))))
    return counts


def _facts(without: WithoutStep, sizes: Sequence[int]) -> Iterator[Evidence]:
    """Yield the sides whose convolution is another one where the step is in the same call."""
    for side, unlike, size in zip(SIDES, without.fused, sizes, strict=False):
        if unlike:
            fact = f"{without.then} in the same call changes {unlike:,} of {size:,} elements"
            yield SideFact(side, fact)
