"""Any tree is recovered exactly from its probes: additions, fused products, many-operand nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from soak import soak
from synthetic import Machine, random_tree, tree_kernel

from convdiff.order.geometry import Geometry
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.tree.notation import notation, parse
from convdiff.order.tree.tree import Tree


def shape(tree: Tree, dtype: str, cout: int) -> Geometry:
    return Geometry((1, 1, 1, tree.taps), (1, 1, tree.taps, cout), tree.has_bias, dtype=dtype)


def revealed(tree: Tree, dtype: str, accumulator: str, cout: int) -> tuple[Tree, int]:
    geometry = shape(tree, dtype, cout)
    kernel = CallableKernel(tree_kernel(tree, geometry, Machine(accumulator)), geometry)
    site = Site.at(kernel, 0, cout // 2)
    found = mark_fused(kernel, site, reveal_tree(kernel, site))
    assert site.agreeing.all()
    return found, kernel.calls


def check(taps: int, bias: bool, seed: int, dtype: str, accumulator: str, cout: int) -> None:
    wide = dtype != accumulator
    tree = random_tree(taps, bias, seed, many=accumulator in ("float32", "float64"))
    found, _ = revealed(tree, dtype, accumulator, cout)
    # In a wider accumulator every product is exact, so that fusing changes nothing.
    if wide:
        tree, found = tree.unfused(), found.unfused()
    assert found == tree, f"{notation(tree)} was read as {notation(found)}"


SIZES = st.one_of(st.integers(1, 40), st.integers(1, 300))


@soak(5000, database=None, suppress_health_check=list(HealthCheck))
@given(SIZES, st.booleans(), st.integers(0, 2**32), st.sampled_from([64, 256, 257]))
def test_any_float32_tree_is_recovered_exactly(taps: int, bias: bool, seed: int, cout: int) -> None:
    check(taps, bias, seed, "float32", "float32", cout)


@soak(1000, database=None, suppress_health_check=list(HealthCheck))
@given(SIZES, st.booleans(), st.integers(0, 2**32))
def test_any_float64_tree_is_recovered_exactly(taps: int, bias: bool, seed: int) -> None:
    check(taps, bias, seed, "float64", "float64", 128)


@soak(2000, database=None, suppress_health_check=list(HealthCheck))
@given(
    SIZES,
    st.booleans(),
    st.integers(0, 2**32),
    st.sampled_from(["float16", "bfloat16"]),
    st.booleans(),
)
def test_any_16_bit_tree_is_recovered_exactly(
    taps: int, bias: bool, seed: int, dtype: str, wide: bool
) -> None:
    check(taps, bias, seed, dtype, "float32" if wide else dtype, 256)


@soak(500, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 24), st.booleans(), st.integers(0, 2**32))
def test_one_output_channel_is_enough(taps: int, bias: bool, seed: int) -> None:
    check(taps, bias, seed, "float32", "float32", 1)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_more_terms_than_the_output_can_count_are_read_in_bins(dtype: str) -> None:
    # 2100 is beyond what either format counts: unbinned readings would be rounded.
    tree = parse("[([0..524])^4+525]")
    found, calls = revealed(tree, dtype, "float32", 512)
    assert found == tree
    # A group is read in the bins that hold it only: all bins for all pairs took half as many more.
    assert calls <= {"float16": 28, "bfloat16": 120}[dtype]


def test_a_chain_added_backwards_takes_no_call_per_leaf() -> None:
    taps = 300
    tree = parse(f"[({taps - 1})^{taps}-1]")
    found, calls = revealed(tree, "float32", "float32", taps)
    assert found == tree
    assert calls <= 12


@pytest.mark.slow
def test_nests_of_2304_taps_take_less_than_forty_calls() -> None:
    tree = parse("[([0..287]*)^8+288 b]")
    found, calls = revealed(tree, "float32", "float32", 256)
    assert found == tree
    assert calls <= 30


def test_equal_additions_with_and_without_fusing_are_told_apart() -> None:
    plain, fused = parse("[0..20]"), parse("[0..20]*")
    assert revealed(plain, "float32", "float32", 8)[0] == plain
    assert revealed(fused, "float32", "float32", 8)[0] == fused


def test_which_of_two_leaves_came_second_is_told() -> None:
    for text in ("((0+1*)+2)", "((0*+1)+2)"):
        assert notation(revealed(parse(text), "float32", "float32", 4)[0]) == text


def test_an_exact_accumulator_has_no_order_to_reveal() -> None:
    geometry = Geometry((1, 1, 1, 9), (1, 1, 9, 4))

    def exact(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        terms = (x.reshape(9, 1).astype(object) * w.reshape(9, 4).astype(object)).T
        from fractions import Fraction

        return np.array([float(sum(map(Fraction, row))) for row in terms]).reshape(1, 1, 1, 4)

    kernel = CallableKernel(exact, geometry)
    with pytest.raises(RefusedError) as caught:
        reveal_tree(kernel, Site.at(kernel, 0, 0))
    assert caught.value.refusal.kind == "exact"
