"""Find the loop nest of a tree: spines become chains, equal halves pairwise trees.

A spine follows the larger operand downwards, so what hangs off it holds at most about half of the
leaves, and the recursion into that is only logarithmically deep.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from convdiff.order.tree.fold_repeats import Part, folded, keys_of
from convdiff.order.tree.loop_nest import BIAS, Chain, Item, Leaf, Many, Pairs
from convdiff.order.tree.tree import Tree


def nest_of(tree: Tree) -> Item:
    """Return the loop nest of a tree; `nest.tree_of` gives the tree back."""
    return _part(_Shapes.of(tree), tree.root).item


@dataclass(frozen=True, eq=False)
class _Shapes:
    """For each leaf and node: a number that subtrees equal but for a shift share, and its base."""

    tree: Tree
    shape: list[int]
    base: list[int]

    @classmethod
    def of(cls, tree: Tree) -> _Shapes:
        known: dict[Hashable, int] = {}
        shape, base = [0] * tree.taps, list(range(tree.taps))
        if tree.has_bias:
            shape.append(-1)
            base.append(tree.taps)
        for parts, fused in zip(tree.children, tree.fused, strict=True):
            low = min(base[c] for c in parts)
            key = tuple((shape[c], base[c] - low, c == fused) for c in parts)
            # The bias is not shifted with the taps: what holds it is like nothing else.
            unique = any(shape[c] < 0 for c in parts)
            shape.append(-2 - len(shape) if unique else known.setdefault(key, len(known) + 1))
            base.append(low)
        return cls(tree, shape, base)

    def parts(self, node: int) -> tuple[int, ...]:
        """Return the operands of a node; none for a leaf."""
        return () if node < self.tree.leaves else self.tree.children[node - self.tree.leaves]

    def fused(self, node: int) -> int:
        """Return the fused operand of a node, or -1."""
        return self.tree.fused[node - self.tree.leaves]

    def twins(self, node: int) -> bool:
        """Whether a node adds two equal subtrees, or two rounded products."""
        parts = self.parts(node)
        return (
            len(parts) == 2
            and self.shape[parts[0]] == self.shape[parts[1]] >= 0
            and self.fused(node) < 0
        )


def _leaf(shapes: _Shapes, node: int, fused: bool) -> Part:
    if node >= shapes.tree.taps:
        return Part(Leaf(BIAS), node, "bias")
    return Part(Leaf(node, fused), node, fused)


def _part(shapes: _Shapes, node: int, fused: bool = False) -> Part:
    """Return a subtree as one item."""
    if node < shapes.tree.leaves:
        return _leaf(shapes, node, fused)
    item = _pairs(shapes, node) or _chain(shapes, node)
    return Part(item, shapes.base[node], ("shape", shapes.shape[node]))


def _parts(shapes: _Shapes, nodes: Iterable[int]) -> list[Part]:
    return [_part(shapes, node) for node in nodes]


def _pairs(shapes: _Shapes, node: int) -> Item | None:
    """Return the full pairwise tree at a node, if it has four items or more."""
    row = [node]
    while all(shapes.twins(n) for n in row):
        row = [c for n in row for c in shapes.parts(n)]
    if len(row) < 4:
        return None
    in_order = sorted(row, key=shapes.base.__getitem__)
    halves = row == _bit_reversed(in_order)
    return Pairs(folded(_parts(shapes, in_order if halves else row)), halves)


def _bit_reversed(row: list[int]) -> list[int]:
    if len(row) < 2:
        return row
    return _bit_reversed(row[::2]) + _bit_reversed(row[1::2])


def _chain(shapes: _Shapes, node: int) -> Item:
    """Return the spine below a node as a chain, its first operands first."""
    later: list[Part] = []
    while (below := _spine(shapes, node)) is not None:
        rest = [c for c in shapes.parts(node) if c != below]
        later.append(_step(shapes, rest, shapes.fused(node)))
        node = below
    first = _start(shapes, node, alone=not later)
    if not later and len(first) == 1:
        return first[0].item
    return _with_block([*first, *reversed(later)])


def _start(shapes: _Shapes, node: int, *, alone: bool) -> list[Part]:
    """Return the steps that a chain begins with, where its spine ends."""
    parts = shapes.parts(node)
    if len(parts) > 2:
        many = Many(folded(_parts(shapes, parts)))
        return [Part(many, shapes.base[node], ("many", shapes.shape[node]))]
    if not parts:
        return [_leaf(shapes, node, False)]
    if not alone and _pairs(shapes, node):
        return [_part(shapes, node)]
    # Two equal operands, or two leaves of which the fused one comes second.
    mark, bias = shapes.fused(node), shapes.tree.taps
    first, second = sorted(parts, key=lambda c: (c == mark, c != bias, shapes.base[c]))
    return [_part(shapes, first), _step(shapes, [second], mark)]


def _spine(shapes: _Shapes, node: int) -> int | None:
    """Return the operand that the chain through a node comes from, or None where it starts."""
    parts = shapes.parts(node)
    if not parts or shapes.twins(node):
        return None
    sizes = shapes.tree.sizes
    ordered = sorted(parts, key=lambda c: -sizes[c])
    if sizes[ordered[0]] == 1:
        return None
    if len(parts) > 2 and sizes[ordered[0]] < 2 * sizes[ordered[1]]:
        return None
    return ordered[0]


def _step(shapes: _Shapes, rest: list[int], mark: int) -> Part:
    if len(rest) == 1:
        return _part(shapes, rest[0], rest[0] == mark)
    parts = _parts(shapes, rest)
    return Part(Many(folded(parts), onto=True), parts[0].base, ("onto", keys_of(parts)))


def _with_block(steps: list[Part]) -> Chain:
    """Return a chain, its leading taps set apart as a block where blocks follow them."""
    count = 0
    while count < len(steps) and isinstance(steps[count].item, Leaf):
        count += 1
    while count and steps[count - 1].key == "bias":
        count -= 1
    blocks = any(isinstance(part.item, Chain | Pairs) for part in steps[count:])
    if count > 2 and blocks:
        taps = steps[:count]
        key = ("block", keys_of(taps)[1:])
        block = Part(_marked(taps), min(part.base for part in taps), key)
        steps = [block, *steps[count:]]
    return _marked(steps)


def _marked(steps: list[Part]) -> Chain:
    """Return the chain of steps, with the mark of its fused taps set once where all have it."""
    taps = [_tap(part) for part in steps]
    marks = [tap.fused for tap in taps[1:] if tap is not None]
    if not marks or not all(marks):
        return Chain(folded(steps), False)
    bare = []
    for part, tap in zip(steps, taps, strict=True):
        bare.append(part if tap is None else Part(Leaf(part.base), part.base, False))
    return Chain(folded(bare), True)


def _tap(part: Part) -> Leaf | None:
    """Return the tap that a part is, if it is one."""
    return part.item if isinstance(part.item, Leaf) and part.key != "bias" else None
