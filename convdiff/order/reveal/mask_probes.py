"""Masked readings: how many terms lie under the lowest common ancestor of two terms.

With +M at leaf i, -M at leaf j and units elsewhere, every unit that joins a sum holding exactly one
of the two is lost in M; the units that survive to the output are those added after i and j have
met. So (units set) - (units read) counts the other leaves under their lowest common ancestor
(FPRev: Xie, Zhang, Zheng, Xiong and Chen, USENIX ATC 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.kernel import Batch, Kernel
from convdiff.order.reveal.refusal import RefusedError
from convdiff.worker import probes

#: Output elements that one message may bring back, if it asks more than one call.
_ANSWERS = 2**22


@dataclass(eq=False)
class Site:
    """The output element whose order is read, and who answered every probe as it did.

    position: flat index into N x OH x OW. lanes: output channels trusted to share the element's
    order, each of which carries its own probe; where it is the element's channel alone, all
    channels carry that one's probe. agreeing: (positions, cout) mask of the elements whose answers
    have been the site's so far. narrow: whether probes have the scale for kernels that keep sums or
    operands in a narrower format than the dtype.
    """

    position: int
    channel: int
    lanes: Array
    agreeing: Array
    narrow: bool = False

    @classmethod
    def at(
        cls,
        kernel: Kernel,
        position: int,
        channel: int,
        lanes: Array | None = None,
        *,
        narrow: bool = False,
    ) -> Site:
        """Return the site of an element; lanes None trusts all channels."""
        geometry = kernel.geometry
        trusted = np.arange(geometry.cout) if lanes is None else lanes
        agreeing = np.ones((geometry.positions, geometry.cout), bool)
        if len(trusted) > 1:
            agreeing[:, np.setdiff1d(np.arange(geometry.cout), trusted)] = False
        return cls(position, channel, trusted, agreeing, narrow)

    def kind(self, name: str) -> str:
        """Return a kind of probe, at the site's scale."""
        return f"{name}:narrow" if self.narrow else name

    def scale(self, kernel: Kernel) -> str:
        """Return the name of the site's scale, in the tables of `convdiff.worker.probes`."""
        return "narrow" if self.narrow else kernel.geometry.dtype


