"""Windows, names and shapes of a convolution."""

from __future__ import annotations

import numpy as np
import pytest

from convdiff.order.geometry import Geometry


def test_windows_are_the_inputs_that_a_loop_over_the_filter_reads() -> None:
    geometry = Geometry((2, 11, 13, 6), (3, 2, 3, 4), strides=(2, 3), dilations=(3, 2), groups=2)
    x = np.random.default_rng(0).normal(size=geometry.input_nhwc)
    n, oh, ow, _ = geometry.output_nhwc
    assert (n, oh, ow) == (2, 3, 4)
    windows = geometry.windows(x, np.arange(geometry.positions))
    for position, (b, i, j) in enumerate(np.ndindex(n, oh, ow)):
        for group in range(2):
            for tap, (kh, kw, c) in enumerate(np.ndindex(3, 2, 3)):
                expected = x[b, 2 * i + 3 * kh, 3 * j + 2 * kw, 3 * group + c]
                assert windows[tap, position, group] == expected


def test_chosen_positions_are_those_rows_of_all() -> None:
    geometry = Geometry((1, 5, 6, 2), (2, 2, 2, 1))
    x = np.random.default_rng(0).normal(size=geometry.input_nhwc)
    some = np.array([17, 3, 4])
    everything = geometry.windows(x, np.arange(20))
    np.testing.assert_array_equal(geometry.windows(x, some), everything[:, some])


def test_taps_are_named_by_kh_kw_cin() -> None:
    geometry = Geometry((1, 5, 6, 4), (2, 3, 4, 1), bias=True)
    assert geometry.name(0) == "(0,0,0)"
    assert geometry.name(17) == "(1,1,1)"
    assert geometry.name(24) == "bias"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 1, 9, 2), (1, 5, 1, 1)), "input has 2 channels, the filter needs 1"),
        (((1, 1, 4, 1), (1, 5, 1, 1)), "smaller than the filter"),
        (((1, 1, 9, 2), (1, 5, 1, 3), False, (1, 1), (1, 1), 2), "3 output channels"),
    ],
)
def test_shapes_that_do_not_fit_are_named(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Geometry(*arguments)  # type: ignore[arg-type]
