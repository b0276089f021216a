"""Products of sizes at which a kernel changes: claimed where it is so, and not where it is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.load import built_in_case
from convdiff.case.model import Case
from convdiff.search.history import Change, bisect
from convdiff.search.product import CONFIRMED, Product, product_of
from convdiff.search.shape import Shape, SizeAxis, of_shape

BASE = Shape(2, 16, 6, 320, 8)
IS_LATER = Callable[[Shape], bool]


def case_of(shape: Shape) -> Case:
    case = of_shape(built_in_case(), shape)
    return replace(case, conv=case.conv._replace(kernel=(1, 5)))


def switch_in(shape: Shape, axis: SizeAxis, low: int, high: int, later: IS_LATER):
    sizes = range(low, high + 1)
    history = bisect(sizes, lambda size: later(shape.at(axis, size)))
    return history.changes[0] if history.changes else None


def asked(axis: SizeAxis, base: Shape, later: IS_LATER) -> Product | None:
    change = switch_in(base, axis, 5 if axis == "length" else 1, 4 * base[axis], later)
    if change is None:
        return None
    return product_of(
        case_of(base), axis, change, lambda *line: switch_in(*_order(axis, later, *line))
    )


def _order(axis, later, shape, low, high):
    return shape, axis, low, high, later


def test_a_product_of_four_sizes_is_claimed_to_the_number() -> None:
    product = asked(
        "length", BASE, lambda one: one.product(("batch", "channels", "height", "length")) > 61_453
    )
    assert product is not None
    assert product.is_claimed
    assert set(product.axes) == {"batch", "channels", "height", "length"}
    assert (product.before, product.after) == (61_453, 61_454)
    shapes = {one.shape.at("length", 0) for one in product.trials if one.meets == "product"}
    assert len(shapes) >= CONFIRMED
    filters = [one for one in product.trials if one.shape.filters != BASE.filters]
    assert [one.meets for one in filters] == ["alone"]


def test_a_length_alone_is_no_product() -> None:
    product = asked("length", BASE, lambda one: one.length > 321)
    assert product is not None
    assert product.is_alone
    assert not product.is_claimed


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["batch", "channels", "length"])
@given(
    st.sets(st.sampled_from(["batch", "channels", "height", "filters"]), min_size=1),
    st.integers(3, 200_000),
)
def test_what_is_claimed_is_the_product_that_it_is(axis, others, limit) -> None:
    factors = {axis, *others}
    product = asked(axis, replace(BASE, length=40), lambda one: one.product(factors) > limit)
    if product is not None and product.is_claimed:
        assert set(product.axes) == factors
        assert product.before <= limit < product.after


@pytest.mark.slow
@given(st.integers(1000, 40_000), st.integers(1, 12))
def test_what_is_no_product_is_not_claimed(limit: int, more: int) -> None:
    """Output positions, images at a time, and a length that depends on how many channels remain."""
    for later in (
        lambda one: (one.length - 4) * one.channels > limit and one.channels % 2 == more % 2,
        lambda one: one.length + 7 * one.channels > 200 + more,
        lambda one: one.length > 100 + more and one.batch < 3,
        lambda one: one.channels * one.length**2 > limit * 50,
    ):
        product = asked("length", BASE, later)
        if product is not None and product.is_claimed:
            trials = [one for one in product.trials if one.meets == "product"]
            assert len(trials) >= CONFIRMED
            for one in trials:  # each was seen on both sides of its change
                last, first = one.sizes
                assert not later(one.shape.at("length", last))
                assert later(one.shape.at("length", first))
                assert one.shape.at("length", last).product(product.axes) <= product.before
        assert product is None or not (product.is_claimed and product.is_alone)


def test_output_positions_times_channels_are_no_product_of_inputs() -> None:
    product = asked("length", BASE, lambda one: (one.length - 4) * one.channels > 6400)
    assert product is not None
    assert not product.is_claimed
    assert {one.meets for one in product.trials if one.shape.channels != 16} == {"elsewhere"}


def test_a_change_of_one_shape_and_no_other_is_not_claimed() -> None:
    later = lambda one: one.length > 320 and one.at("length", 0) == BASE.at("length", 0)  # noqa: E731
    product = product_of(
        case_of(BASE),
        "length",
        Change(320, 321, "a", "b"),
        lambda shape, low, high: switch_in(shape, "length", low, high, later),
    )
    assert not product.is_claimed
    assert {one.meets for one in product.trials} == {"nowhere"}
