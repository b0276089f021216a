"""What a wrong result looks like: the known mistakes, tried one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convdiff.behaviour.mistakes import factors, mistakes
from convdiff.behaviour.probes import Probe
from convdiff.case.arrays import Tensors
from convdiff.compare.bounds import screen
from convdiff.compare.exact import plain_fp64, scales
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of
from convdiff.worker.ops.conv2d import Convolution

Agrees = Callable[[Array, Array], bool]

FARTHEST = 2
"""Shifts are tried up to so many positions either way."""
CLEAR, CHANCE = 8.0, 1e-3
"""A dropped product is so many times what rounding allows, and so unlikely to fit by chance."""
MANY = 8
"""Outputs that a constant factor must explain: fewer may have any ratio by chance."""
TABLE = 1 << 22
"""Products that are looked through at once for a dropped tap."""


def fit_integers(conv: Convolution, probe: Probe, output: Array) -> str | None:
    """Name the mistake that gives exactly these integers, or None."""
    if output.ndim != 4 or not np.isfinite(output.astype(np.float64)).all():
        return None
    tensors, observed = probe.tensors, output.astype(np.float64)
    found = _fit(conv, tensors, observed, lambda a, b: bool(np.array_equal(a, b)))
    right = plain_fp64(conv, tensors)
    if found or observed.shape != right.shape:
        return found
    return _dropped_tap(conv, tensors, right, observed, np.zeros_like(right))


def fit_data(conv: Convolution, tensors: Tensors, output: Array) -> str | None:
    """Name the mistake whose result on the case's own data lies within the screen, or None."""
    if output.ndim != 4 or not np.isfinite(output.astype(np.float64)).all():
        return None
    sizes, form = scales(conv, tensors), format_of(tensors.input_nhwc)

    def close(a: Array, b: Array) -> bool:
        if a.shape == sizes.absolute.shape:
            return bool((np.abs(a - b) <= screen(sizes, conv.taps + 1, form, a, b)).all())
        largest = float(sizes.absolute.max())
        return bool((np.abs(a - b) <= 8 * form.unit_roundoff * largest).all())

    observed, right = output.astype(np.float64), plain_fp64(conv, tensors)
    found = _fit(conv, tensors, observed, close)
    if found or observed.shape != right.shape:
        return found
    limit = screen(sizes, conv.taps + 1, form, observed, right)
    return _dropped_tap(conv, tensors, right, observed, limit)


def _fit(conv: Convolution, tensors: Tensors, observed: Array, agrees: Agrees) -> str | None:
    """Name the mistake whose result agrees with `observed` (fp64, NHWC), or None.

    A mistake that gives the right result here is no explanation and is passed over.
    """
    right = plain_fp64(conv, tensors)
    if observed.shape == right.shape and agrees(observed, right):
        return None
    for name, result in mistakes(conv, tensors):
        if result.shape == observed.shape and agrees(observed, result):
            return name
    if observed.shape != right.shape:
        return None
    return _shift(right, observed, agrees) or _factor(conv, tensors, right, observed)


def _factor(conv: Convolution, tensors: Tensors, right: Array, observed: Array) -> str | None:
    """Return the constant that all outputs are multiplied by, if it is one that people use."""
    slack = 4 * format_of(tensors.input_nhwc).unit_roundoff
    if np.count_nonzero(right) < MANY:
        return None
    for name, factor in factors(conv):
        scaled = right * factor
        if (np.abs(observed - scaled) <= slack * np.abs(scaled)).all():
            return f"the output is multiplied by {name}"
    return None


def _shift(right: Array, observed: Array, agrees: Agrees) -> str | None:
    """Return the shift (down, right) at which the overlapping parts agree, if there is one."""
    rows, columns = right.shape[1:3]
    steps = range(-FARTHEST, FARTHEST + 1)
    for dy, dx in sorted(
        ((y, x) for y in steps for x in steps), key=lambda s: abs(s[0]) + abs(s[1])
    ):
        if (dy, dx) == (0, 0) or rows - abs(dy) < 1 or columns - abs(dx) < 1:
            continue
        ys, xs = slice(max(0, dy), rows + min(0, dy)), slice(max(0, dx), columns + min(0, dx))
        yt, xt = slice(max(0, -dy), rows - max(0, dy)), slice(max(0, -dx), columns - max(0, dx))
        moved = observed[:, ys, xs]
        # A shift is no explanation of a single number or a constant.
        if moved.size >= 4 and np.ptp(moved) > 0 and agrees(moved, right[:, yt, xt]):
            return f"the output is shifted by ({dy}, {dx})"
    return None


def _dropped_tap(
    conv: Convolution, tensors: Tensors, right: Array, observed: Array, limit: Array
) -> str | None:
    """Return the tap that is missing from, or counted twice in, the first wrong channel.

    `limit` is how far rounding may take each output. Where there is any, the tap's product must be
    far larger, at so many outputs that none of all taps would fit by chance.
    """
    wrong = np.argwhere((np.abs(right - observed) > limit).any(axis=(0, 1, 2))).ravel()
    if not len(wrong):
        return None
    channel = int(wrong[0])
    error: Array = (observed - right)[..., channel].reshape(-1)
    slack: Array = limit[..., channel].reshape(-1)
    # The outputs that are off come first, as many as a reasonable table holds.
    places = np.argsort(np.abs(error) <= slack, kind="stable")[: max(64, TABLE // conv.taps)]
    error, slack = error[places], slack[places]
    products = _products_at(conv, tensors, right.shape, places, channel)
    off = np.abs(error) > slack
    found = []
    for tap in np.flatnonzero(np.abs(products).max(axis=0)):
        place = tuple(int(i) for i in np.unravel_index(tap, conv.filter_shape[:3]))
        for text, change in (
            ("is dropped", -products[:, tap]),
            ("is counted twice", products[:, tap]),
        ):
            fitting = (np.abs(error - change) <= slack).all()
            if fitting and _no_chance(np.abs(change[off]), slack[off], conv.taps):
                found.append(f"tap {place} (kh, kw, cin) {text} in output channel {channel}")
    return found[0] if found and (len(found) == 1 or not limit.any()) else None


def _no_chance(sizes: Array, slack: Array, taps: int) -> bool:
    """Return whether products of these sizes explain errors that rounding or chance can't."""
    if (sizes < CLEAR * slack).any():
        return False
    with np.errstate(divide="ignore"):
        log_chance = np.log(slack / np.maximum(sizes, np.finfo(np.float64).tiny)).sum()
    return bool(np.log(2 * taps) + log_chance < np.log(CHANCE))


def _products_at(
    conv: Convolution, tensors: Tensors, shape: tuple[int, ...], places: Array, channel: int
) -> Array:
    """Return every product of these outputs: (places, taps), the taps in (kh, kw, cin) order."""
    width = conv.channels_in // conv.groups
    group = channel // (conv.channels_out // conv.groups)
    view = conv.windows(tensors.input_nhwc)
    field = view[np.unravel_index(places, shape[:3])]
    field = field[..., group * width : (group + 1) * width].reshape(len(places), conv.taps)
    weights = tensors.filter_hwio[..., channel].reshape(-1)
    return np.asarray(field.astype(np.float64) * weights.astype(np.float64))
