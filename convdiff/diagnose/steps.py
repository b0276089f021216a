"""Outputs of a quantised kernel that are farther off than its steps can take them."""

from __future__ import annotations

import numpy as np

from convdiff.behaviour.quantisation import Quantisation
from convdiff.compare.fp64 import plain_fp64
from convdiff.diagnose.evidence import Side, SideFact
from convdiff.diagnose.verdict import Ruling
from convdiff.lab.lab import Lab
from convdiff.plan.cell import Cell, NoBits
from convdiff.worker.ops.convolution import Convolution


def by_steps(
    conv: Convolution, side: Side, cell: Cell, quantisation: Quantisation | None, lab: Lab
) -> Ruling | None:
    """Rule on a quantised side whose outputs its steps do not explain."""
    output = lab.bits(cell)
    if quantisation is None or isinstance(output, NoBits):
        return None
    conv = conv.first(cell.channels)
    tensors = lab.inputs(cell).upto(cell.batch, cell.length).first(conv)
    off = np.abs(output.astype(np.float64) - plain_fp64(conv, tensors))
    sums = conv._replace(then="")  # a step takes no output farther off than its sum was
    beyond = int(np.count_nonzero(~(off <= quantisation.bound(sums, tensors))))
    if not beyond:
        return None
    beyond_reach = f"{beyond} of {off.size} outputs are farther off than that can take them"
    return "wrong", (SideFact(side, f"{quantisation.words}; {beyond_reach}"),)
