"""Inputs padded with zeros to another length or batch, and outputs cut to what was asked for.

So a padded run stands where an unpadded one would: it is compared, measured and judged as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.lab.jobs import Places, observe
from convdiff.lab.live import Observed
from convdiff.lab.pool import Pool
from convdiff.numerics.array import Array
from convdiff.plan.cell import Cell, NoBits

LEAST_TARGETS = 3
"""Lengths that are padded to, on which a rule is founded."""


@dataclass(frozen=True)
class Pads:
    """To what inputs are padded."""

    lengths: Mapping[int, int] = field(default_factory=dict)
    """Each length's; one that is not in it stays."""
    batch: int = 0
    """The images of every input; 0 leaves them."""

    def of(self, cell: Cell) -> Cell:
        """Return the cell that is run in place of another."""
        length = self.lengths.get(cell.length, cell.length)
        return replace(cell, length=length, batch=max(cell.batch, self.batch))

    def longest_of(self, case: Case) -> int:
        """Return the length that grows the most times, else the middle one."""
        lengths = case.lengths
        order = (lengths[len(lengths) // 2], *lengths)
        return max(order, key=lambda one: self.lengths.get(one, one) / one)

    def observe(
        self, case: Case, cells: Sequence[Cell], tensors: Tensors, pool: Pool, places: Places
    ) -> Iterator[Observed]:
        """Run cells as `jobs.observe` does; the case's own op on padded inputs."""
        groups: dict[tuple[int, int], list[Cell]] = {}
        for cell in cells:
            size = (0, 0) if cell.is_reference else (cell.length, cell.batch)
            groups.setdefault(size, []).append(cell)
        yield from observe(case, groups.pop((0, 0), []), tensors, pool, places)
        for (length, batch), group in groups.items():
            asked = {self.of(cell): cell for cell in group}
            padded = zeros_beyond(tensors, batch, length)
            for cell, bits, seconds in observe(case, list(asked), padded, pool, places):
                yield asked[cell], _cut(case, asked[cell], bits), seconds


def zeros_beyond(tensors: Tensors, batch: int, length: int) -> Tensors:
    """Return arrays whose input, NHWC, is zero from some image and some column on."""
    kept = np.zeros_like(tensors.input_nhwc)
    kept[:batch, :, :length] = tensors.input_nhwc[:batch, :, :length]
    return replace(tensors, input_nhwc=kept)


def _cut(case: Case, cell: Cell, bits: Array | NoBits) -> Array | NoBits:
    """Return the first outputs, those that an unpadded input has, too."""
    if isinstance(bits, NoBits):
        return bits
    conv = case.conv.first(cell.channels)
    batch, _, columns, _ = conv.output_shape(cell.batch, case.height, cell.length)
    return np.ascontiguousarray(bits[:batch, :, :columns])


def pads_to(case: Case, equal: Sequence[int]) -> dict[int, int] | None:
    """Return to which of the lengths that have equal bits each of a case's is padded.

    None where a longer input does not hold the windows of a shorter one: with `same` and a stride.
    """
    axis, pads = case.conv.axes[-1], {}
    for length in case.lengths:
        longer = [one for one in equal if one >= length and axis.pad(one)[0] == axis.pad(length)[0]]
        if not longer:
            return None
        pads[length] = min(longer)
    return pads


def multiple_of(pads: Mapping[int, int]) -> int:
    """Return the number whose next multiple each of several lengths is padded to, 0 for none.

    All its multiples between the least and the largest are padded to: none is taken on trust.
    """
    targets = set(pads.values())
    if len(targets) < LEAST_TARGETS:
        return 0
    step = math.gcd(*targets)
    follows = all(target == -(-length // step) * step for length, target in pads.items())
    follows = follows and targets == set(range(min(targets), max(targets) + 1, step))
    return step if step > 1 and follows else 0
