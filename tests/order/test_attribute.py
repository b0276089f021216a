"""Each difference gets the cause that reproduces it, and the first sums that part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import Machine, orders_kernel, tree_kernel

from convdiff.order import attribute as attribution
from convdiff.order.attribute import Attribution, attribute
from convdiff.order.counterfactual import changed, differences
from convdiff.order.divergence import divergence
from convdiff.order.geometry import Geometry
from convdiff.order.orders import Orders, orders_of
from convdiff.order.replay.arithmetic import Arithmetic
from convdiff.order.replay.replay import Data, Order
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.notation import notation, parse
from convdiff.order.tree.tree import Tree

pytestmark = pytest.mark.slow

WIDE = Geometry((1, 1, 60, 1), (1, 9, 1, 6))
WIDE_BIAS = Geometry((1, 1, 60, 1), (1, 9, 1, 6), bias=True)


def side(text: str, geometry: Geometry = WIDE, machine: Machine | None = None) -> Orders:
    kernel = CallableKernel(tree_kernel(parse(text), geometry, machine), geometry)
    found = orders_of(kernel, random_data(geometry, 3))
    assert found.status == "proved"
    return found


def causes(a: Orders, b: Orders) -> Attribution:
    differing = np.flatnonzero((a.output != b.output).reshape(-1))
    assert len(differing) > 20
    return attribute(a, b, differing, differing)


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        ("[0..8]", "[<0..3> <4..7> 8]", "order"),
        ("[0..8]", "[0..8]*", "fma"),
        ("[0..7 8*]", "[0..8]", "fma"),
    ],
)
def test_orders_that_differ_in_one_thing_have_it_as_their_cause(
    one: str, other: str, cause: str
) -> None:
    found = causes(side(one), side(other))
    assert set(found.counts) == {cause}
    assert found.unproven == 0


@pytest.mark.parametrize("at_once", [attribution._AT_ONCE, 7])
def test_order_and_fusing_together_are_sorted_out_element_by_element(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(attribution, "_AT_ONCE", at_once)
    a, b = side("[0..8]"), side("[<0..3> <4..7> 8*]")
    found = causes(a, b)
    differing = np.flatnonzero((a.output != b.output).reshape(-1))
    wanted = b.output.reshape(-1)[differing]
    by_order = side("[<0..3> <4..7> 8]").output.reshape(-1)[differing] == wanted
    by_fusing = side("[0..7 8*]").output.reshape(-1)[differing] == wanted
    expected = np.where(
        by_order & ~by_fusing, "order", np.where(by_fusing & ~by_order, "fma", "order+fma")
    )
    assert list(found.causes) == expected.tolist()
    assert set(found.counts) == {"order", "fma", "order+fma"}


def test_a_bias_that_joins_elsewhere_is_the_cause() -> None:
    found = causes(side("[0..8 b]*", WIDE_BIAS), side("[b 0..8]*", WIDE_BIAS))
    assert set(found.counts) == {"bias position"}


def test_a_wider_accumulator_is_the_cause() -> None:
    found = causes(side("[0..8]"), side("[0..8]", machine=Machine("float64")))
    assert set(found.counts) == {"accumulator"}


def test_a_cause_is_named_only_if_it_alone_gives_the_other_bits() -> None:
    # float16 summed in float32 in a chain, and in float16 pairwise: often it takes both.
    geometry = Geometry((1, 1, 40, 8), (1, 9, 8, 4), dtype="float16")
    chain, pairs = parse("[0..71]"), parse("[<0..63> <64..71>]")
    wide, narrow = Machine("float32"), Machine("float16")
    a = side(notation(chain), geometry, wide)
    b = side(notation(pairs), geometry, narrow)
    found = causes(a, b)
    differing = np.flatnonzero((a.output != b.output).reshape(-1))
    wanted = b.output.reshape(-1)[differing]
    by_order, by_sums = (
        np.asarray(run(tree, geometry, machine)[differing] == wanted)
        for tree, machine in ((pairs, wide), (chain, narrow))
    )
    expected = np.where(by_order & ~by_sums, "order", "order+accumulator")
    expected = np.where(by_sums & ~by_order, "accumulator", expected)
    assert list(found.causes) == expected.tolist()
    assert list(found.counts) == ["accumulator", "order+accumulator"]
    assert found.unproven == 0


def run(tree: Tree, geometry: Geometry, machine: Machine) -> np.ndarray:
    data = random_data(geometry, 3)
    kernel = CallableKernel(tree_kernel(tree, geometry, machine), geometry)
    return kernel.run(data.input_nhwc, data.filter_hwio, data.bias).reshape(-1)


def test_a_sum_that_starts_from_zero_differs_in_the_sign_of_zero_and_in_nothing_else() -> None:
    plain = tree_kernel(parse("[0..8]*"), WIDE)
    shape = WIDE.input_nhwc
    data = Data(np.full(shape, -0.0, np.float32), np.ones(WIDE.filter_hwio, np.float32), None)
    kernels = [plain, lambda x, w, b: plain(x, w, b) + np.float32(0)]
    a, b = (orders_of(CallableKernel(fn, WIDE), data) for fn in kernels)
    elements = np.arange(a.output.size)
    assert (np.signbit(a.output) != np.signbit(b.output)).all()
    assert set(attribute(a, b, elements, elements).causes) == {"zero sign"}


def test_where_a_sum_starts_is_no_cause_of_other_numbers() -> None:
    begun = tree_kernel(parse("[<0..3> <4..7> 8*]"), WIDE)
    kernels = [tree_kernel(parse("[0..8]"), WIDE), lambda x, w, b: begun(x, w, b) + np.float32(0)]
    a, b = (orders_of(CallableKernel(fn, WIDE), random_data(WIDE, 3)) for fn in kernels)
    starts = {one.orders[0].order.arithmetic.zero_start for one in (a, b)}
    assert starts == {False, True}
    assert set(causes(a, b).counts) == {"order", "fma", "order+fma"}


def test_bias_and_fused_products_are_told_apart() -> None:
    a, b = side("[0..4 b 5..8*]", WIDE_BIAS), side("[0..8 b]", WIDE_BIAS)
    assert set(causes(a, b).counts) == {"fma", "bias position", "fma+bias position"}


@pytest.mark.parametrize(
    ("one", "other", "narrow", "expected"),
    [
        ("[0..8]", "[0..8]", "", ()),
        ("[0..8]*", "[0..8]", "", ("fma",)),
        ("[0..8]*", "[<0..3> <4..7> 8]", "", ("order", "fma")),
        ("[0..8 b]*", "[b 0..8]*", "", ("bias position",)),
        ("[b 0..8]*", "[b 0 1..8*]", "", ("fma",)),
        ("[0..8]*", "[<0..3> <4..7> 8]", "accumulator", ("order", "accumulator")),
        ("[0..8]*", "[0..8]", "inputs", ("fma", "precision")),
    ],
)
def test_all_that_differs_together_makes_the_other_order(
    one: str, other: str, narrow: str, expected: tuple[str, ...]
) -> None:
    formats = {"accumulator": "float64", "inputs": "tf32", "": "float32"}
    arithmetic = Arithmetic(**({narrow: formats[narrow]} if narrow else {}))
    a, b = Order(parse(one)), Order(parse(other), arithmetic)
    assert differences(a, b) == differences(b, a) == expected
    assert changed(a, b, expected) == b
    assert changed(b, a, expected) == a


def test_bits_that_all_changes_together_do_not_give_have_no_cause() -> None:
    a, b = side("[0..8]"), side("[0..8]*")
    differing = np.flatnonzero((a.output != b.output).reshape(-1))
    elsewhere = np.roll(differing, 1)  # pairs that do not add the same terms
    assert attribute(a, b, differing, elsewhere).unproven == len(differing)


@pytest.mark.parametrize("what", ["input_nhwc", "filter_hwio", "bias"])
def test_what_is_proved_of_other_numbers_proves_nothing_here(what: str) -> None:
    a = side("[0..8 b]", WIDE_BIAS)
    kernel = CallableKernel(tree_kernel(parse("[0..8 b]*"), WIDE_BIAS), WIDE_BIAS)
    b = orders_of(kernel, replace(a.data, **{what: getattr(a.data, what) * np.float32(3)}))
    assert b.status == "proved"
    elements = np.arange(a.output.size)
    assert attribute(a, b, elements, elements).unproven > len(elements) / 2


def test_without_a_proof_there_is_no_cause() -> None:
    a = side("[0..8]")
    proved = orders_kernel(lambda p, c: parse("[0..8]*"), WIDE)

    def partly(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        y = proved(x, w, b)
        y[0, 0, 50] = (y[0, 0, 50].astype(np.float16) + np.float16(3)).astype(np.float32)
        return np.asarray(y)

    b = orders_of(CallableKernel(partly, WIDE), random_data(WIDE, 3))
    assert b.status == "partial"
    found = attribute(a, b, np.array([0, 300, 301]), np.array([0, 300, 301]))
    assert found.causes == ("fma", "", "")
    assert found.unproven == 2


def test_elements_of_other_lengths_are_aligned_by_the_caller() -> None:
    short = Geometry((1, 1, 30, 1), (1, 9, 1, 6))
    a, b = side("[0..8]", short), side("[0..8]*")
    data = random_data(WIDE, 3)
    kernel = CallableKernel(tree_kernel(parse("[0..8]"), short), short)
    data = type(data)(data.input_nhwc[:, :, :30], data.filter_hwio, None)
    a = orders_of(kernel, data)
    pairs = np.arange(22 * 6)
    differing = pairs[(a.output.reshape(-1) != b.output.reshape(-1)[: len(pairs)])]
    assert set(attribute(a, b, differing, differing).causes) == {"fma"}


def test_the_first_sums_that_part_are_those_of_the_same_terms() -> None:
    geometry = Geometry((1, 1, 40, 1), (1, 5, 1, 1))
    a = side("((((0+1)+2)+3)+4)", geometry)
    b = side("(((0+1)+(2+3))+4)", geometry)
    element = int(np.flatnonzero(a.output != b.output)[0])
    found = divergence(a, b, element, element)
    assert found is not None
    assert found.terms == (0, 1, 2, 3)
    x = a.data.input_nhwc.ravel()[element : element + 5]
    p = x * a.data.filter_hwio.ravel()
    assert found.sum_a == ((p[0] + p[1]) + p[2]) + p[3]
    assert found.sum_b == (p[0] + p[1]) + (p[2] + p[3])


def test_equal_sums_do_not_part() -> None:
    a = side("[0..8]")
    assert divergence(a, a, 5, 5) is None
