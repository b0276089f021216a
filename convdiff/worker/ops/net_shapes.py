"""How large each activation of a net is, and how an op or a pool moves over one. Python 3.6."""

from typing import Callable, Dict, List, Sequence, Tuple

from .axis import Axis, extents_of
from .net import INPUT, Layer, Net, Shape

Extents = Tuple[int, int, int, int]
"""(depth, height, length, channels) of an activation of one image; rows = depth · height."""
JOINED = ("depth", "height", "length", "channels")
"""Axes that concat may be told to join along."""


class NothingLeftError(ValueError):
    """A window is larger than what it moves over."""


class ShapeError(ValueError):
    """A layer does not fit: "name: why"."""

    def __init__(self, layer: str, reason: str) -> None:
        super().__init__("%s: %s" % (layer, reason))
        self.layer, self.reason = layer, reason


def shapes(net: Net, rows: int, length: int, channels: int, depth: int = 1) -> Dict[str, Shape]:
    """Return the shape of each activation, and of INPUT, for an input of this shape.

    Raises ShapeError.
    """
    sizes = extents(net, rows, length, channels, depth)
    return {name: (d * h, w, c) for name, (d, h, w, c) in sizes.items()}


def extents(net: Net, rows: int, length: int, channels: int, depth: int = 1) -> Dict[str, Extents]:
    """Return (depth, height, length, channels) of each activation, and of INPUT.

    Raises ShapeError.
    """
    sizes = {INPUT: (depth, rows // depth, length, channels)}  # type: Dict[str, Extents]
    for layer in net.layers:
        try:
            given = [sizes[source] for source in layer.sources]
            grow = BY_OP.get(layer.op) or BY_FAMILY[layer.kind.family]
            sizes[layer.name] = grow(layer, given)
        except ValueError as error:
            raise ShapeError(layer.name, str(error)) from None
    return sizes


def moves(layer: Layer, size: Sequence[int]) -> Tuple[Axis, ...]:
    """Return how an op or a pool moves over an activation of these `Extents`, its padding counted.

    Each spatial axis of its kernel, the length last, with padding as numbers: what SAME adds, and
    what `ceil_mode` adds after the end so that windows which begin inside are not left out
    (https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html).
    """
    axes = layer.axes
    return tuple(_counted(axis, n) for axis, n in zip(axes, spatial(size, len(axes))))


def spatial(size: Sequence[int], count: int) -> Tuple[int, ...]:
    """Return the last `count` spatial extents; the depth counts as rows where it is left out."""
    depth, height, length = size[:3]
    if count == 3:
        return depth, height, length
    return (depth * height, length)[-count:]


def _counted(axis: Axis, extent: int) -> Axis:
    before, after = axis.pad(extent)
    if axis.ceil_mode:
        last = (axis.extent(extent) - 1) * axis.stride  # where the last window begins
        after = max(after, last + axis.reach - extent - before)
    return axis._replace(padding=(before, after), output_padding=axis.longer, ceil_mode=False)


def _same(layer: Layer, given: List[Extents]) -> Extents:
    return _only(given)


def _op(layer: Layer, given: List[Extents]) -> Extents:
    size, wanted = _only(given), layer.conv.channels_in
    if size[3] != wanted:
        raise ValueError("its filter reads %d channels, and its input has %d" % (wanted, size[3]))
    return _moved(layer, size, layer.conv.channels_out)


def _pool(layer: Layer, given: List[Extents]) -> Extents:
    size = _only(given)
    return _moved(layer, size, size[3])


def _moved(layer: Layer, size: Extents, channels: int) -> Extents:
    """Return what comes of windows moving over an activation."""
    axes = moves(layer, size)
    before = spatial(size, len(axes))
    after = extents_of(axes, before)
    if min(after) < 1:
        reach = " x ".join(str(axis.reach) for axis in axes)
        given = " x ".join(map(str, before))
        raise NothingLeftError(
            "nothing is left: its window of %s is larger than %s" % (reach, given)
        )
    return _four(after, channels)


def _four(sizes: Sequence[int], channels: int) -> Extents:
    depth, height, length = ((1, 1, 1) + tuple(sizes))[-3:]
    return depth, height, length, channels


def _global(layer: Layer, given: List[Extents]) -> Extents:
    return 1, 1, 1, _only(given)[3]


def _broadcast(layer: Layer, given: List[Extents]) -> Extents:
    """Return the extents of what is joined element by element; an extent of 1 is repeated."""
    if len(given) + len(layer.arrays) < 2:
        raise ValueError("it joins two or more, and has one")
    whole = [max(sizes) for sizes in zip(*given)]
    for size in given:
        if any(n not in (1, most) for n, most in zip(size, whole)):
            raise ValueError("its inputs are %s: not alike" % _written(given))
    return whole[0], whole[1], whole[2], whole[3]


def _concat(layer: Layer, given: List[Extents]) -> Extents:
    axis = JOINED.index(layer.settings["axis"])
    if len({size[:axis] + size[axis + 1 :] for size in given}) > 1:
        raise ValueError("its inputs are %s: not alike" % _written(given))
    whole = list(given[0])
    whole[axis] = sum(size[axis] for size in given)
    return whole[0], whole[1], whole[2], whole[3]


def _pad(layer: Layer, given: List[Extents]) -> Extents:
    size, pads = _only(given), layer.settings["padding"]
    before = spatial(size, len(pads))
    after = [n + sum(pair) for n, pair in zip(before, pads)]
    if min(after) < 1:
        raise NothingLeftError("nothing is left of %s" % " x ".join(map(str, before)))
    return _four(after, size[3])


def _flatten(layer: Layer, given: List[Extents]) -> Extents:
    return 1, 1, 1, _count(_only(given))


def _reshape(layer: Layer, given: List[Extents]) -> Extents:
    rows, length, channels = layer.settings["shape"]
    size = _only(given)
    if rows * length * channels != _count(size):
        raise ValueError(
            "%s has not the elements of %s" % (_written([size]), (rows, length, channels))
        )
    return 1, rows, length, channels


def _only(given: List[Extents]) -> Extents:
    if len(given) != 1:
        raise ValueError("it reads one layer, and is given %d" % len(given))
    return given[0]


def _count(size: Sequence[int]) -> int:
    count = 1
    for extent in size:
        count *= extent
    return count


def _written(given: Sequence[Extents]) -> str:
    """Return shapes as (rows, length, channels)."""
    return ", ".join(str((d * h, w, c)) for d, h, w, c in given)


Grow = Callable[[Layer, List[Extents]], Extents]
BY_FAMILY = {
    "op": _op,
    "pool": _pool,
    "global": _global,
    "elementwise": _same,
    "normalisation": _same,
    "join": _broadcast,
}  # type: Dict[str, Grow]
BY_OP = {
    "concat": _concat,
    "pad": _pad,
    "flatten": _flatten,
    "reshape": _reshape,
    "identity": _same,
}  # type: Dict[str, Grow]
"""Kinds that change shapes in a way of their own."""
