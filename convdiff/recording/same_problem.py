"""Whether two sides computed the same sums: one convolution, on inputs of the same bits."""

from __future__ import annotations

from convdiff.case.arrays import Tensors, digest
from convdiff.case.model import Case
from convdiff.numerics.array import Array
from convdiff.numerics.bits import identical
from convdiff.worker.ops.convolution import Convolution

PARTS = (
    "op",
    "kernel",
    "strides",
    "dilations",
    "padding",
    "output_padding",
    "groups",
    "dtype",
    "channels_out",
    "then",
)
"""What makes two convolutions one."""
NAMED = {"added": "an array that is added"}


def unlike(
    one: Case, one_tensors: Tensors, other: Case, other_tensors: Tensors, batch: int, length: int
) -> str | None:
    """Return why two sides did not compute the same sums, or None if they did.

    batch, length: how much of the input both see; there it must have the same bits.
    """
    for name in PARTS:
        was, now = getattr(one.conv, name), getattr(other.conv, name)
        if was != now:
            return f"not the same convolution: {name} {was} against {now}"
    if one.height != other.height:
        return f"not the same inputs: height {one.height} against {other.height}"
    for name, was, now in zip(
        ("filter", "bias", "input", "added"),
        _seen(one.conv, one_tensors, batch, length),
        _seen(other.conv, other_tensors, batch, length),
        strict=True,
    ):
        if was is None and now is None:
            continue
        if was is None or now is None:
            return f"not the same inputs: {NAMED.get(name, 'a ' + name)} on one side only"
        if not identical(was, now):
            shas = f"{digest(was)[:12]} against {digest(now)[:12]}"
            return f"not the same inputs: sha256 of the {name} {shas}"
    return None


def _seen(conv: Convolution, tensors: Tensors, batch: int, length: int) -> list[Array | None]:
    """Return the arrays as far as both sides see them."""
    x, added = tensors.input_nhwc[:batch, :, :length], tensors.added
    part = None if added is None else conv.addend(added, x.shape)
    return [tensors.filter_hwio, tensors.bias, x, part]
