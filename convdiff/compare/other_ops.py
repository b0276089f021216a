"""What a kernel may compute instead: the same padded otherwise, transposed, or not transposed.

Each is a convolution of its own, and so has its output's shape and its result: what a kernel
computes is told by its numbers; a shape alone only says whose shape it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from convdiff.case.arrays import Tensors
from convdiff.compare.fp64 import plain_fp64
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import OPS, Convolution

Pads = tuple[tuple[int, int], ...]
"""(before, after) of each spatial axis; a negative one cuts."""
Shape = tuple[int, ...]
Result = Callable[[Tensors], Array]
TRANSPOSE = "_transpose"
SIDES = (("in front", "behind"), ("above", "below"), ("left", "right"))


def shape_owners(conv: Convolution, shape_nhwc: Shape, observed: Shape) -> list[str]:
    """Return whose output shape `observed` is, for an input of shape_nhwc; [] if nobody's.

    observed: NHWC, or with a depth as a 3-D op itself has it.
    """
    batch, rows, length, _ = shape_nhwc
    plain = conv.output_shape(batch, rows, length)
    owners = {name: one for name, one in _paddings(conv, shape_nhwc).items() if name != OWN}
    owners |= {name: one for name, one, flipped in _transposed(conv, shape_nhwc) if not flipped}
    ones = (1,) * len(conv.strides)
    owners |= {
        "stride 1": conv._replace(strides=ones),
        "dilation 1": conv._replace(dilations=ones),
    }
    shapes: dict[str, Shape] = {
        owner: one.output_shape(batch, rows, length) for owner, one in owners.items()
    }
    shapes |= {
        "NCHW": (batch, plain[3], plain[1], plain[2]),
        "the swapped height and width": (batch, plain[2], plain[1], plain[3]),
    }
    if len(observed) > len(plain):
        shapes = {
            owner: (batch, *one.outputs(rows, length), plain[3]) for owner, one in owners.items()
        }
    return [owner for owner, shape in shapes.items() if shape == tuple(observed)]


def wanted_beside(conv: Convolution, shape_nhwc: Shape, observed: Shape) -> Shape:
    """Return the shape that an output is to have, on as many axes as the observed one has.

    NHWC, or with a depth as a 3-D op itself has it.
    """
    batch, rows, length, _ = shape_nhwc
    plain = conv.output_shape(batch, rows, length)
    if len(observed) <= len(plain) or min(plain) < 1:
        return plain
    return batch, *conv.outputs(rows, length), conv.channels_out


def other_ops(conv: Convolution, shape_nhwc: Shape) -> Iterator[tuple[str, Result]]:
    """Yield named convolutions that were not asked for, for inputs of this shape, with results.

    A result is a function from tensors to the output, NHWC in fp64.
    """
    own, done = _read(conv, shape_nhwc), set()
    for name, other in _paddings(conv, shape_nhwc).items():
        read = _read(other, shape_nhwc)
        is_known = read == own or (read in done and name not in MISTAKES)
        if not is_known and _is_there(conv, other, shape_nhwc):
            done.add(read)
            yield _said(name, other, shape_nhwc), partial(plain_fp64, other)
    for name, other, flipped in _transposed(conv, shape_nhwc):
        if _is_there(conv, other, shape_nhwc):
            suffix = ", its filter flipped in both axes" if flipped else ""
            yield f"{name}{suffix}", partial(_flipped if flipped else plain_fp64, other)


def _is_there(conv: Convolution, other: Convolution, shape: Shape) -> bool:
    """Return whether another convolution gives an output, to which a step can add what it adds."""
    output = other.output_shape(*shape[:3])
    fits = conv.then != "add" or output == conv.output_shape(*shape[:3])
    return min(output) >= 1 and fits


def _flipped(conv: Convolution, tensors: Tensors) -> Array:
    return plain_fp64(conv, replace(tensors, filter_hwio=tensors.filter_hwio[::-1, ::-1]))


def _read(conv: Convolution, shape: Shape) -> tuple[Shape, Shape]:
    """Return what of a padding matters: what is before, and how many outputs there are."""
    before = tuple(pair[0] for pair in conv.pads(*shape[1:3]))
    return before, conv.outputs(*shape[1:3])


OWN = "at the other end"
"""Whose names are said with the padding that it is."""
NAMED = {"VALID": "valid", "SAME": "same", "SAME_LOWER": "same_lower"}


def _paddings(conv: Convolution, shape: Shape) -> dict[str, Convolution]:
    """Return the convolution with every padding that has a name, and with its own changed."""
    own, reach = conv.pads(*shape[1:3]), conv.reach
    longer = tuple(axis.longer for axis in conv.axes)
    known = conv._replace(padding=own, output_padding=longer)
    named = {name: conv._replace(padding=word) for name, word in NAMED.items()}
    others = {"VALID": named["VALID"], **(_changed(known) if conv.is_padded else {}), **named}
    if conv.rank == 1 and not conv.transposed:
        others["causal"] = conv._replace(padding="causal")
    others["full"] = known._replace(padding=tuple((r - 1, r - 1) for r in reach))
    others["half of the filter"] = known._replace(padding=tuple((r // 2, r // 2) for r in reach))
    return others


def _changed(known: Convolution) -> dict[str, Convolution]:
    """Return a convolution with its own padding, in numbers, changed."""
    own, longer = known.padding, known.output_padding
    others = {OWN: known._replace(padding=tuple((after, before) for before, after in own))}
    others["twice the padding"] = known._replace(padding=tuple((2 * a, 2 * b) for a, b in own))
    if any(longer):
        before = tuple((a - more, b) for (a, b), more in zip(own, longer, strict=True))
        none = (0,) * len(longer)
        others["no output_padding"] = known._replace(output_padding=none)
        others[FRONT] = known._replace(padding=before, output_padding=none)
    return others


FRONT = "output_padding at the front"


MISTAKES = {
    "VALID": "the padding is ignored (VALID)",
    "twice the padding": "the padding is counted twice",
    "no output_padding": "output_padding is ignored",
    FRONT: "output_padding is at the front, not at the end",
}
"""What is done with a padding by mistake; two that are one thing at a size are both said."""


def _said(name: str, conv: Convolution, shape: Shape) -> str:
    """Say that the padding is this one."""
    if name in MISTAKES:
        return MISTAKES[name]
    whose = f"{OWN}{_whose(conv, shape)}" if name == OWN else name
    return f"the padding is {whose}{_written(conv, shape)}"


def _whose(conv: Convolution, shape: Shape) -> str:
    """Name the padding of a convolution, if it has a name, as its owner's."""
    read = _read(conv, shape)
    for name, word in NAMED.items():
        if _read(conv._replace(padding=word), shape) == read:
            return f": {name}'s"
    return ""


