"""One's own function of any op is explained: padded, transposed, of one and three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kernels import add_up

import convdiff
from convdiff.case.arrays import Tensors
from convdiff.worker.ops.convolution import Convolution

Array = np.ndarray[Any, Any]


def from_the_left(conv: Convolution) -> Callable[[Array, Array, Array | None], Array]:
    """Return a function of an op's own arrays that adds taps one after the other."""

    def fn(x: Array, w: Array, b: Array | None) -> Array:
        rows = int(np.prod(x.shape[1:-2]))
        nhwc = x.reshape(len(x), rows, *x.shape[-2:])
        tensors = Tensors(w.reshape(conv.filter_shape), b, nhwc)
        y = add_up(conv, tensors, range(conv.taps))
        own = conv.own(conv.outputs(rows, x.shape[-2]))
        return y.reshape(len(x), *own, conv.channels_out)

    return fn


ASKED: dict[str, tuple[Convolution, tuple[int, ...], dict[str, Any]]] = {
    "same": (
        Convolution((3, 2), 2, 3, (2, 1), padding="same"),
        (1, 5, 6, 2),
        {"padding": "same", "strides": (2, 1)},
    ),
    "uneven": (
        Convolution((1, 3), 2, 3, padding=((0, 0), (2, 0)), op="conv1d"),
        (2, 6, 2),
        {"padding": [2, 0], "op": "conv1d"},
    ),
    "arrays and numbers of NumPy": (
        Convolution((2, 2), 2, 2, (2, 1), (1, 2), padding=((1, 1), (0, 2)), groups=2),
        (1, 5, 6, 2),
        {
            "padding": np.array([[1, 1], [0, 2]]),
            "groups": np.int64(2),
            "strides": np.array([2, 1]),
            "dilations": (np.int32(1), np.int64(2)),
        },
    ),
    "a number": (
        Convolution((2, 2), 2, 2, padding=((1, 1), (1, 1)), groups=2),
        (1, 3, 3, 2),
        {"padding": 1, "groups": 2},
    ),
    "transposed": (
        Convolution(
            (1, 3), 2, 3, (1, 2), padding=((0, 0), (1, 1)), op="conv1d_transpose",
            output_padding=(0, 1),
        ),
        (1, 5, 2),
        {"op": "conv1d_transpose", "strides": 2, "padding": 1, "output_padding": 1},
    ),
    "three dimensions": (
        Convolution(
            (2, 1, 2), 2, 2, (1, 1, 1), (1, 1, 2), op="conv3d", output_padding=(0, 0, 0), depth=3
        ),
        (1, 3, 2, 5, 2),
        {"op": "conv3d", "dilations": (1, 1, 2)},
    ),
    "dense": (Convolution((1, 1), 7, 3, op="dense"), (2, 3, 7), {"op": "dense"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_an_op_of_ones_own_is_explained_with_its_padding(name: str):
    conv, shape, asked = ASKED[name]
    rng = np.random.default_rng(4)
    axes = conv.own(conv.kernel) if name != "dense" else ()
    per_group = conv.channels_in // conv.groups
    w = rng.standard_normal((*axes, per_group, conv.channels_out)).astype(np.float32)
    x = rng.standard_normal(shape).astype(np.float32)
    b = rng.standard_normal(conv.channels_out).astype(np.float32)
    found = convdiff.explain(from_the_left(conv), x, w, b, **asked)
    assert found.status == "proved", found
    assert found.replayed[0] == found.replayed[1] == from_the_left(conv)(x, w, b).size


X, W = np.ones((1, 5, 5, 1), np.float32), np.ones((3, 3, 1, 1), np.float32)
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"padding": "full"}, "'padding': "),
    ({"padding": [1, 1, 1]}, r"expected \[\[top, bottom\], \[left, right\]\]"),
    ({"strides": (1, 1, 1)}, "conv2d has 2 spatial axes; found 3 numbers"),
    ({"strides": 0}, "'strides': "),
    ({"output_padding": 1}, "conv2d has no output_padding"),
    ({"op": "conv4d"}, "'op': "),
    ({"op": "conv1d"}, "x has 4 axes and w 4; both need 3"),
    ({"op": "dense"}, "x has 4 axes and w 4; dense needs 3 and 2"),
    ({"op": "conv2d_transpose", "padding": "causal"}, "has no causal padding"),
)


@pytest.mark.parametrize(("asked", "words"), REFUSED)
def test_what_no_case_file_may_have_is_refused_in_one_line(asked: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words) as refused:
        convdiff.explain(lambda x, w, b: x, X, W, **asked)
    assert "\n" not in str(refused.value)


def test_a_padded_function_that_is_called_valid_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"shape \(1, 5, 5, 1\), expected \(1, 3, 3, 1\)"):
        convdiff.explain(lambda x, w, b: x, X, W)