def ask(kernel: Kernel, site: Site, kind: str, rows: Array) -> Array:
    """Return the output at the site for each probe row, in float64.

    rows: (probes, 4) integers as in `convdiff.worker.probes`, spread over the site's lanes.
    Elements that answer otherwise than the site cease to be agreeing.
    """
    lanes = len(site.lanes)
    calls = -(-len(rows) // lanes)
    own = np.minimum(np.arange(calls * lanes), len(rows) - 1).reshape(calls, lanes)
    index = np.repeat(own[:, :1], kernel.geometry.cout, axis=1)
    index[:, site.lanes] = own
    outputs = []
    for _, answer in asked(kernel, kind, rows, index):
        here = answer[:, site.position, site.lanes]
        if lanes == 1:
            site.agreeing &= _same(answer, here[:, None])
        else:
            same = _same(answer[:, :, site.lanes], here[:, None])
            site.agreeing &= same.all(axis=1, keepdims=True)
        outputs.append(here.reshape(-1))
    output: Array = np.concatenate(outputs)[: len(rows)].astype(np.float64)
    return output


def asked(kernel: Kernel, kind: str, rows: Array, index: Array) -> Iterator[tuple[slice, Array]]:
    """Yield (calls, their (calls, positions, cout) answers), as few messages as memory allows.

    index: (calls, cout), the row of each channel in each call.
    """
    step = calls_a_message(kernel)
    for start in range(0, len(index), step):
        chunk = slice(start, start + step)
        (answer,) = kernel.probe([Batch(kind, rows[index[chunk]])])
        yield chunk, answer


def calls_a_message(kernel: Kernel) -> int:
    """Return how many calls' answers one message may bring back."""
    return max(1, _ANSWERS // (kernel.geometry.positions * kernel.geometry.cout))


def _same(answer: Array, here: Array) -> Array:
    """Return which elements gave the site's answers in all calls, NaN being NaN."""
    same: Array = ((answer == here) | (np.isnan(answer) & np.isnan(here))).all(axis=0)
    return same


def masked(kernel: Kernel, site: Site, pairs: Array, within: Array | None = None) -> Array:
    """Return the number of leaves under the lowest common ancestor of each pair, checked.

    pairs: (m, 2) leaves. within: (m, 2) first and last leaf of a range known to hold all of those
    leaves, which saves calls where the output counts only a few units at a time.
    Raises RefusedError (overflow, non-integer) on a reading that is no such number.
    """
    leaves = kernel.geometry.leaves
    bin_size = min(probes.COUNTABLE[site.scale(kernel)], leaves + 1)
    if within is None:
        within = np.tile([0, leaves - 1], (len(pairs), 1))
    if bin_size > leaves:  # one bin: nothing is gained by leaving some units out
        within = np.tile([0, leaves], (len(pairs), 1))
    rows, owner = bins(pairs, within, bin_size)
    units = np.minimum(rows[:, 3], leaves) - rows[:, 2]
    for k in (0, 1):
        units = units - ((rows[:, k] >= rows[:, 2]) & (rows[:, k] < rows[:, 3]))
    answer = ask(kernel, site, site.kind("mask"), rows)
    counts = checked_counts(answer, units, probes.SCALES[site.scale(kernel)][0], rows)
    lost = np.bincount(owner, weights=units - counts, minlength=len(pairs))
    return 2 + lost.astype(np.int64)


def check_units(kernel: Kernel, site: Site) -> None:
    """Read a few units without masks: a kernel that loses subnormal numbers loses float16's units.

    Raises RefusedError (non-integer) where that is so. Other formats have units of 1, and no call.
    """
    dtype, scale = kernel.geometry.dtype, site.scale(kernel)
    unit = probes.SCALES[scale][0]
    if unit == 1.0:
        return
    count = min(probes.COUNTABLE[scale], kernel.geometry.leaves)
    (total,) = ask(kernel, site, site.kind("mask"), np.array([[-1, -1, 0, count]]))
    if total == count * unit:
        return
    why = f"{count - total / unit:g} of them are missing"
    if total == 0:
        why = f"the kernel flushes subnormal {dtype} numbers, which the readings need"
    elif not 0 < total < count * unit:
        why = "it is no sum of products, or a term is used twice"
    raise RefusedError("non-integer", f"{count} terms of {unit:g} add up to {total:g}: {why}")


def bins(pairs: Array, within: Array, size: int) -> tuple[Array, Array]:
    """Return the (i, j, low, high) rows that cover each pair's range, and the pair of each."""
    counts = -(-(within[:, 1] + 1 - within[:, 0]) // size)
    owner = np.repeat(np.arange(len(pairs)), counts)
    index = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    low = within[owner, 0] + index * size
    high = np.minimum(low + size, within[owner, 1] + 1)
    return np.column_stack([pairs[owner], low, high]).astype(np.int64), owner


def checked_counts(answer: Array, units: Array, unit: float, rows: Array) -> Array:
    """Return the units read, as integers in 0 ... units; Raises RefusedError where they are not."""
    counts = answer / unit
    bad = ~np.isfinite(counts) | (np.abs(counts) > 4.0 * (units + 2))
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        raise RefusedError(
            "overflow",
            f"with opposite masks at terms {rows[k, 0]} and {rows[k, 1]} the output was "
            f"{answer[k]:g}: the masks did not cancel, so a term is lost, scaled or used twice",
        )
    odd = (counts != np.rint(counts)) | (counts < 0) | (counts > units)
    if odd.any():
        k = int(np.flatnonzero(odd)[0])
        raise RefusedError(
            "non-integer",
            f"with opposite masks at terms {rows[k, 0]} and {rows[k, 1]} the output was "
            f"{counts[k]:g} units, where a sum of products leaves a whole number in "
            f"0 ... {units[k]}",
        )
    return counts.astype(np.int64)