def _written(conv: Convolution, shape: Shape) -> str:
    """Write the numbers of a padding."""
    pads = conv.pads(*shape[1:3])[-conv.rank :]
    parts = [
        f"{number} {side}"
        for pair, sides in zip(pads, SIDES[-conv.rank :], strict=True)
        for number, side in zip(pair, sides, strict=True)
    ]
    return f" ({'cut' if conv.transposed else 'zeros'}: {', '.join(parts)})"


def _transposed(conv: Convolution, shape: Shape) -> Iterator[tuple[str, Convolution, bool]]:
    """Yield what is transposed of a plain convolution, with the filter both ways, or the reverse.

    HWIO is (kh, kw, from, to) of both.
    """
    none = (0,) * len(conv.kernel)
    if conv.transposed:
        plain = conv._replace(op=conv.op[: -len(TRANSPOSE)], output_padding=none)
        kind, ways = "plain", [False]
    elif conv.groups == 1 and conv.op + TRANSPOSE in OPS:
        plain, kind, ways = conv._replace(op=conv.op + TRANSPOSE), "transposed", [False, True]
        if conv.is_padded and max(conv.strides) == 1:
            ways = [False]  # flipped it is a plain one of other padding
    else:
        return
    own = conv.pads(*shape[1:3])
    others = {
        f"a {kind} convolution": plain._replace(padding="valid"),
        f"a {kind} SAME convolution": plain._replace(padding="same"),
        f"a {kind} convolution of the same padding": plain._replace(padding=own),
    }
    for flipped in ways:
        done = set()
        for name, other in others.items():
            read = _read(other, shape)
            if read not in done:
                done.add(read)
                yield name, other, flipped
