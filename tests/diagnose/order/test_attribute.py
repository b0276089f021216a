"""Each difference gets the cause that reproduces it, and the first sums that part."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import Machine, orders_kernel, tree_kernel

from convdiff.diagnose.order.attribute import Attribution, attribute
from convdiff.diagnose.order.explain import Explanation, explain
from convdiff.diagnose.order.geometry import Geometry
from convdiff.diagnose.order.kernel import CallableKernel
from convdiff.diagnose.order.notation import parsed
from convdiff.diagnose.order.parting import parting
from convdiff.diagnose.order.trials import random_data

WIDE = Geometry((1, 1, 60, 1), (1, 9, 1, 6))
WIDE_BIAS = Geometry((1, 1, 60, 1), (1, 9, 1, 6), bias=True)


def side(text: str, geometry: Geometry = WIDE, machine: Machine | None = None) -> Explanation:
    kernel = CallableKernel(tree_kernel(parsed(text), geometry, machine), geometry)
    found = explain(kernel, random_data(geometry, 3))
    assert found.status == "proved"
    return found


def causes(a: Explanation, b: Explanation) -> Attribution:
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


def test_order_and_fusing_together_are_sorted_out_element_by_element() -> None:
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


def test_without_a_proof_there_is_no_cause() -> None:
    a = side("[0..8]")
    proved = orders_kernel(lambda p, c: parsed("[0..8]*"), WIDE)

    def partly(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        y = proved(x, w, b)
        y[0, 0, 50] = (y[0, 0, 50].astype(np.float16) + np.float16(3)).astype(np.float32)
        return np.asarray(y)

    b = explain(CallableKernel(partly, WIDE), random_data(WIDE, 3))
    assert b.status == "partial"
    found = attribute(a, b, np.array([0, 300, 301]), np.array([0, 300, 301]))
    assert found.causes == ("fma", "", "")
    assert found.unproven == 2


def test_elements_of_other_lengths_are_aligned_by_the_caller() -> None:
    short = Geometry((1, 1, 30, 1), (1, 9, 1, 6))
    a, b = side("[0..8]", short), side("[0..8]*")
    data = random_data(WIDE, 3)
    kernel = CallableKernel(tree_kernel(parsed("[0..8]"), short), short)
    data = type(data)(data.input_nhwc[:, :, :30], data.filter_hwio, None)
    a = explain(kernel, data)
    pairs = np.arange(22 * 6)
    differing = pairs[(a.output.reshape(-1) != b.output.reshape(-1)[: len(pairs)])]
    assert set(attribute(a, b, differing, differing).causes) == {"fma"}


def test_the_first_sums_that_part_are_those_of_the_same_terms() -> None:
    geometry = Geometry((1, 1, 40, 1), (1, 5, 1, 1))
    a = side("((((0+1)+2)+3)+4)", geometry)
    b = side("(((0+1)+(2+3))+4)", geometry)
    element = int(np.flatnonzero(a.output != b.output)[0])
    found = parting(a, b, element, element)
    assert found is not None
    assert found.terms == (0, 1, 2, 3)
    x = a.data.input_nhwc.ravel()[element : element + 5]
    p = x * a.data.filter_hwio.ravel()
    assert found.sum_a == ((p[0] + p[1]) + p[2]) + p[3]
    assert found.sum_b == (p[0] + p[1]) + (p[2] + p[3])


def test_equal_sums_do_not_part() -> None:
    a = side("[0..8]")
    assert parting(a, a, 5, 5) is None
