"""Layers that sum no products of a filter, held against what they are to give; see `wide`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from convdiff.diagnose.verdicts import Verdict
from convdiff.net.trace.model import Judged
from convdiff.net.trace.wide import FLAT, Arrays, Depths, Truth, truth_of
from convdiff.numerics.array import Array
from convdiff.numerics.floats import format_of, spacing
from convdiff.numerics.rounding import flushed
from convdiff.worker.ops.net import Layer, Net

Sides = tuple[Array, Array]
FUNCTION_ULPS = 8.0
"""How far a function of one number may be off and still be called rounding."""
NARROWED = 2.0**-8
"""More than this share of its terms is no rounding to a narrower format."""
MOVING = (
    *("max_pool", "global_max_pool", "relu", "relu6", "abs", "negative", "clip"),
    *("maximum", "minimum", "concat"),
)
"""Layers that choose, and so round nothing; nor do those of the family `move`."""
SIGNED = ("concat", "abs", "negative")
"""Layers that say which sign a zero has, as those of the family `move` do; a maximum does not."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A layer that sums no products, and what it read and gave on both sides."""

    net: Net
    layer: Layer
    arrays: Arrays
    """By their names in `Kind.arrays`."""
    inputs: Sequence[Sequence[Array]]
    """What it reads on each side, or once for both, whole, NHWC."""
    sides: Sides
    """Its activations, baseline and candidate, at the `columns`."""
    columns: Array
    """bool (columns,): those that see the same, from the first on."""
    depths: Depths

    @property
    def reads(self) -> tuple[Sequence[Array], Sequence[Array]]:
        """What each side reads."""
        return self.inputs[0], self.inputs[-1]

    def truth(self, arrays: Arrays, inputs: Sequence[Array]) -> Truth:
        """Return what it is to give at the columns of these arrays and inputs."""
        whole = truth_of(self.net, self.layer, arrays, inputs, self.depths)
        return whole.at(self.columns, len(self.sides[0]))


def judge_layer(
    net: Net,
    layer: Layer,
    arrays: Arrays,
    inputs: Sequence[Array],
    sides: Sides,
    columns: Array,
    depths: Depths = FLAT,
) -> tuple[Verdict, Judged]:
    """Return a verdict on two activations of a layer whose inputs are equal; see `Evidence`.

    inputs: what it reads, whole, NHWC, of the run with the longer activation.
    """
    return judge_sides(Evidence(net, layer, arrays, [inputs], sides, columns, depths))


@np.errstate(all="ignore")
def judge_sides(evidence: Evidence) -> tuple[Verdict, Judged]:
    """Return a verdict on two activations of a layer, and what it is based on."""
    layer, sides = evidence.layer, evidence.sides
    truths = [evidence.truth(evidence.arrays, one) for one in evidence.inputs]
    one = _held_against(truths[0], sides[0], _is_signed(layer))
    other = _held_against(truths[-1], sides[1], _is_signed(layer))
    ulps, undecided = (one.ulps, other.ulps), max(one.undecided, other.undecided)
    judged = Judged(sides[0].size, (one.wrong, other.wrong), ulps, undecided)
    allowed = max(_allowed(layer, read) for read in evidence.inputs)
    verdict = _verdict(layer, allowed, max(ulps), format_of(sides[0]).precision)
    if verdict == "wrong" and _are_flushed(evidence):
        verdict = "precision"
    return verdict, judged


def _are_flushed(evidence: Evidence) -> bool:
    """Return whether both sides are right where subnormal numbers may be taken for zero.

    Of what is read, of what is given, or of both, element by element.
    """
    flat = {name: _flushed(array) for name, array in evidence.arrays.items()}
    is_signed = _is_signed(evidence.layer)
    for side, read in zip(evidence.sides, evidence.reads, strict=True):
        plain = evidence.truth(evidence.arrays, read)
        zeroed = evidence.truth(flat, list(map(_flushed, read)))
        errors = [_flushed_error(one, side, is_signed) for one in (plain, zeroed)]
        if np.minimum(*errors).max(initial=0.0) > _allowed(evidence.layer, read):
            return False
    return True


def _flushed_error(truth: Truth, side: Array, is_signed: bool) -> Array:
    """Return by how many ulps values are off that may be zero where they are subnormal."""
    low, high = truth.rounded(side.dtype)
    is_zero = (side == _flushed(low)) | (side == _flushed(high))
    error = np.where(is_zero, 0, _error(side, truth, low, high))
    return np.where(_turned(side, low) & is_signed, np.inf, error)


def chooses(layer: Layer) -> bool:
    """Return whether a layer gives what it reads, or some of it, and so rounds nothing."""
    return layer.kind.family == "move" or layer.op in MOVING


def _turned(side: Array, right: Array) -> Array:
    """Return which zeros have another sign than the number, or zero, that is right."""
    is_zero = (side == 0) & (_flushed(right) == 0)
    return np.asarray(is_zero & (np.signbit(side) != np.signbit(right)))


def _flushed(values: Array) -> Array:
    return flushed(values, values.dtype.name)


def _is_signed(layer: Layer) -> bool:
    return layer.kind.family == "move" or layer.op in SIGNED


class _Side(NamedTuple):
    """One side held against what it is to give; see `Judged`."""

    wrong: int
    ulps: float
    undecided: int


def _held_against(truth: Truth, side: Array, is_signed: bool) -> _Side:
    low, high = truth.rounded(side.dtype)
    error = _error(side, truth, low, high)
    if is_signed:
        error = np.maximum(error, _turned(side, low))
    undecided = int(np.count_nonzero((low != high) & ~np.isnan(low)))
    return _Side(int(np.count_nonzero(error)), float(error.max(initial=0.0)), undecided)


def _error(side: Array, truth: Truth, low: Array, high: Array) -> Array:
    """Return by how many ulps values are off, at the size of their terms; 0 where they are right.

    Infinite where a value or the right one is not finite, and they are not the same.
    """
    right = (side == low) | (side == high) | (np.isnan(side) & np.isnan(low))
    unit = spacing(truth.scale.astype(np.float64), format_of(side))
    size = np.abs(side.astype(truth.values.dtype) - truth.values).astype(np.float64) / unit
    return np.where(right, 0.0, np.where(np.isnan(size), np.inf, size))


def _verdict(layer: Layer, allowed: float, ulps: float, precision: int) -> Verdict:
    """Return what errors of so many ulps are called; allowed: of how many by rounding alone."""
    if ulps <= allowed:
        return "rounding"
    if chooses(layer):
        return "wrong"
    return "precision" if ulps * 2.0**-precision <= NARROWED else "wrong"


def _allowed(layer: Layer, inputs: Sequence[Array]) -> float:
    """Return by how many ulps a layer may be off by rounding alone."""
    if chooses(layer):
        return 0.0
    terms: float = len(inputs) + len(layer.arrays)
    if layer.op == "softmax":  # x − max is rounded before e^x
        spread = float(np.ptp(inputs[0].astype(np.float64), axis=-1).max(initial=0.0))
        terms += inputs[0].shape[3] + (spread if math.isfinite(spread) else 0.0)
    if layer.op == "global_avg_pool":
        terms += math.prod(inputs[0].shape[1:3])
    if layer.kind.family == "pool":
        terms += math.prod(layer.settings["size"])
    return max(FUNCTION_ULPS, terms)
