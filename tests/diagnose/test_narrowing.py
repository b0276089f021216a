"""What narrows numbers is `precision`, with its cause proved: operands, sums, outputs, subnormals.

Each kernel here is written out in NumPy and shares no code with the replay that has to find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from findings import Array, tensors
from kernels import Kernel, direct, products
from soak import crossed, one_in
from trip import explained

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.diagnose.verdict import Finding
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.slow

ROW = Convolution((1, 5), 1, 3)
SQUARE = Convolution((3, 3), 4, 4)
DEEP = Convolution((3, 3), 16, 4)
SHAPES = {ROW: (2, 1, 30, 1), SQUARE: (1, 6, 7, 4), DEEP: (1, 5, 6, 16)}
CONVOLUTIONS = one_in(2, "conv", SHAPES, ids=str)
Rounding = Callable[[Array], Array]


def to(dtype: Any) -> Rounding:
    """Return the rounding of float32 to another format and back."""

    def rounded(values: Array) -> Array:
        with np.errstate(over="ignore"):
            return values.astype(dtype).astype(values.dtype)

    return rounded


def tf32(values: Array) -> Array:
    mantissa, exponent = np.frexp(values.astype(np.float64))
    return np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent).astype(values.dtype)


FORMATS = {"float16": to(np.float16), "bfloat16": to(ml_dtypes.bfloat16), "tf32": tf32}
NARROW = one_in(2, "name", FORMATS)


def kept(values: Array) -> Array:
    return values


def kernel(
    *,
    x: Rounding = kept,
    w: Rounding = kept,
    b: Rounding = kept,
    term: Rounding = kept,
    stored: Rounding = kept,
    every: int = 0,
    before_bias: Rounding = kept,
    output: Rounding = kept,
) -> Kernel:
    """Return a sum of rounded products in order, rounded further at each of these places."""

    def convolution(conv: Convolution, data: Tensors) -> Array:
        narrowed = Tensors(w(data.filter_hwio), None, x(data.input_nhwc))
        with np.errstate(over="ignore", invalid="ignore"):
            terms = products(conv, narrowed, numpy_dtype(conv.dtype))
            total = term(terms[..., 0, :])
            for tap in range(1, conv.taps):
                total = term(total + term(terms[..., tap, :]))
                if every and tap % every == every - 1:
                    total = stored(total)
            total = before_bias(stored(total))
            return output(total if data.bias is None else total + b(data.bias))

    return convolution


def blocks(size: int, *, block: Rounding = kept, total: Rounding = kept) -> Kernel:
    """Return a sum of blocks, each summed in order; narrowed before or after it is added."""

    def convolution(conv: Convolution, data: Tensors) -> Array:
        terms = products(conv, data, numpy_dtype(conv.dtype))
        whole: Array | None = None
        for start in range(0, conv.taps, size):
            part = terms[..., start, :]
            for tap in range(start + 1, min(start + size, conv.taps)):
                part = part + terms[..., tap, :]
            part = block(part)
            whole = total(part if whole is None else whole + part)
        assert whole is not None
        return whole if data.bias is None else whole + data.bias

    return convolution


def proved(finding: Finding, *causes: str, among: Sequence[str] = ()) -> None:
    """Assert that all is proved, with one of these causes or a sum of them everywhere."""
    assert finding.why is not None, finding
    assert finding.why.status == "proved", finding.why.refusals
    assert {cause for cause in finding.why.causes} - set(among) <= set(causes)
    assert set(finding.why.causes) & set(causes)
    assert (finding.verdict, finding.allowed) == ("precision", False)


ALIKE = {"tf32": "(tf32|float16)"}
"""Where a narrowed number stays in float16's range, the two give the same bits."""


def words(finding: Finding) -> str:
    assert finding.why is not None
    return " | ".join(order.words for order in finding.why.orders if order.side == "candidate")


@CONVOLUTIONS
@NARROW
def test_weights_that_alone_are_narrowed(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(w=FORMATS[name]))
    proved(finding, "precision")
    assert f", weights kept as {name}" in words(finding)
    assert "inputs" not in words(finding)


