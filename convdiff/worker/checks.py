"""Checks: probes whose right answer takes no convolution. Asked and read here; Python 3.6.

An input is made of one of two:

    plane, channels    x[n, h, w, c] = plane[n, h, w] · channels[c]: small integers, or a constant.
                       What a position sees of the plane, times what the filter makes of the
                       channels, is the answer: kh · kw products an output, not all taps.
    seed, scaled       all bits of the format at random, in ±[1, 2); where `scaled` is not 0, every
                       fourth of them is 2^scaled as large. A filter of single weights of 1 gives
                       back inputs.

So all that travels is small, both ways. Numbers are such that no direct sum rounds at all.
"""

from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from . import probes
from .framework import computing
from .ops import geometry
from .probing import narrow, wide

AT_ONCE = 1 << 18
"""Products at once: so few that no matrix product wakes other threads for them."""
FIELDS = {"float32": (0x807FFFFF, 0x3F800001, 23), "float16": (0x83FF, 0x3C01, 10)}
"""Of a format: sign and fraction bits, those of 1 and of the last fraction bit, the fraction's."""
FIELDS["bfloat16"] = (0x807F, 0x3F81, 7)


def answer(framework: Any, header: Dict[str, Any], arrays: List[Any]) -> Any:
    """Return how many outputs are wrong, and how many of those are zero: (2,) int64.

    header: {"conv", "op", "device", "input", "bias", "check"}, the last either {} or {"seed",
    "scaled"}; arrays: the taps that have weights, (k,), their weights, (k, cout), the bias,
    (cout,), and the flat positions to look at, none for all; then plane and channels, if any.
    """
    conv, dtype = geometry(header["conv"]), header["conv"]["dtype"]
    taps, weights, bias, places = arrays[:4]
    w = np.zeros((conv.taps, conv.channels_out), probes.stored(dtype))
    w[taps] = weights
    if header["check"]:
        x = _bits(header["input"], dtype, **header["check"])
        rights = _gathered(conv, x, w, places)
    else:
        plane, channels = arrays[4:]
        plane = np.broadcast_to(plane, header["input"][:3])
        x = narrow((plane[..., None] * channels).astype(probes.stored(dtype)), dtype)
        rights = _multiplied(conv, plane, channels, w, places)
    filter_hwio = narrow(w.reshape(conv.filter_shape), dtype)
    b = narrow(bias.astype(probes.stored(dtype)), dtype) if header["bias"] else None
    compute = computing(framework, header["op"], header["device"], header["conv"])
    some = {"places": places} if len(places) else {}
    y = compute(x, filter_hwio, b, **some)
    return np.array(_counts(y, conv, header, places, rights, bias))


def _counts(
    y: Any, conv: Any, header: Dict[str, Any], places: Any, rights: Iterator[Any], bias: Any
) -> Tuple[int, int]:
    """Return how many of all outputs are not right, and how many of those are zero."""
    shape = conv.output_shape(*header["input"][:3])
    if len(places):
        shape = (1, 1, len(places), shape[3])
    if y.shape != shape:
        return int(np.prod(shape)), 0
    flat, at, wrong, zeros = y.reshape(-1, shape[3]), 0, 0, 0
    for right in rights:
        outputs = wide(flat[at : at + len(right)], conv.dtype)
        off = outputs != right + bias
        if off.any():
            wrong += int(np.count_nonzero(off))
            zeros += int(np.count_nonzero(off & (outputs == 0)))
        at += len(right)
    return wrong, zeros


def _bits(shape: Any, dtype: str, seed: int, scaled: int) -> Any:
    """Return numbers with all their bits, the last one set; bfloat16 as its bits."""
    kept, one, fraction = FIELDS[dtype]
    count, kind = int(np.prod(shape)), np.dtype("uint32" if dtype == "float32" else "uint16")
    drawn = np.random.RandomState(seed).bytes(count * kind.itemsize)
    values = np.frombuffer(drawn, kind) & kind.type(kept) | kind.type(one)
    if scaled:
        chosen = np.frombuffer(np.random.RandomState(seed + 1).bytes(count), np.uint8) < 64
        values[chosen] += kind.type(scaled << fraction)
    stored = kind if dtype == "bfloat16" else np.dtype(dtype)
    return values.view(stored).reshape(shape)


def _gathered(conv: Any, x: Any, w: Any, places: Any) -> Iterator[Any]:
    """Yield what a filter of one weight of 1 a channel gives back, (positions, cout) a block."""
    view = conv.windows(x)
    width = conv.channels_in // conv.groups
    i, j, c = np.unravel_index(np.argmax(w != 0, axis=0), conv.filter_shape[:3])
    channels = np.arange(conv.channels_out)
    c = c + width * (channels // (conv.channels_out // conv.groups))
    for some in _blocks(view.shape[:3], places, conv.channels_out):
        yield wide(view[tuple(axis[:, None] for axis in some) + (i, j, c)], conv.dtype)


def _multiplied(conv: Any, plane: Any, channels: Any, w: Any, places: Any) -> Iterator[Any]:
    """Yield the sums of a plane times channels, (positions, cout) a block, in fp64."""
    view = conv.windows(plane[..., None])[..., 0]
    weights = w.astype(np.float64).reshape(conv.filter_shape)
    parts = []
    for group in range(conv.groups):
        own = weights[..., conv.outputs_of(group)]
        parts.append(np.tensordot(own, channels[conv.inputs_of(group)], (2, 0)))
    summed = np.concatenate(parts, axis=2).reshape(-1, conv.channels_out)
    for some in _blocks(view.shape[:3], places, summed.size):
        yield view[some].reshape(-1, len(summed)) @ summed


def _blocks(shape: Any, places: Any, width: int) -> Iterator[Any]:
    """Yield the indices of all positions, or of some, a block at a time."""
    count = len(places) or int(np.prod(shape))
    step = max(1, AT_ONCE // width)
    for at in range(0, count, step):
        some = places[at : at + step] if len(places) else np.arange(at, min(at + step, count))
        yield np.unravel_index(some, shape)
