"""The measure of a difference and its ratios, one block after the other and every element alike."""

from __future__ import annotations

import numpy as np

from convdiff.compare.bounds import SCREEN, gamma
from convdiff.compare.difference import Difference, Elements, differs
from convdiff.compare.fp64 import Scales
from convdiff.compare.reference import Reference
from convdiff.compare.term_scales import FEWEST_OUTPUTS, TABLE_INPUTS
from convdiff.numerics.blocks import blocks, corner
from convdiff.numerics.floats import format_of

FAR = 2**63 - 1


def steps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how many representable numbers lie between two finite ones, in Python's integers."""
    return np.array([min(abs(_key(x) - _key(y)), FAR) for x, y in zip(a, b, strict=True)], "u8")


def _key(value: np.generic) -> int:
    bits = format_of(np.asarray(value)).bits
    raw, sign = int(np.asarray(value).view(bits)), 1 << (8 * bits.itemsize - 1)
    return -(raw - sign) if raw & sign else raw


@np.errstate(invalid="ignore", over="ignore")
def difference(a: np.ndarray, b: np.ndarray, strict: bool, most: int) -> Difference:
    """Measure b against a, all differing elements of each block, and merge the blocks' worst."""
    columns, parts, differing, appeared, farthest = np.zeros(a.shape[2], np.uint64), [], 0, 0, 0
    for block in blocks(a.shape):
        mask = differs(a[block], b[block], strict)
        if not mask.any():
            continue
        x, y = a[block][mask], b[block][mask]
        delta = y.astype(np.float64) - x.astype(np.float64)
        finite = np.isfinite(x.astype(np.float64)) & np.isfinite(y.astype(np.float64))
        ulp = np.full(len(x), FAR, np.uint64)
        ulp[finite] = steps(x[finite], y[finite])
        index = np.argwhere(mask) + corner(block)
        for column, most_steps in zip(index[:, 2], ulp, strict=True):
            columns[column] = max(columns[column], most_steps)
        differing, appeared = differing + len(x), appeared + int(np.sum(~finite))
        farthest = max(farthest, int(ulp[finite].max(initial=0)))
        part = Elements(index, x, y, delta, ulp)
        parts.append(part.at(part.ranks(most)))
    if not parts:
        return Difference(a.size, 0)
    fields = zip(*(part.fields for part in parts), strict=True)
    worst = Elements(*(np.concatenate(field) for field in fields))
    worst = worst.at(worst.ranks(most))
    largest = abs(float(worst.delta[0]))
    return Difference(
        a.size,
        differing,
        np.inf if np.isnan(largest) else largest,
        farthest,
        tuple(worst.index[0].tolist()),
        appeared,
        worst,
        columns,
    )


@np.errstate(all="ignore")
def ratios(
    a: np.ndarray, b: np.ndarray, measured: np.ndarray, reference: Reference
) -> tuple[float, float, float]:
    """Return max |Δ| / 2γₙA, max |Δ| / screen and the least A of what is lost on one side."""
    terms, form, flush = reference.terms, reference.format, reference.underflow
    bound, usual, least = 0.0, 0.0, np.inf
    for block in blocks(a.shape):
        x, y = a[block].astype(np.float64), b[block].astype(np.float64)
        here = (np.abs(y - x) != 0) & np.broadcast_to(measured, a.shape)[block]
        if not here.any():
            continue
        x, y, size, scales = x[here], y[here], np.abs(y - x)[here], _scales(reference, block, here)
        lost = ~np.isfinite(size)
        least = min(least, float(scales.absolute[lost].min(initial=np.inf)))
        size[lost] = 0.0
        worst = np.zeros(len(size))
        np.multiply(
            2 * gamma(terms + 1, form), scales.absolute, out=worst, where=scales.absolute > 0
        )
        screen = np.sqrt(terms) * scales.euclidean + np.abs(x) + np.abs(y)
        bounds = (worst + flush, SCREEN * form.unit_roundoff * screen + flush)
        of_bound, of_screen = (np.where(size == 0, 0.0, size / one).max() for one in bounds)
        bound, usual = max(bound, float(of_bound)), max(usual, float(of_screen))
    return bound, usual, least


def _scales(reference: Reference, block: tuple[slice, ...], mask: np.ndarray) -> Scales:
    """Return A and L2 under a mask, by the products of just those positions that it has."""
    if reference.scales is not None:
        return Scales(
            reference.scales.absolute[block][mask], reference.scales.euclidean[block][mask]
        )
    conv, tensors = reference.conv, reference.finite
    fields = np.asarray(conv.windows(tensors.input_nhwc))[block[:3]][mask.any(axis=3)]
    weights = np.abs(tensors.filter_hwio.astype(np.float64))
    weights = weights.reshape(conv.taps, conv.groups, -1).transpose(1, 0, 2)
    bias = 0.0 if tensors.bias is None else np.abs(tensors.bias.astype(np.float64))
    parts, step = [], max(FEWEST_OUTPUTS, TABLE_INPUTS // (conv.taps * conv.groups))
    for first in range(0, len(fields), step):
        some = fields[first : first + step]
        sizes = np.abs(some.astype(np.float64)).reshape(
            len(some), -1, conv.groups, conv.channels_in // conv.groups
        )
        table = sizes.transpose(2, 0, 1, 3).reshape(conv.groups, len(some), conv.taps)
        parts.append((table @ weights, table**2 @ weights**2))
    sums, squares = (
        np.concatenate([one.transpose(1, 0, 2).reshape(one.shape[1], -1) for one in column])
        for column in zip(*parts, strict=True)
    )
    sums, squares = sums + bias, np.sqrt(squares + np.square(bias))
    chosen = mask[mask.any(axis=3)]
    return Scales(sums[:, block[3]][chosen], squares[:, block[3]][chosen])