@CONVOLUTIONS
@NARROW
def test_weights_and_bias_that_are_stored_narrow(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(w=FORMATS[name], b=FORMATS[name]))
    proved(finding, "precision")
    assert f", weights kept as {name}, the bias kept as {name}" in words(finding)
    everything = kernel(x=FORMATS[name], w=FORMATS[name], b=FORMATS[name], output=FORMATS[name])
    finding = explained(conv, data, direct, everything)
    proved(finding, "narrowed output", "precision", "precision+narrowed output")


@CONVOLUTIONS
@NARROW
def test_inputs_that_alone_are_narrowed(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(x=FORMATS[name]))
    proved(finding, "precision")
    assert re.search(f", inputs kept as {ALIKE.get(name, name)}", words(finding))


@CONVOLUTIONS
@NARROW
def test_operands_that_are_both_narrowed(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=False)
    finding = explained(conv, data, direct, kernel(x=FORMATS[name], w=FORMATS[name]))
    proved(finding, "precision")


@CONVOLUTIONS
@NARROW
def test_a_sum_rounded_before_the_bias(conv: Convolution, name: str):
    to_narrow = FORMATS[name]
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(before_bias=to_narrow))
    proved(finding, "narrowed before the bias")
    openvino = kernel(x=to_narrow, w=to_narrow, before_bias=to_narrow)
    finding = explained(conv, data, direct, openvino)
    both = "precision+narrowed before the bias"
    proved(finding, both, "narrowed before the bias", "precision")
    said = f"the sum rounded to {ALIKE.get(name, name)} before the bias"
    assert re.search(said, words(finding))


@CONVOLUTIONS
@NARROW
def test_an_output_that_is_narrowed_after_a_whole_sum(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(output=FORMATS[name]))
    proved(finding, "narrowed output")
    assert re.search(f"the result rounded to {ALIKE.get(name, name)}", words(finding))


@CONVOLUTIONS
@NARROW
def test_sums_that_are_narrow_throughout(conv: Convolution, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=False)
    finding = explained(conv, data, direct, kernel(term=FORMATS[name]))
    proved(finding, "narrow sums")


@pytest.mark.parametrize(("conv", "size"), [(SQUARE, 12), (SQUARE, 8), (DEEP, 16), (DEEP, 48)])
@NARROW
def test_totals_of_blocks_that_are_narrow(conv: Convolution, size: int, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, blocks(size), blocks(size, total=FORMATS[name]))
    proved(finding, "narrowed between blocks")
    assert f"the sums of blocks kept as {name}" in words(finding)


@pytest.mark.parametrize(("conv", "size"), [(SQUARE, 12), (DEEP, 48)])
@NARROW
def test_blocks_that_are_narrowed_before_they_are_added(conv: Convolution, size: int, name: str):
    data = tensors(conv, SHAPES[conv], 3, bias=False)
    finding = explained(conv, data, blocks(size), blocks(size, block=FORMATS[name]))
    proved(finding, "narrowed between blocks")
    assert f"a block's sum kept as {name}" in words(finding)


@pytest.mark.parametrize(("conv", "every"), [(SQUARE, 4), (SQUARE, 16), (DEEP, 16), (DEEP, 64)])
@NARROW
def test_a_running_sum_that_is_stored_narrow_after_each_block(
    conv: Convolution, every: int, name: str
):
    data = tensors(conv, SHAPES[conv], 3, bias=True)
    finding = explained(conv, data, direct, kernel(stored=FORMATS[name], every=every))
    proved(finding, "narrowed between blocks")


