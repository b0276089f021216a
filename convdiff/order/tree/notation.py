"""A formal notation for summation orders, and its parser.

    0  12  b             a tap (index in (kh, kw, cin) order), the bias
    (0+1)                a rounded addition;  3* in it: the product of tap 3 is fused onto the rest
    [0 1 2]              a chain: ((0+1)+2);  [0 1 2]* : every tap after the first is fused
    <0 1 2 3>            pairwise, neighbours first: ((0+1)+(2+3))
    <|0 1 2 3|>          pairwise, halves first: ((0+2)+(1+3))
    {0 1 2 3}            one multi-operand addition;  &{4 5} in a chain: together with its sum
    0..7  0..28:4        taps in a row, with a step
    (0 1)^8+2            repeated 8 times, 2 added to every tap each time

So `[([0..287]*)^8+288 b]` is 8 blocks of 288 taps, each a chain of fused multiply-adds, added left
to right, and the bias last.
"""

from __future__ import annotations

import re
from dataclasses import replace

from convdiff.order.tree.find_loops import nest_of
from convdiff.order.tree.loop_nest import BIAS, Chain, Item, Leaf, Loop, Many, Pairs, tree_of
from convdiff.order.tree.tree import Tree

#: Up to this many terms an order is written with all its parentheses.
SMALL = 12

_TOKEN = re.compile(
    r"\s*(?:(?P<run>\d+)\.\.(?P<end>\d+)(?::(?P<step>\d+))?(?P<runstar>\*?)"
    r"|(?P<leaf>\d+|b)(?P<star>\*?)"
    r"|\)\^(?P<count>\d+)(?P<by>[+-]\d+)"
    r"|(?P<close>\]\*?|\|>|[>)}])|(?P<open><\||&\{|[\[<({])|(?P<plus>\+))"
)

_CLOSES = {"[": "]", "<": ">", "<|": "|>", "{": "}", "&{": "}", "(": ")"}


def notation(tree: Tree) -> str:
    """Return an order in the notation; with few terms, all parentheses are written."""
    if tree.leaves <= SMALL:
        return _explicit(tree)
    return write_nest(nest_of(tree))


def parse(text: str) -> Tree:
    """Return the order that a notation says. Raises ValueError where it says none."""
    return tree_of(parse_nest(text))


def write_nest(item: Item) -> str:
    """Return a nest in the notation."""
    if isinstance(item, Leaf):
        return ("b" if item.index == BIAS else str(item.index)) + "*" * item.fused
    if isinstance(item, Loop):
        return _loop(item)
    row = _row(item.items)
    if isinstance(item, Chain):
        return f"[{row}]" + "*" * item.fused
    if isinstance(item, Pairs):
        return f"<|{row}|>" if item.halves else f"<{row}>"
    return "&" * item.onto + "{" + row + "}"


def _loop(loop: Loop) -> str:
    first = loop.body[0]
    if len(loop.body) > 1 or not isinstance(first, Leaf) or loop.step < 1:
        return f"({_row(loop.body)})^{loop.count}{loop.step:+d}"
    end = first.index + (loop.count - 1) * loop.step
    step = "" if loop.step == 1 else f":{loop.step}"
    return f"{first.index}..{end}{step}" + "*" * first.fused


def _row(items: tuple[Item, ...]) -> str:
    return " ".join(write_nest(item) for item in items)


def _explicit(tree: Tree) -> str:
    text = [str(k) for k in range(tree.taps)] + ["b"] * tree.has_bias
    for parts, fused in zip(tree.children, tree.fused, strict=True):
        terms = [text[c] + "*" * (c == fused) for c in parts]
        text.append(f"({'+'.join(terms)})" if len(parts) == 2 else "{" + " ".join(terms) + "}")
    return text[-1]


def parse_nest(text: str) -> Item:
    """Return the nest that a notation says. Raises ValueError with the place of an error."""
    open_at: list[tuple[str, int]] = []
    rows: list[list[Item]] = [[]]
    plus: list[int] = [0]
    at = 0
    text = text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"cannot read {text[at : at + 12]!r} at {at}")
        parts = token.groupdict()
        if parts["open"]:
            open_at.append((parts["open"], at))
            rows.append([])
            plus.append(0)
        elif parts["close"] or parts["count"]:
            if not open_at:
                raise ValueError(f"nothing to close at {at}")
            opened, start = open_at.pop()
            row, sums = rows.pop(), plus.pop()
            rows[-1].append(_closed(opened, start, parts, row, sums))
        elif parts["plus"]:
            plus[-1] += 1
        else:
            rows[-1].append(_terms(parts))
        at = token.end()
    if open_at:
        raise ValueError(f"{open_at[-1][0]!r} at {open_at[-1][1]} is not closed")
    if len(rows[0]) != 1:
        raise ValueError(f"{len(rows[0])} orders are named, not one")
    return rows[0][0]


def _terms(parts: dict[str, str]) -> Item:
    if parts["leaf"]:
        index = BIAS if parts["leaf"] == "b" else int(parts["leaf"])
        return Leaf(index, bool(parts["star"]))
    first, last, step = int(parts["run"]), int(parts["end"]), int(parts["step"] or 1)
    if last < first or step < 1 or (last - first) % step:
        raise ValueError(f"no range {first}..{last}:{step}")
    return Loop((Leaf(first, bool(parts["runstar"])),), (last - first) // step + 1, step)


def _closed(opened: str, start: int, parts: dict[str, str], row: list[Item], sums: int) -> Item:
    closing = ")" if parts["count"] else parts["close"].replace("]*", "]")
    if _CLOSES[opened] != closing or not row:
        raise ValueError(f"{opened!r} at {start} is empty, or closed by {closing!r}")
    items = tuple(row)
    if parts["count"]:
        return Loop(items, int(parts["count"]), int(parts["by"]))
    if opened == "(":
        if sums != 1 or len(row) != 2:
            raise ValueError(f"'(' at {start} adds {len(row)} terms, not two")
        return _added(row[0], row[1])
    if opened == "[":
        return Chain(items, parts["close"] == "]*")
    if opened in ("{", "&{"):
        return Many(items, onto=opened == "&{")
    return Pairs(items, halves=opened == "<|")


def _added(one: Item, other: Item) -> Item:
    """Return a + b as a chain, grown from the longer operand so that nests stay shallow."""
    if (isinstance(one, Leaf) and (one.fused or not isinstance(other, Leaf))) or (
        isinstance(one, Chain) and isinstance(other, Chain) and len(other.items) > len(one.items)
    ):
        one, other = other, one
    if isinstance(one, Leaf):
        one = replace(one, fused=False)
    if isinstance(one, Chain) and not one.fused:
        return Chain((*one.items, other))
    return Chain((one, other))
