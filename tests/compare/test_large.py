"""Large outputs are compared a block at a time: with the same result, in little memory."""

from __future__ import annotations

import sys
import tracemalloc
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from unittest import mock

import numpy as np
import pytest
from drawn import convolutions
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import examples

from convdiff.case.arrays import Tensors
from convdiff.case.device import Device
from convdiff.compare import exact, term_scales
from convdiff.compare.comparison import Comparison, compare
from convdiff.compare.reference import Reference
from convdiff.numerics import parallel
from convdiff.numerics.floats import FORMATS
from convdiff.plan.cell import Cell
from convdiff.plan.plan import Pair
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.worker.ops.convolution import Convolution

RUNTIME = Runtime(Interpreter("tensorflow", "python"), Device("cpu"))
SPECIAL = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e4, 3.5]


def facts(value: object) -> object:
    """Return all that a comparison says, such that equal facts are equal bits."""
    if isinstance(value, np.ndarray):
        return value.dtype.name, value.shape, value.tobytes()
    if isinstance(value, float):
        return value.hex()
    if is_dataclass(value):
        return [(one.name, facts(getattr(value, one.name))) for one in fields(value)]
    return value


def outputs(draw: st.DrawFn, conv: Convolution, tensors: Tensors) -> list[tuple[Cell, np.ndarray]]:
    """Draw a baseline and a candidate that differs from it here and there, maybe shorter."""
    batch, height, length, _ = tensors.input_nhwc.shape
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype, bits = tensors.input_nhwc.dtype, FORMATS[conv.dtype].bits
    full = rng.integers(-3, 4, conv.output_shape(batch, height, length)).astype(dtype)
    share, odd = draw(st.sampled_from([0, 0.1, 0.6, 1])), draw(st.sampled_from([0, 0.2, 1]))
    sides = []
    for ulp in (0, 1):
        values = full.copy()
        values.view(bits)[rng.random(full.shape) < share] += bits.type(ulp)
        where = rng.random(full.shape) < share * odd
        values[where] = rng.choice(SPECIAL, int(where.sum())).astype(dtype)
        shorter = length - draw(st.integers(0, (length - conv.reach[1])))
        cell = Cell(RUNTIME, "conv2d", shorter, draw(st.integers(1, batch)))
        n, _, w, _ = conv.output_shape(cell.batch, height, shorter)
        sides.append((cell, values[:n, :, :w]))
    return sides


def compared(pair, conv, tensors, most, strict, **limits) -> Comparison:
    """Compare with these limits in place of the modules' own."""
    with ExitStack() as stack:
        for name, value in limits.items():
            for module in (
                "numerics.blocks",
                "compare.exact",
                "compare.term_scales",
                "compare.reference",
            ):
                if hasattr(sys.modules[f"convdiff.{module}"], name):
                    stack.enter_context(mock.patch(f"convdiff.{module}.{name}", value))
        reference = Reference(conv, tensors)
        (one, a), (other, b) = pair
        pair = Pair("length", one, other)
        return compare(pair, a, b, reference, strict=strict, most=most)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_a_comparison_in_blocks_is_bit_for_bit_the_one_in_a_single_block(name):
    @settings(max_examples=examples(1000))
    @given(st.data(), convolutions(name, flavours=["integers"]))  # whose sums are exact
    def check(data: st.DataObject, drawn: tuple[Convolution, Tensors]) -> None:
        pair = outputs(data.draw, *drawn)
        most = data.draw(st.sampled_from([1, 2, 5, sys.maxsize]))
        strict = data.draw(st.booleans())
        limit = data.draw(st.sampled_from([0, 10**9]))
        small = {
            "BLOCK_ELEMENTS": data.draw(st.integers(1, 9)),
            "CHUNK_OUTPUTS": data.draw(st.integers(1, 9)),
            "TABLE_INPUTS": 1,
            "FEWEST_OUTPUTS": data.draw(st.integers(1, 3)),
            "WHOLE": 0,
        }
        one = compared(pair, *drawn, most, strict, FULL_LIMIT=limit)
        many = compared(pair, *drawn, most, strict, FULL_LIMIT=limit, **small)
        assert facts(one) == facts(many)

    check()


@pytest.mark.slow
def test_a_large_comparison_takes_little_memory_and_not_all_scales(monkeypatch):
    monkeypatch.setattr(parallel, "_MOST", 2)  # each thread has a block of its own
    rng = np.random.default_rng(0)
    conv = Convolution((3, 3), 1, 1)
    x = rng.standard_normal((1, 2402, 1202, 1)).astype(np.float32)
    tensors = Tensors(rng.standard_normal((3, 3, 1, 1)).astype(np.float32), None, x)
    a = rng.standard_normal((1, 2400, 1200, 1)).astype(np.float32)
    b = np.where(rng.random(a.shape) < 0.6, np.nextafter(a, np.float32(9)), a)
    cell = Cell(RUNTIME, "conv2d", 1202, 1)
    reference = Reference(conv, tensors)
    assert reference.scales is None
    with mock.patch("convdiff.compare.reference.FULL_LIMIT", 0):
        tracemalloc.start()
        found = compare(Pair("reference", cell, cell), a, b, reference, strict=False, most=10)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.difference.differing == np.count_nonzero(a != b)
    assert peak < 2 * a.nbytes  # one array of fp64 would be as much


@pytest.mark.parametrize("seen", [None, "first", "last"])
def test_only_blocks_that_differ_have_their_scales_made(seen):
    conv = Convolution((1, 3), 1, 1)
    x = np.arange(1, 103, dtype=np.float32).reshape(1, 1, -1, 1)
    tensors = Tensors(np.ones((1, 3, 1, 1), np.float32), None, x)
    a = exact.exact(conv, tensors)
    b = a.copy()
    if seen:
        b[0, 0, 0 if seen == "first" else -1, 0] += 1
    cell = Cell(RUNTIME, "conv2d", 102, 1)
    pair = (cell, a), (cell, b)
    kind = term_scales.TermScales
    with mock.patch.object(kind, "scales", autospec=True, side_effect=kind.scales) as asked:
        found = compared(pair, conv, tensors, 10, False, BLOCK_ELEMENTS=10, WHOLE=0)
    assert sum(int(call.args[2].sum()) for call in asked.call_args_list) == (2 if seen else 0)
    assert (
        found.difference.max_index
        == {
            None: None,
            "first": (0, 0, 0, 0),
            "last": (0, 0, 99, 0),
        }[seen]
    )
