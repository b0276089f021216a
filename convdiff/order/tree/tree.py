"""An immutable summation order: which terms are added when, and which products are fused.

Leaves 0 ... taps-1 are the products of an output element; the bias, where there is one, is the
leaf after them. Inner nodes are numbered after the leaves, children always before their parent, so
that every walk is a loop over arrays and no chain of taps is too deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Tree:
    """A canonical summation order over `leaves` terms, `taps` of which are products.

    children[k] are the children of node `leaves + k`, ordered by their smallest leaf: two are a
    rounded addition, more are one multi-operand addition (as in a tensor core). fused[k] is the
    child whose product enters that addition unrounded (a fused multiply-add), or -1. Equal orders
    are equal objects. Build one with `Tree.build`.
    """

    taps: int
    leaves: int
    children: tuple[tuple[int, ...], ...]
    fused: tuple[int, ...]

    @classmethod
    def build(
        cls,
        taps: int,
        leaves: int,
        children: Sequence[Sequence[int]],
        fused: Sequence[int] | None = None,
    ) -> Tree:
        """Return the canonical tree; children come before parents, the last node is the root.

        Raises ValueError unless every leaf and inner node but the root has exactly one parent and
        each fused child is a tap of a binary node.
        """
        marks = [-1] * len(children) if fused is None else list(fused)
        _check(taps, leaves, children, marks)
        first = list(range(leaves))
        ordered: list[list[int]] = []
        for parts in children:
            ordered.append(sorted(parts, key=first.__getitem__))
            first.append(first[ordered[-1][0]])
        number = list(range(leaves)) + [-1] * len(children)
        made: list[tuple[int, ...]] = []
        kept: list[int] = []
        for node in _postorder(leaves, ordered):
            number[node] = leaves + len(made)
            made.append(tuple(number[c] for c in ordered[node - leaves]))
            kept.append(marks[node - leaves])
        return cls(taps, leaves, tuple(made), tuple(kept))

    @property
    def root(self) -> int:
        """The last node: the output."""
        return self.leaves + len(self.children) - 1

    @property
    def has_bias(self) -> bool:
        """Whether the last leaf is the bias."""
        return self.leaves > self.taps

    @property
    def adds_two(self) -> bool:
        """Whether every node has two operands."""
        return all(len(parts) == 2 for parts in self.children)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Leaves under each leaf and node."""
        sizes = [1] * self.leaves
        for parts in self.children:
            sizes.append(sum(sizes[c] for c in parts))
        return tuple(sizes)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The parent of each leaf and node; -1 for the root."""
        parents = [-1] * (self.leaves + len(self.children))
        for k, parts in enumerate(self.children):
            for child in parts:
                parents[child] = self.leaves + k
        return tuple(parents)

    def size_under_lca(self, i: int, j: int) -> int:
        """Return how many leaves lie under the lowest common ancestor of leaves i and j."""
        parents = self.parents
        while i != j:
            if i < j:
                i = parents[i]
            else:
                j = parents[j]
        return self.sizes[i]

    def unfused(self) -> Tree:
        """Return the same additions with every product rounded."""
        return Tree(self.taps, self.leaves, self.children, (-1,) * len(self.fused))

    def fused_taps(self) -> frozenset[int]:
        """Return the taps whose product enters an addition unrounded."""
        return frozenset(f for f in self.fused if f >= 0)

    def with_fused(self, taps: frozenset[int]) -> Tree:
        """Return the same additions with the products of `taps` fused where that is possible.

        Only a tap that is a direct operand of a binary addition can be; of two taps that meet,
        the first named keeps its place and the other is fused onto it.
        """
        fused = []
        for parts in self.children:
            able = [c for c in parts if c in taps and _can_be_fused(c, parts, self.taps)]
            fused.append(able[-1] if able else -1)
        return Tree(self.taps, self.leaves, self.children, tuple(fused))


def _check(taps: int, leaves: int, children: Sequence[Sequence[int]], fused: Sequence[int]) -> None:
    if not 1 <= taps <= leaves <= taps + 2 or len(fused) != len(children):
        raise ValueError(f"{leaves} leaves do not fit {taps} taps, a bias and what a step adds")
    used = [False] * (leaves + len(children))
    for k, parts in enumerate(children):
        if len(parts) < 2:
            raise ValueError("an addition has at least two operands")
        for child in parts:
            if not 0 <= child < leaves + k or used[child]:
                raise ValueError(f"operand {child} of node {leaves + k} is late, or used twice")
            used[child] = True
        if fused[k] >= 0 and not _can_be_fused(fused[k], parts, taps):
            raise ValueError(f"term {fused[k]} cannot be fused at node {leaves + k}")
    if not all(used[:-1]):
        raise ValueError("a term or a partial sum is never added")


def _can_be_fused(term: int, parts: Sequence[int], taps: int) -> bool:
    return len(parts) == 2 and term < taps and term in parts


def _postorder(leaves: int, children: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the inner nodes, each after its children, which are taken in their order."""
    if not children:
        return
    stack = [(leaves + len(children) - 1, 0)]
    while stack:
        node, done = stack.pop()
        parts = children[node - leaves]
        if done < len(parts):
            stack.append((node, done + 1))
            if parts[done] >= leaves:
                stack.append((parts[done], 0))
        else:
            yield node
