"""What joins activations with each other, or with constants; of constants alone, a constant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convdiff.net.models.axes import Tensor
from convdiff.net.models.build import Building
from convdiff.net.models.constants import FOLDED, folded
from convdiff.net.models.model import Array, UnreadError
from convdiff.net.models.operation import Handler, Operation

AXES = {"C": "channels", "W": "length", "H": "height", "D": "depth"}
"""What `concat` calls an axis."""


def joined(op: str) -> Handler:
    """Return what adds a join of all inputs, or computes it where all are constants."""

    def handler(building: Building, node: Operation) -> Tensor | Array:
        operands = node.operands(building)
        if not any(isinstance(one, Tensor) for one in operands):
            return folded(FOLDED[op], operands)
        if len(operands) == 1:
            return building.same(node.name, "identity", node.x(building))
        return join(building, node.name, op, operands)

    return handler


def join(building: Building, name: str, op: str, operands: Sequence[Tensor | Array]) -> Tensor:
    """Add a join of activations, or of one and a constant. Raises UnreadError."""
    tensors = [one for one in operands if isinstance(one, Tensor)]
    constants = [one for one in operands if not isinstance(one, Tensor)]
    x = max(tensors, key=lambda one: len(one.axes))
    if not constants:
        if any(not x.axes.endswith(one.axes) for one in tensors):
            raise UnreadError("joins activations of unlike axes")
        return building.add(name, op, tensors, x.axes)
    if len(operands) != 2:
        raise UnreadError("joins more than one activation and a constant")
    constant = _a_channel(x, constants[0])
    if not isinstance(operands[0], Tensor) and op in ("subtract", "divide"):
        if op == "divide":
            raise UnreadError("divides a constant")
        x, op = building.same(f"{name}.negative", "negative", x), "add"  # c − x is (−x) + c
    return building.add(name, op, [x], x.axes, arrays={"constant": constant})


def concat(building: Building, name: str, tensors: Sequence[Tensor], axis: int) -> Tensor:
    """Add a concatenation along an axis of the file. Raises UnreadError."""
    x, letter = tensors[0], tensors[0].axes[axis]
    if letter not in AXES or {t.axes for t in tensors} != {x.axes}:
        raise UnreadError(f"joins along {letter} of {x.axes}")
    return building.add(name, "concat", tensors, x.axes, {"axis": AXES[letter]})


def prelu(building: Building, name: str, x: Tensor, slope: Array) -> Tensor:
    """Add a prelu; slope: one value, or one a channel. Raises UnreadError."""
    return building.add(name, "prelu", [x], x.axes, arrays={"slope": _a_channel(x, slope)})


def _a_channel(x: Tensor, constant: Array) -> Array:
    """Return a constant as one value a channel, or one for all. Raises UnreadError."""
    axes = x.axes[len(x.axes) - constant.ndim :]
    if constant.ndim > len(x.axes):
        raise UnreadError("a constant with more axes than the activation")
    varying = {letter for letter, n in zip(axes, constant.shape, strict=True) if n != 1}
    if not varying <= {"C"} or constant.size not in (1, x.extents["C"]):
        raise UnreadError("a constant that is no value a channel")
    return np.ascontiguousarray(constant.reshape(-1))
