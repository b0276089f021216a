"""What convdiff makes of a labelled kernel: its verdict and its name, held against the label."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from findings import judged
from kernels import Kernel
from labelled import Labelled, drawn
from labelled_faults import Asked, named

from convdiff.case.arrays import Tensors
from convdiff.diagnose.verdict import Finding
from convdiff.worker.ops.convolution import Convolution

Drawn = Callable[..., Labelled]


@dataclass(frozen=True)
class Outcome:
    """A label and what was said."""

    number: int
    made: Labelled
    finding: Finding
    said: str
    """right, same numbers, unnamed, named wrongly, or the verdict where that is wrong."""


def outcome_of(number: int, of: Drawn = drawn) -> Outcome:
    """Judge the kernel of this number."""
    made = of(number, Convolution)
    finding = finding_of(made)
    said = _of_arithmetic if made.kind == "arithmetic" else _of_fault
    return Outcome(number, made, finding, said(made, finding))


def finding_of(made: Labelled, change: Callable[[Asked], Asked] = lambda asked: asked) -> Finding:
    """Hold a kernel, of numbers that are changed first, against the right one."""
    x, w, b = made.asked.x, made.asked.w, made.asked.b
    data = Tensors(_single(w), None if b is None else _single(b), _single(x))
    given = kernel_of(lambda asked: made.given(change(asked)))
    return judged(made.asked.conv, data, kernel_of(made.right), given)


def _single(values: Any) -> Any:
    return values.astype(np.float32)


def kernel_of(of: Any) -> Kernel:
    def kernel(conv: Convolution, data: Tensors) -> Any:
        bias = None if data.bias is None else data.bias.astype(np.float64)
        wide = (data.input_nhwc.astype(np.float64), data.filter_hwio.astype(np.float64))
        return of(Asked(conv, *wide, bias))

    return kernel


def _of_arithmetic(made: Labelled, finding: Finding) -> str:
    expected = ["same", "rounding" if made.arithmetic.legal else "precision"]
    if not made.right(made.asked).any():  # two sides that are all zero prove nothing
        expected.append("mistrusted")
    return "right" if finding.verdict in expected else finding.verdict


def _of_fault(made: Labelled, finding: Finding) -> str:
    if finding.verdict != "wrong":
        return finding.verdict
    if finding.fits is None:
        return "same numbers" if _is_ambiguous(made) else "unnamed"
    fits = re.sub(r": [A-Z_]+'s", "", finding.fits)  # whose padding it is
    said = [tuple(names.split(", and ")) for names in fits.split(" or ")]
    if made.kind in NAMED and any(set(names) == set(made.label) for names in said):
        return "named"
    same = all(made.gives_the_same(names) for names in said)
    return "same numbers" if same else "named wrongly"


NAMED = ("named", "two named")
"""Kinds that have a name."""
FEWEST = 4
"""So many faults that are one thing at a size have no name."""


def _is_ambiguous(made: Labelled) -> bool:
    """Return whether too many faults of the table give the same numbers at this size."""
    if made.kind != "named":
        return False
    others = [fault.name for fault in named(made.asked, np.random.default_rng(0))]
    return sum(made.gives_the_same([name]) for name in others) >= FEWEST


def where(finding: Finding) -> str:
    """Return the words that say where integers are wrong, or nothing."""
    for fact in map(str, finding.evidence):
        for start in ("only in ", "only at ", "at every output", "in all "):
            if start in fact:
                return fact[fact.index(start) :]
    return ""
