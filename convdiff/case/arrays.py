"""The arrays of a case, made by NumPy from its specs, and how much memory that takes."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convdiff.case.layout import written
from convdiff.case.model import ITEM_BYTES, ArraySpec, Case
from convdiff.case.npy import read_values
from convdiff.errors import CaseError, Place
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution

GIVEN = ("values", "file")
"""Kinds whose values someone wrote down: NaN and infinity among them are meant."""


@dataclass(frozen=True)
class Tensors:
    """A case's arrays in its own dtype."""

    filter_hwio: Array
    bias: Array | None
    input_nhwc: Array
    """At the largest batch and the longest length; every cell takes a prefix of it."""
    added: Array | None = None
    """What the step `add` adds, NHWC; `Convolution.addend` cuts it to an output."""

    def first(self, conv: Convolution) -> Tensors:
        """Return the filters of a convolution of the first output channels, and their inputs."""
        bias = None if self.bias is None else self.bias[: conv.channels_out]
        return Tensors(
            np.ascontiguousarray(self.filter_hwio[..., : conv.channels_out]),
            bias,
            np.ascontiguousarray(self.input_nhwc[..., : conv.channels_in]),
            self.added,
        )

    def upto(self, batch: int, length: int) -> Tensors:
        """Return them with the input cut to so many images and columns."""
        cut = np.ascontiguousarray(self.input_nhwc[:batch, :, :length])
        return replace(self, input_nhwc=cut)


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype called `name`; bfloat16 comes from ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        name = ml_dtypes.bfloat16
    dtype: np.dtype[Any] = np.dtype(name)
    return dtype


def make_tensors(case: Case) -> Tensors:
    """Make a case's arrays. Raises CaseError for values that its dtype can't hold."""
    dtype = case.conv.dtype
    return Tensors(
        make_array(case.filter, dtype),
        make_array(case.bias, dtype) if case.bias else None,
        input_of(case, dtype),
        make_input(case.added, dtype) if case.added else None,
    )


def input_of(case: Case, dtype: str) -> Array:
    """Make a case's NHWC input, as much of it as is run."""
    batch, _, length, _ = case.input_shape
    return np.ascontiguousarray(make_input(case.input, dtype)[:batch, :, :length])


def make_input(spec: ArraySpec, dtype: str) -> Array:
    """Make an NHWC input. Random kinds are drawn image by image and column by column.

    So the values at a place depend on neither the batch size nor the length: what is drawn for
    5..20 is a prefix of what is drawn for 5..2000.
    """
    if spec.kind not in ("normal", "uniform", "integers"):
        return make_array(spec, dtype)
    batch, height, length, channels = spec.shape
    images = [
        make_array(replace(spec, shape=(length, height, channels), stream=image), dtype)
        for image in range(batch)
    ]
    return np.ascontiguousarray(np.stack(images).transpose(0, 2, 1, 3))


def make_array(spec: ArraySpec, dtype: str) -> Array:
    """Make one array: float64 arithmetic, one rounding to `dtype` at the end.

    NaN and infinity that a case gives are kept. Raises CaseError where arithmetic makes one.

    Random kinds draw from `numpy.random.default_rng([seed, stream])`, in C order of the shape.
    """
    target = numpy_dtype(dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused below
        given = _values(spec)
        values = given * np.float64(spec.scale) if spec.scale != 1.0 else given
    kept = np.isfinite(given) if spec.kind in GIVEN else np.True_
    if (kept & ~np.isfinite(values)).any():
        text = f"NaN or infinity in the data: {spec.kind!r} and 'scale' lead beyond float64"
        raise CaseError(spec.place, text)
    with np.errstate(over="ignore", invalid="ignore"):  # a signalling NaN is no error
        result = np.ascontiguousarray(values.reshape(spec.shape)).astype(target)
    if not np.isfinite(result.astype(np.float64))[np.isfinite(values.reshape(spec.shape))].all():
        raise CaseError(spec.place, f"a value is beyond the range of {dtype}")
    return result


def _values(spec: ArraySpec) -> Array:  # noqa: PLR0911 - one a kind
    rng = np.random.default_rng([spec.seed, spec.stream])
    given = spec.values
    match spec.kind:
        case "values":
            return _turned(np.asarray(given, np.float64), spec)
        case "file":
            assert spec.file is not None
            values = read_values(spec.file, spec.member, spec.place)
            if values.size != math.prod(spec.shape):
                raise CaseError(spec.place, f"{spec.file.name} changed while it was read")
            return _turned(values.astype(np.float64), spec)
        case "normal":
            return rng.normal(0.0, given[0], spec.shape)
        case "uniform":
            return rng.uniform(given[0], given[1], spec.shape)
        case "integers":
            drawn = rng.integers(int(given[0]), int(given[1]), spec.shape, endpoint=True)
            return drawn.astype(np.float64)
        case "ones":
            return np.ones(spec.shape)
        case "zeros":
            return np.zeros(spec.shape)
        case "delta":
            result = np.zeros(math.prod(spec.shape))
            result[int(given[0])] = 1.0
            return result
        case "ramp":
            return _ramp(spec.shape, spec.along, given[0])
    raise CaseError(spec.place, f"unknown kind {spec.kind!r}")


def _turned(values: Array, spec: ArraySpec) -> Array:
    """Return given values with their axes where the spec's shape has them."""
    return np.transpose(values.reshape(spec.given), spec.axes) if spec.axes else values


def _ramp(shape: tuple[int, ...], axis: int, step: float) -> Array:
    values = step * np.arange(shape[axis], dtype=np.float64)
    form = [1] * len(shape)
    form[axis] = -1
    return np.ascontiguousarray(np.broadcast_to(values.reshape(form), shape))


def digest(array: Array) -> str:
    """Return the SHA-256 of an array's dtype, shape and little-endian bytes, as hex."""
    sha = hashlib.sha256(f"{array.dtype.name} {array.shape} ".encode())
    sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def refuse_too_big(case: Case) -> None:
    """Raise CaseError with the size if the case can't fit in memory. Allocates nothing."""
    item = ITEM_BYTES[case.conv.dtype]
    output = math.prod(case.conv.output_shape(*case.input_shape[:3]))
    batch, rows, length, channels = case.input.shape
    laid = batch * channels * case.conv.laid_out(rows, length)
    weights, inputs = math.prod(case.filter.shape), max(math.prod(case.input.shape), laid)
    # In float64 while they are made, then in their own dtype here, in the worker and in the
    # framework; an output also meets its exact reference.
    needed = (weights + inputs) * (8 + 3 * item) + output * (3 * item + 32)
    beyond = beyond_memory(needed)
    if beyond:
        layout = case.lying
        given = written(layout.input.spoken(case.input.shape))
        raise CaseError(
            Place(case.file),
            f"too big: input {given}, filter {written(layout.filter.spoken(case.filter.shape))}"
            f" and output of "
            f"{output:,} values need about {beyond}",
        )


def beyond_memory(needed: int) -> str:
    """Return how many bytes are needed and how many there are, where they are not enough."""
    available = _available_bytes()
    return "" if needed <= available else f"{_size(needed)}; {_size(available)} is available"


def _available_bytes() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not every system says
        return 2**40


def _size(count: int) -> str:
    units = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
    step = min(len(units) - 1, (len(str(count)) - 1) // 3)
    return f"{count / 1000**step:.3g} {units[step]}"