def half(size: int, *, stored: bool) -> Kernel:
    """Return a sum in float32 of narrower numbers, rounded to their format between blocks."""

    def convolution(conv: Convolution, data: Tensors) -> Array:
        dtype = numpy_dtype(conv.dtype)
        terms = products(conv, data, np.float32)
        total = np.zeros_like(terms[..., 0, :])
        for start in range(0, conv.taps, size):
            part = terms[..., start, :]
            for tap in range(start + 1, min(start + size, conv.taps)):
                part = part + terms[..., tap, :]
            total = total + part if start else part
            total = to(dtype)(total) if stored else total
        return total.astype(dtype)

    return convolution


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("size", [4, 12])
def test_sums_rounded_to_a_16_bit_format_between_blocks_are_precision(size: int, dtype: str):
    """The other side keeps its sums in a wider format: no mere order."""
    conv = replace_dtype(SQUARE, dtype)
    data = tensors(conv, SHAPES[SQUARE], 3, bias=False)
    finding = explained(conv, data, half(size, stored=False), half(size, stored=True))
    assert finding.why is not None
    assert set(finding.why.causes) == {"rounded between blocks"}
    assert (finding.why.status, finding.verdict) == ("proved", "precision")


def test_a_sum_narrowed_where_no_kernel_does_it_stays_unexplained():
    data = tensors(SQUARE, SHAPES[SQUARE], 3, bias=False)
    odd = kernel(stored=to(np.float16), every=7)
    finding = explained(SQUARE, data, direct, odd)
    assert finding.why is not None
    assert finding.why.status == "unexplained"
    assert finding.verdict != "rounding" or not finding.allowed


def flush(values: Array) -> Array:
    tiny = 2.0**-1022 if values.dtype == np.float64 else 2.0**-126
    return np.where(np.abs(values) < tiny, np.copysign(0, values), values).astype(values.dtype)


FLUSHING = {
    "inputs": lambda: kernel(x=flush, w=flush),
    "ends": lambda: kernel(x=flush, w=flush, output=flush),
    "sums": lambda: kernel(term=flush, output=flush),
    "output": lambda: kernel(output=flush),
    "all": lambda: kernel(x=flush, w=flush, term=flush, output=flush),
}


@crossed(
    conv=list(SHAPES),
    flushed=list(FLUSHING),
    kind=["inputs", "outputs"],
    dtype=["float32", "float64"],
)
def test_what_is_flushed_to_zero_is_precision(
    conv: Convolution, flushed: str, kind: str, dtype: str
):
    conv = replace_dtype(conv, dtype)
    shape = SHAPES[replace_dtype(conv, "float32")]
    data = tiny(tensors(conv, shape, 3, bias=False), dtype, kind)
    sides = kernel(), FLUSHING[flushed]()
    if np.array_equal(*(one(conv, data) for one in sides)):
        return  # nothing that it flushes is in the data
    finding = explained(conv, data, *sides)
    proved(finding, "flush to zero")
    assert "taken as zero" in words(finding)


def replace_dtype(conv: Convolution, dtype: str) -> Convolution:
    return conv._replace(dtype=dtype)


def tiny(data: Tensors, dtype: str, kind: str) -> Tensors:
    """Return data with subnormal inputs, or with normal ones whose products are subnormal."""
    exponent = -1022 if dtype == "float64" else -126
    if kind == "inputs":
        return replace(data, input_nhwc=np.ldexp(data.input_nhwc, exponent))
    half = exponent // 2
    x, w = np.ldexp(data.input_nhwc, half), np.ldexp(data.filter_hwio, half)
    return replace(data, input_nhwc=x, filter_hwio=w)


@pytest.mark.parametrize("bias", [False, True])
def test_a_kernel_that_large_numbers_break_is_not_explained_by_small_ones(bias: bool):
    """Probes at a narrow scale are for kernels that are narrow, and prove nothing of others."""

    def broken(conv: Convolution, data: Tensors) -> Array:
        y = direct(conv, data)
        large = max(np.abs(data.filter_hwio).max(), np.abs(data.input_nhwc).max()) > 1e20
        return np.full_like(y, np.inf) if large else y

    data = tensors(SQUARE, SHAPES[SQUARE], 3, bias=bias)
    finding = explained(SQUARE, data, kernel(term=to(np.float16)), broken)
    assert finding.why is not None
    assert finding.why.replayed["candidate"][0] == 0
