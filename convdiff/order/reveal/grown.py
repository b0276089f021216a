"""The tree of a guess: a scheme grown over a row of taps, its bias joined, its fused steps asked.

All steps of a kind (in a chain, across blocks or lanes, onto a tap or onto a sum) are taken to fuse
their product or not alike; the first and the last of each are asked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convdiff.numerics.array import Array
from convdiff.order.reveal.kernel import Kernel
from convdiff.order.reveal.mask_probes import Site, ask
from convdiff.order.tree.schemes import Scheme
from convdiff.order.tree.tree import Tree
from convdiff.worker import probes


def grown(
    kernel: Kernel, site: Site, taps: Array, scheme: Scheme, bias: tuple[int, int] | None
) -> Tree | None:
    """Return the tree in which a scheme adds the taps; None where its fused probes do not agree.

    taps: as the kernel walks over them. bias: a tap and a size; the bias joins the sum that holds
    this tap and has so many taps. Up to 12 probes. Raises RefusedError (budget).
    """
    growing = _Growing(len(taps), bias)
    terms = taps.tolist()
    if bias is not None:
        terms[terms.index(bias[0])] = growing.with_bias(bias[0])
    scheme.grow(terms, growing.join)
    if len(growing.children) != growing.leaves - 1:  # no sum on the way has the bias's size
        return None
    fused = _fused(kernel, site, growing)
    return None if fused is None else Tree.build(len(taps), growing.leaves, growing.children, fused)


class _Growing:
    """A tree while it grows: its additions, the second operand onto the first, and their kinds."""

    def __init__(self, taps: int, bias: tuple[int, int] | None) -> None:
        self.taps, self.leaves = taps, taps + (bias is not None)
        self.children: list[tuple[int, int]] = []
        self.kinds: list[str] = []
        self._sizes = [1] * taps + [0] * (self.leaves - taps)
        self._first = list(range(self.leaves))
        self._bias, self._holding = bias, -1

    def join(self, one: int, other: int, kind: str) -> int:
        """Add two nodes, and the bias where it comes next; see `schemes.Join`."""
        holds = self._holding in (one, other)
        node = self._add(one, other, kind)
        return self.with_bias(node) if holds else node

    def with_bias(self, node: int) -> int:
        """Return a node that holds the bias's tap, with the bias added if it joins here."""
        assert self._bias is not None
        if self._sizes[node] == self._bias[1]:
            node = self._add(self.taps, node, "bias")
        self._holding = node
        return node

    def steps(self) -> Iterator[tuple[int, int, int]]:
        """Yield each step that may fuse: its number, its tap, and a leaf of the other operand."""
        for k, (one, other) in enumerate(self.children):
            if other < self.taps:
                yield k, other, self._first[one]
            elif one < self.taps:
                yield k, one, self._first[other]

    def _add(self, one: int, other: int, kind: str) -> int:
        self.children.append((one, other))
        self.kinds.append(kind)
        self._sizes.append(self._sizes[one] + self._sizes[other])
        self._first.append(min(self._first[one], self._first[other]))
        return len(self._sizes) - 1


def _fused(kernel: Kernel, site: Site, growing: _Growing) -> list[int] | None:
    """Return the fused tap of each step, or -1; None where steps of a kind differ."""
    kinds: dict[tuple[str, bool], list[tuple[int, int, int]]] = {}
    for step in growing.steps():
        both = max(growing.children[step[0]]) < growing.leaves
        kinds.setdefault((growing.kinds[step[0]], both), []).append(step)
    marks = [-1] * len(growing.children)
    asked = [step[1:] for steps in kinds.values() for step in (steps[0], steps[-1])]
    rows = np.zeros((len(asked), 4), np.int64)
    rows[:, :2] = np.array(asked, np.int64).reshape(-1, 2)
    signs = ask(kernel, site, "fused", rows) / probes.SCALES[kernel.geometry.dtype][2] ** 2
    for steps, (sign, again) in zip(kinds.values(), signs.reshape(-1, 2).tolist(), strict=True):
        if sign != again or sign not in (0, 1, -1):
            return None
        if sign:
            for k, tap, other in steps:
                marks[k] = tap if sign > 0 else other
    return marks
