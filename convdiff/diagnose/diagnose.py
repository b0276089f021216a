"""From comparisons to findings: decide what to probe, probe it, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convdiff.behaviour.behaviour import Behaviour
from convdiff.behaviour.known_faults import fit_data
from convdiff.case.model import Case
from convdiff.compare.comparison import Comparison
from convdiff.compare.reference import Reference
from convdiff.diagnose.verdict import Finding, accepts, judge
from convdiff.plan.cell import Cell, Observation

SAMPLE = 3
"""Shapes probed for each (runtime, op) where all differences have the usual size of rounding."""
HEAVY = 5e9
"""Products in one cell; above, only what looks unusual is probed."""


Examine = Callable[[Cell], "Behaviour | None"]
"""Says what probes found in a cell; None where it was not probed."""


def diagnose(
    case: Case,
    comparisons: Sequence[Comparison],
    reference: Reference,
    outputs: Mapping[Cell, Observation],
    examine: Examine | None,
) -> list[Finding]:
    """Return a finding for each comparison, in order.

    `outputs` holds the observations of comparisons that look unusual; `examine` probes, and is
    None where nothing can be run any more (after an interrupt).
    """
    unstable = {
        comparison.baseline
        for comparison in comparisons
        if comparison.axis == "repeat" and comparison.difference and comparison.difference.differing
    }
    probed: dict[Cell, Behaviour] = {}
    if examine is not None:
        for cell in cells_to_probe(case, comparisons):
            found = None if cell in unstable else examine(cell)
            if found is not None:
                probed[cell] = found
    findings = []
    for comparison in comparisons:
        baseline = probed.get(comparison.baseline, Behaviour(None, None))
        candidate = probed.get(comparison.candidate, Behaviour(None, None))
        fits = candidate.fits or baseline.fits
        if fits is None and comparison.screen_ratio > 1:
            fits = _fit_data(case, comparison, reference, outputs)
        verdict, evidence = judge(
            comparison,
            baseline.traits,
            candidate.traits,
            bool({comparison.baseline, comparison.candidate} & unstable),
            fits,
        )
        silent = any(
            cell in probed and probed[cell].traits is None
            for cell in (comparison.baseline, comparison.candidate)
        )
        if silent and verdict == "rounding":
            evidence = ("the probes got no answer: not taken for rounding unproved", *evidence)
        asked = {comparison.baseline, comparison.candidate} & set(probed)
        if verdict == "rounding" and examine is not None and not asked:
            evidence = (*evidence, "not probed itself: one of many cells")
        finding = Finding(comparison, verdict, False, evidence, fits, silent=silent)
        allowed = accepts(finding, case.expect[comparison.axis])
        findings.append(replace(finding, allowed=allowed))
    return findings


def unusual(comparison: Comparison) -> bool:
    """Return whether a comparison is more than an everyday rounding difference."""
    difference = comparison.difference
    return comparison.mismatch or bool(
        difference and difference.differing and (comparison.screen_ratio > 1 or difference.appeared)
    )


def cells_to_probe(case: Case, comparisons: Sequence[Comparison]) -> list[Cell]:
    """Return both sides of all that is unusual, and a sample of the rest for each (runtime, op)."""
    differing = [
        c
        for c in comparisons
        if c.axis != "repeat" and (c.mismatch or (c.difference and c.difference.differing))
    ]
    wanted: dict[Cell, None] = {}
    for comparison in filter(unusual, differing):
        wanted.update(dict.fromkeys((comparison.baseline, comparison.candidate)))
    sampled: dict[tuple[str, str], int] = {}
    for comparison in sorted(differing, key=lambda c: -c.screen_ratio):
        for cell in (comparison.baseline, comparison.candidate):
            key = (cell.runtime.id, cell.op)
            shape = case.conv.output_shape(cell.batch, case.height, cell.length)
            heavy = float(np.prod(shape)) * case.conv.taps > HEAVY
            if cell not in wanted and not heavy and sampled.get(key, 0) < SAMPLE:
                sampled[key] = sampled.get(key, 0) + 1
                wanted[cell] = None
    return list(wanted)


def _fit_data(
    case: Case,
    comparison: Comparison,
    reference: Reference,
    outputs: Mapping[Cell, Observation],
) -> str | None:
    """Try the known mistakes on the case's own data, for faults that the probes do not trigger."""
    for cell in (comparison.candidate, comparison.baseline):
        observation = outputs.get(cell)
        if observation is None or observation.output is None:
            continue
        cut = np.ascontiguousarray(reference.tensors.input_nhwc[: cell.batch, :, : cell.length])
        tensors = replace(reference.tensors, input_nhwc=cut)
        found = fit_data(case.conv, tensors, observation.output)
        if found:
            return found
    return None
