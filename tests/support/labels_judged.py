"""What convdiff makes of a labelled kernel: its verdict and its name, held against the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from findings import judged
from kernels import Kernel
from labelled import Labelled, drawn
from labelled_faults import Asked

from convdiff.case.arrays import Tensors
from convdiff.diagnose.verdict import Finding
from convdiff.worker.ops.conv2d import Convolution


@dataclass(frozen=True)
class Outcome:
    """A label and what was said."""

    number: int
    made: Labelled
    finding: Finding
    said: str
    """right, same numbers, unnamed, named wrongly, or the verdict where that is wrong."""


def outcome_of(number: int) -> Outcome:
    """Judge the kernel of this number."""
    made = drawn(number, Convolution)
    x, w, b = made.asked.x, made.asked.w, made.asked.b
    data = Tensors(_single(w), None if b is None else _single(b), _single(x))
    finding = judged(made.asked.conv, data, kernel_of(made.right), kernel_of(made.given))
    said = _of_arithmetic if made.kind == "arithmetic" else _of_fault
    return Outcome(number, made, finding, said(made, finding))


def _single(values: Any) -> Any:
    return values.astype(np.float32)


def kernel_of(of: Any) -> Kernel:
    def kernel(conv: Convolution, data: Tensors) -> Any:
        bias = None if data.bias is None else data.bias.astype(np.float64)
        wide = (data.input_nhwc.astype(np.float64), data.filter_hwio.astype(np.float64))
        return of(Asked(conv, *wide, bias))

    return kernel


def _of_arithmetic(made: Labelled, finding: Finding) -> str:
    expected = ("rounding",) if made.arithmetic.legal else ("precision",)
    return "right" if finding.verdict in (*expected, "same") else finding.verdict


def _of_fault(made: Labelled, finding: Finding) -> str:
    if finding.verdict != "wrong":
        return finding.verdict
    said = [tuple(names.split(", and ")) for names in (finding.fits or "").split(" or ")]
    if finding.fits is None:
        return "unnamed"
    if made.kind in ("named", "two named") and any(set(s) == set(made.label) for s in said):
        return "named"
    same = all(made.gives_the_same(names) for names in said)
    return "same numbers" if same else "named wrongly"


def where(finding: Finding) -> str:
    """Return the words that say where integers are wrong, or nothing."""
    for fact in map(str, finding.evidence):
        for start in ("only in ", "only at ", "at every output", "in all "):
            if start in fact:
                return fact[fact.index(start) :]
    return ""
