"""A summation order as rows: a term or a sum of terms each, in the order in which they are added.

A chain of additions is one level of the drawing, however long, with the sum so far in each row. A
sum that is made elsewhere and added to it has its own rows below, a level deeper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convdiff.explaining.model import ElementReport
from convdiff.order.tree.tree import Tree

DRAWN = 32
"""Terms up to which a tree is drawn whole by default; of larger ones the last sums are."""
WHOLE = 1 << 62
"""A depth below which nothing lies."""
MARK = "◀"


@dataclass(frozen=True)
class Row:
    """A term of a sum, its value, and the sum so far."""

    guides: str
    """The lines of the drawing before the label."""
    label: str
    fused: bool
    value: float
    total: float | None
    """None for the first term, and for one that is added at once with the next."""
    value_parts: bool = False
    """Whether the value is the first sum to differ, or hides it; so for the total."""
    total_parts: bool = False

    @property
    def parts(self) -> bool:
        """Whether the first sum to differ is in this row."""
        return self.value_parts or self.total_parts


@dataclass(frozen=True)
class Drawing:
    """The rows of one element's tree."""

    rows: tuple[Row, ...]
    hidden: int
    """Terms that are not drawn."""
    terms: int
    at_once: bool
    """Whether more than two terms are added at once anywhere."""
    hides_parts: bool
    """Whether the first sum to differ is not drawn; the row that hides it is marked."""
    step: str
    """What follows the sums; "" where nothing does."""


def drawing_of(side: ElementReport, depth: int | None) -> Drawing | None:
    """Return the drawing of a report's element, None where it has no order.

    depth: levels of sums, from the result down; None are as many as a screen holds.
    """
    tree, element = side.tree, side.element
    if tree is None or element is None or side.explanation is None:
        return None
    depths = depths_of(tree)
    cut = _fitting(tree, depths) if depth is None else depth
    hidden = sum(d > cut for d in depths[: tree.leaves])
    parts = element.parts
    while parts >= 0 and depths[parts] > cut:
        parts = tree.parents[parts]
    drawn = _Drawn(side, tree, depths, cut, parts, tree.fused_taps())
    at_once = any(len(children) > 2 for children in tree.children)
    rows = tuple(drawn.rows(tree.root, ""))
    return Drawing(rows, hidden, tree.leaves, at_once, parts != element.parts, side.step)


def depths_of(tree: Tree) -> list[int]:
    """Return how many additions each leaf and node still goes through; 0 for the root."""
    depths = [0] * (tree.leaves + len(tree.children))
    for node in range(tree.root, tree.leaves - 1, -1):
        for part in tree.children[node - tree.leaves]:
            depths[part] = depths[node] + 1
    return depths


def _fitting(tree: Tree, depths: Sequence[int]) -> int:
    """Return how deep to draw so that about a screenful of terms is seen."""
    if tree.leaves <= DRAWN:
        return WHOLE
    leaves, nodes = [0] * (max(depths) + 2), [0] * (max(depths) + 2)
    for node, depth in enumerate(depths):
        if node < tree.leaves:
            leaves[depth] += 1
        else:
            nodes[depth] += 1
    drawn = leaves[0] + leaves[1]
    depth = 1
    while drawn + leaves[depth + 1] + nodes[depth + 1] <= DRAWN:
        depth += 1
        drawn += leaves[depth]
    return depth


@dataclass(frozen=True)
class _Drawn:
    """What the rows are made of."""

    side: ElementReport
    tree: Tree
    depths: Sequence[int]
    cut: int
    parts: int
    fused: frozenset[int]

    def rows(self, node: int, guides: str) -> Iterator[Row]:
        """Yield the rows of a sum."""
        terms = self._terms(node)
        for number, (term, total) in enumerate(terms, 1):
            corner, below = "├ ", "│ "
            if number == len(terms):
                corner, below = "└ ", "  "
            yield self._row(term, total, guides + corner)
            if not self._is_end(term):
                yield from self.rows(term, guides + below)

    def _terms(self, node: int) -> list[tuple[int, int]]:
        """Return what a chain adds, first to last, each with the sum that it makes; -1 is none."""
        terms: list[tuple[int, int]] = []
        while not self._is_end(node):
            trunk, others = self._split(node)
            sums = [-1] * (len(others) - 1) + [node]
            terms.extend(zip(reversed(others), reversed(sums), strict=True))
            if trunk < 0:
                return terms[::-1]
            node = trunk
        terms.append((node, -1))
        return terms[::-1]

    def _split(self, node: int) -> tuple[int, list[int]]:
        """Return the sum that a node goes on with, -1 where none is the largest, and the others."""
        children = self.tree.children[node - self.tree.leaves]
        *_, second, largest = sorted(children, key=self.tree.sizes.__getitem__)
        if self.tree.sizes[second] == self.tree.sizes[largest]:
            return -1, list(children)
        return largest, [child for child in children if child != largest]

    def _is_end(self, node: int) -> bool:
        return node < self.tree.leaves or self.depths[node] >= self.cut

    def _row(self, node: int, total: int, guides: str) -> Row:
        assert self.side.element is not None
        values = self.side.element.values
        return Row(
            guides,
            self._label(node),
            node in self.fused,
            values[node],
            values[total] if total >= 0 else None,
            node == self.parts,
            total == self.parts >= 0,
        )

    def _label(self, node: int) -> str:
        if node >= self.tree.taps and node < self.tree.leaves:
            return "bias"
        if node < self.tree.taps:
            assert self.side.geometry is not None
            return f"{node} {self.side.geometry.name(node)}"
        sign = "…" if self._is_end(node) else "+"
        return f"{sign} {self.tree.sizes[node]:,} terms"
