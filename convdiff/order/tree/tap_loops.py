"""The order in which taps are added, in words: loops over kh, kw and channels by their names."""

from __future__ import annotations

from convdiff.order.tree.loop_nest import Item, Leaf, Loop, is_bias, unrolled

#: Taps of an irregular order that are named.
NAMED_TAPS = 6


def tap_order(items: tuple[Item, ...], filter_hwio: tuple[int, int, int, int]) -> str:
    """Return the loops over the taps of a chain, the outermost first.

    filter_hwio: (kh, kw, cin/groups, cout).
    """
    loops: list[Loop] = []
    row = tuple(item for item in items if not is_bias(item))
    while len(row) == 1 and isinstance(row[0], Loop):
        loops.append(row[0])
        row = row[0].body
    if not loops or len(row) != 1:
        return _flat_order(row, filter_hwio)
    names = []
    for loop, inner in zip(loops, [*loops[1:], None], strict=True):
        names.append(_loop_name(loop.count, loop.step, inner, filter_hwio))
    return ", ".join(names)


def _flat_order(row: tuple[Item, ...], filter_hwio: tuple[int, int, int, int]) -> str:
    taps = [item.index + shift for item, shift in unrolled(row) if isinstance(item, Leaf)]
    if taps == list(range(taps[0], taps[0] + len(taps))):
        return _loop_name(len(taps), 1, None, filter_hwio)
    more = ", ..." if len(taps) > NAMED_TAPS else ""
    return f"taps {', '.join(map(str, taps[:NAMED_TAPS]))}{more}"


def _loop_name(
    count: int, step: int, inner: Loop | None, filter_hwio: tuple[int, int, int, int]
) -> str:
    """Return the name of a loop over taps `step` apart, each step of which holds `inner`."""
    stride = abs(step)
    if stride == 1:
        name = _neighbours(count, filter_hwio)
    else:
        name = _strided(count, stride, inner, filter_hwio)
    return f"{name} backwards" if step < 0 else name


def _neighbours(count: int, filter_hwio: tuple[int, int, int, int]) -> str:
    """Return the name of a loop over taps next to each other in memory."""
    cin = filter_hwio[2]
    if count <= cin and cin > 1:
        return f"{count} channels"
    axes = zip(("kh", "kw", "cin"), filter_hwio[:3], strict=True)
    return ", ".join(axis for axis, size in axes if size > 1) + " order"


def _strided(
    count: int, stride: int, inner: Loop | None, filter_hwio: tuple[int, int, int, int]
) -> str:
    """Return the name of a loop over taps `stride` apart, the first of these that it is."""
    kh, kw, cin, _ = filter_hwio
    if stride % (kw * cin) == 0 and kh > 1:
        return f"{count} kh"
    if stride % cin == 0 and cin > 1:
        return f"{count} kw" if count <= kw else f"{count} (kh, kw)"
    if inner is None:
        return f"every {stride}{_ordinal(stride)} tap"
    if inner.count * abs(inner.step) == stride:
        return f"{count} blocks of {stride} channels"
    return f"{count} blocks, {stride} channels apart"


def _ordinal(number: int) -> str:
    """Return the ending of an English ordinal."""
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
