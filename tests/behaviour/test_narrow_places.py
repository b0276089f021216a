"""Where bits are lost is told by its place, and what sums keep by its width."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from findings import judged, tensors
from kernels import CELL, HEIGHT, Kernel, add_up, measure_with, shuffled, to_bits, to_float16
from narrowing import PLACES, in_blocks, summing_and_storing
from soak import WHOLE, crossed

from convdiff.behaviour.behaviour import Behaviour, Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.slow
ROUNDINGS = {
    "fp16": (to_float16, 10),
    "bf16": (to_bits(7), 7),
    "TF32": (to_bits(10), 10),
    "8 bits": (to_bits(8), 8),
}
GEOMETRIES = [
    Convolution((3, 3), 4, 4),
    Convolution((1, 5), 1, 1),
    Convolution((3, 1), 1, 2, strides=(2, 1), dilations=(2, 1)),
    Convolution((1, 1), 5, 3),
    Convolution((2, 3), 4, 4, groups=4, strides=(1, 3), dilations=(1, 2)),
    Convolution((3, 3), 64, 4),
]


def said(place: str, bits: int) -> str:
    """Return the words for a narrow place."""
    keep = f"keep {bits} of 23 fraction bits"
    return {
        "input": f"inputs {keep}",
        "weight": f"weights {keep}",
        "input and weight": f"inputs {keep}",
        "sums": f"the accumulator keeps {bits + 1} of 24 bits",
        "output": f"outputs {keep}",
        "before the bias": f"outputs {keep}",
        "before and after": f"outputs {keep}",
    }[place]


def examined(kernel: Kernel, conv: Convolution, bias: bool = True) -> Traits:
    traits = examine_cell(CELL, conv, HEIGHT, bias, measure_with(kernel, conv)).traits
    assert traits is not None
    return traits


@crossed(place=PLACES, rounding=ROUNDINGS, conv=GEOMETRIES)
def test_the_place_is_named_and_no_other(place: str, rounding: str, conv: Convolution):
    to, bits = ROUNDINGS[rounding]
    for bias in (True, False):
        traits = examined(PLACES[place](to), conv, bias)
        assert traits.narrowed is not None
        assert traits.narrowed.startswith(said(place, bits)), traits.narrowed
        assert (traits.integer_error, traits.transform, traits.quantised) == (None, None, None)
        for other in ("inputs", "weights", "accumulator", "outputs"):
            named = other in traits.narrowed
            assert named == (other in said(place, bits) or (place, other) == PAIR)
        assert ("before the bias" in traits.narrowed) == (bias and place.startswith("before"))
        assert ("and after" in traits.narrowed) == (bias and place == "before and after")


PAIR = ("input and weight", "weights")


@pytest.mark.parametrize("conv", GEOMETRIES, ids=str)
def test_an_output_narrower_than_its_sums_is_named_beside_them(conv: Convolution):
    narrowed = examined(summing_and_storing(to_bits(15), to_bits(7)), conv).narrowed or ""
    assert narrowed.startswith("the accumulator keeps 16 of 24 bits, outputs keep 7 of 23")
    assert "inputs" not in narrowed
    assert "weights" not in narrowed


@pytest.mark.parametrize("place", ["input", "weight", "input and weight"])
def test_a_filter_of_one_tap_tells_its_factors_from_its_output(place: str):
    conv = Convolution((1, 1), 1, 3)
    narrowed = examined(PLACES[place](to_bits(7)), conv).narrowed or ""
    assert narrowed.startswith(said(place, 7))
    assert "outputs" not in narrowed
    for other in ("sums", "output"):
        narrowed = examined(PLACES[other](to_bits(7)), conv).narrowed or ""
        assert narrowed == "sums or outputs keep 7 of 23 fraction bits (bfloat16)"


@pytest.mark.parametrize("place", PLACES)
def test_two_taps_tell_an_output_from_its_factors(place: str):
    conv = Convolution((1, 2), 1, 3)
    narrowed = examined(PLACES[place](to_bits(7)), conv).narrowed or ""
    if place == "sums":
        assert narrowed == "sums or outputs keep 7 of 23 fraction bits (bfloat16)"
    else:
        assert narrowed.startswith(said(place, 7))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_what_narrows_is_precision_and_never_rounding(place: str, rounding: str):
    conv = GEOMETRIES[0]
    data = tensors(conv, (1, 9, 9, 4), 5, bias=True)
    narrow = PLACES[place](ROUNDINGS[rounding][0])
    for sides in ((shuffled(1), narrow), (narrow, shuffled(2))):
        finding = judged(conv, data, *sides)
        assert finding.verdict == "precision", finding.evidence
        assert not finding.allowed


BLOCKS = [*product(ROUNDINGS, (1, 4, 9, 100))][:: 1 if WHOLE else 3]
"""Roundings and sizes of blocks; outside of the soak each of both is in one of them."""


@pytest.mark.soak
@pytest.mark.parametrize(("rounding", "size"), BLOCKS)
def test_sums_that_are_narrowed_between_blocks_are_narrow(rounding: str, size: int):
    to, bits = ROUNDINGS[rounding]
    conv = Convolution((3, 3), 64, 4)
    narrowed = examined(in_blocks(to, size), conv).narrowed or ""
    assert narrowed.startswith(f"the accumulator keeps {bits + 1} of 24 bits")
    data = tensors(conv, (1, 9, 9, 64), 5, bias=True)
    assert judged(conv, data, shuffled(1), in_blocks(to, size)).verdict == "precision"


@pytest.mark.parametrize("size", [1, 4, 9, 100])
def test_float16_that_is_narrowed_between_blocks_is_precision_beside_float32(size: int):
    conv = Convolution((3, 3), 64, 4, dtype="float16")
    data = tensors(conv, (1, 9, 9, 64), 5, bias=True)
    finding = judged(conv, data, in_order(1, np.float32), in_blocks(to_float16, size))
    assert finding.verdict == "precision"


def test_float64_that_is_kept_in_float32_is_said():
    conv = Convolution((3, 3), 4, 4, dtype="float64")

    def to(values):
        return values.astype(np.float32).astype(np.float64)

    narrowed = examined(PLACES["input and weight"](to), conv).narrowed or ""
    assert narrowed.startswith("inputs keep 23 of 52 fraction bits (float32)")
    narrowed = examined(PLACES["output"](to), conv).narrowed or ""
    assert narrowed == "outputs keep 23 of 52 fraction bits (float32)"


def in_order(seed: int, accumulator=None) -> Kernel:
    """Return a kernel that sums in a random order, in the accumulator's format."""

    def kernel(conv: Convolution, tensors: Tensors):
        order = np.random.default_rng(seed).permutation(conv.taps)
        return add_up(conv, tensors, order, accumulator)

    return kernel


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_sums_in_a_16_bit_format_and_in_a_wider_one_are_precision(dtype: str, seed: int, wide):
    conv = Convolution((3, 3), 8, 4, dtype=dtype)
    data = tensors(conv, (1, 9, 9, 8), seed, bias=True)
    for sides in (
        (in_order(seed), in_order(seed, wide)),
        (in_order(seed + 5, wide), in_order(seed)),
    ):
        finding = judged(conv, data, *sides)
        assert (finding.verdict, finding.allowed) == ("precision", False)
        evidence = " ".join(map(str, finding.evidence))
        assert f"sums in {dtype}, off by up to" in evidence
        assert f"sums in a wider format than {dtype}, off by up to" in evidence


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("seed", range(3))
def test_no_plain_kernel_is_precision_beside_its_like(dtype: str, seed: int):
    conv = Convolution((3, 3), 8, 4, dtype=dtype)
    data = tensors(conv, (1, 9, 9, 8), seed, bias=True)
    wider = {"float64": np.longdouble, "float32": np.float64}.get(dtype, np.float32)
    for accumulator in (None, wider):
        sides = (in_order(seed, accumulator), in_order(seed + 1, accumulator))
        assert judged(conv, data, *sides).verdict in ("same", "rounding")


def test_float32_summed_in_float64_is_rounding():
    """That is no side's narrowing: float32 keeps what it claims to."""
    conv = Convolution((3, 3), 8, 4)
    data = tensors(conv, (1, 9, 9, 8), 3, bias=True)
    assert judged(conv, data, in_order(1), in_order(1, np.float64)).verdict == "rounding"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_how_wide_sums_are_is_asked_of_16_bit_formats(dtype: str):
    conv = Convolution((3, 3), 8, 4, dtype=dtype)
    plain = examine_cell(CELL, conv, HEIGHT, True, measure_with(in_order(1), conv))
    wide = examine_cell(CELL, conv, HEIGHT, True, measure_with(in_order(1, np.float32), conv))
    assert plain == Behaviour(Traits(), None, "own format")
    assert wide == Behaviour(Traits(), None, "wider format")
    single = Convolution((3, 3), 8, 4)
    assert examine_cell(CELL, single, HEIGHT, True, measure_with(shuffled(1), single)).sums is None
