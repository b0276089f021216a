"""Layers that sum no products, held against float64 that is rounded once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from convdiff.net.trace.judged import judge_layer
from convdiff.net.trace.segment import off_likely
from convdiff.net.trace.wide import run_wide, truth_of
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import KINDS, Layer, Net

RNG = np.random.default_rng(5)
X = RNG.normal(0, 3, (1, 2, 50, 4)).astype(np.float32)
ALL = np.ones(50, bool)
NORM = {
    "scale": np.array([1, 2, 3, 4], np.float32),
    "shift": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
    "mean": np.array([0.5, 0, -1, 2], np.float32),
    "variance": np.array([1, 0.5, 2, 3], np.float32),
}


def judged(op, sides, x=X, arrays=None, columns=ALL, dtype="float32", **settings):
    kind = KINDS[op]
    given = {name: name for name in arrays or {}}
    settings = {**dict(kind.settings), **settings}
    inputs = x if isinstance(x, list) else [x]
    layer = Layer("it", op, tuple(map(str, range(len(inputs)))), settings, given)
    net = Net((layer,), ("it",), dtype)
    return judge_layer(net, layer, arrays or {}, inputs, sides, columns)


def rounded(function, x=X):
    return function(x.astype(np.float64)).astype(np.float32)


@pytest.mark.parametrize(
    ("op", "function"),
    [
        ("exp", np.exp),
        ("tanh", np.tanh),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("abs", np.abs),
        ("softsign", lambda x: x / (1 + np.abs(x))),
    ],
)
def test_a_correctly_rounded_side_is_called_so_and_the_other_is_counted(op, function):
    right = rounded(function)
    other = right.copy()
    other[0, 0, :7] = np.nextafter(other[0, 0, :7], np.float32(np.inf))
    verdict, found = judged(op, (right, other))
    assert found.wrong == (0, 28)
    assert found.ulps[0] == 0
    assert 0.5 <= found.ulps[1] <= 1.5
    assert verdict == ("wrong" if op == "abs" else "rounding")


def test_sqrt_is_correctly_rounded_or_not():
    x = np.abs(X)
    right = np.sqrt(x)  # IEEE 754 asks for it
    other = (1 / (1 / right)).astype(np.float32)
    assert (other != right).any()
    verdict, found = judged("sqrt", (other, right), x=x)
    assert found.wrong == (int((other != right).sum()), 0)
    assert verdict == "rounding"


def test_a_coarse_approximation_is_no_rounding():
    right = rounded(np.exp)
    coarse = (right * np.float32(1 + 2**-12)).astype(np.float32)
    assert judged("exp", (right, coarse))[0] == "precision"
    assert judged("exp", (right, right * np.float32(1.1)))[0] == "wrong"


def test_nan_on_one_side_is_wrong_and_on_both_is_right():
    x = X.copy()
    x[0, 0, 0, 0] = np.nan
    right = rounded(np.exp, x)
    assert judged("exp", (right, right.copy()), x=x)[1].wrong == (0, 0)
    assert judged("exp", (right, np.nan_to_num(right)), x=x)[0] == "wrong"


def test_columns_that_see_other_inputs_are_not_held_against_anything():
    right = rounded(np.exp)
    some = ALL.copy()
    some[3:9] = False
    assert judged("exp", (right[:, :, some], right[:, :, some]), columns=some)[1].wrong == (0, 0)


def test_float64_is_held_against_more_than_float64():
    x = X.astype(np.float64)
    right = np.exp(x.astype(np.longdouble)).astype(np.float64)
    far = np.nextafter(np.nextafter(right, np.inf), np.inf)
    if np.finfo(np.longdouble).nmant == 52:
        pytest.skip("a long double is no wider than float64 here: nothing to hold it against")
    assert judged("exp", (right, far), x=x, dtype="float64")[1].wrong[0] == 0
    assert judged("exp", (right, far), x=x, dtype="float64")[1].wrong[1] == right.size


def test_a_sum_is_held_against_the_size_of_its_terms():
    big, small = X + np.float32(1000), -X - np.float32(999.5)
    right = (big.astype(np.float64) + small).astype(np.float32)
    off = right + np.float32(2.0**-14)  # an ulp of 1000, many of 0.5
    verdict, found = judged("add", (right, off), x=[big, small])
    assert verdict == "rounding"
    assert found.ulps[1] <= 1.5


def test_batch_norm_of_two_ways_is_rounding_and_of_another_mean_is_wrong():
    arrays = NORM
    spread = np.sqrt(arrays["variance"] + np.float32(1e-3))
    one = (X - arrays["mean"]) / spread * arrays["scale"] + arrays["shift"]
    factor = arrays["scale"] / spread
    other = X * factor + (arrays["shift"] - arrays["mean"] * factor)
    assert judged("batch_norm", (one, other), arrays=arrays)[0] == "rounding"
    assert judged("batch_norm", (one, one + np.float32(0.5)), arrays=arrays)[0] == "wrong"


def test_pools_and_moves_round_nothing_or_as_sums_do():
    pool = {"size": (1, 2), "strides": (1, 2)}
    top = X.reshape(1, 2, 25, 2, 4).max(axis=3)
    columns = ALL[:25]
    assert judged("max_pool", (top, top + 1), columns=columns, **pool)[0] == "wrong"
    mean = X.reshape(1, 2, 25, 2, 4).astype(np.float64).mean(axis=3).astype(np.float32)
    near = np.nextafter(mean, np.float32(9))
    assert judged("avg_pool", (mean, near), columns=columns, **pool)[0] == "rounding"


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_has_its_bits_where_its_definition_cancels(approximate):
    x = np.array([-5, -4, -3, 1], np.float32).reshape(1, 1, 4, 1)
    layer = Layer("it", "gelu", ("0",), {"approximate": approximate}, {})
    values = truth_of(Net((layer,), ("it",)), layer, {}, [x]).values.ravel()
    for given, found in zip(x.ravel().tolist(), values.tolist(), strict=True):
        if approximate:
            z = math.sqrt(2 / math.pi) * (given + 0.044715 * given**3)
            wanted = given / (1 + math.exp(-2 * z))
        else:
            wanted = given / 2 * math.erfc(-given / math.sqrt(2))
        assert found == pytest.approx(wanted, rel=1e-13)


def test_softmax_of_numbers_far_apart_is_rounding_and_off_by_a_percent_wrong():
    x = np.random.default_rng(2).normal(0, 60, (1, 4, 50, 8)).astype(np.float32)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    side = e / e.sum(axis=-1, keepdims=True)
    flushed = np.where(side < np.float32(3e-38), 0, side).astype(np.float32)
    assert (flushed != side).any()
    layer = Layer("it", "softmax", ("x",), {}, {})
    net = Net((layer,), ("it",))
    assert judged("softmax", (side, side), x=x)[0] == "rounding"
    off = side * np.float32(1.01)
    assert judged("softmax", (side, off), x=x)[0] == "wrong"
    for sides, is_wrong in (([side, flushed], False), ([off], True)):
        assert (off_likely(net, [layer], {"it": {}}, {"x": x}, sides, ALL) > 1) == is_wrong


def tanh_of_gelu(x):
    z = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + np.tanh(z))


@pytest.mark.parametrize(
    ("op", "settings", "cancelling"),
    [
        ("elu", {"alpha": 1.5}, lambda x: np.where(x > 0, x, np.float32(1.5) * (np.exp(x) - 1))),
        ("softplus", {}, lambda x: np.log(np.exp(x) + 1)),
        ("gelu", {"approximate": True}, tanh_of_gelu),
        ("hard_swish", {}, lambda x: x * np.clip(x * np.float32(1 / 6) + np.float32(0.5), 0, 1)),
    ],
)
def test_a_sum_that_cancels_within_a_function_is_rounding(op, settings, cancelling):
    x = np.concatenate([X, X * np.float32(0.001), X - 3], axis=2)
    wide = np.ones(150, bool)
    layer = Layer("it", op, ("x",), settings, {})
    net = Net((layer,), ("it",))
    right = truth_of(net, layer, {}, [x]).values.astype(np.float32)
    other = cancelling(x).astype(np.float32)
    off = other * np.float32(1.01)
    assert (other != right).any()
    assert judged(op, (right, other), x=x, columns=wide, **settings)[0] == "rounding"
    assert judged(op, (right, off), x=x, columns=wide, **settings)[0] == "wrong"
    for sides, is_wrong in (([right, other], False), ([off], True)):
        assert (off_likely(net, [layer], {"it": {}}, {"x": x}, sides, wide) > 1) == is_wrong


@pytest.mark.parametrize(
    ("op", "settings", "wanted"),
    [
        (
            "clip",
            {"low": -0.3, "high": 0.1},
            lambda x: np.clip(x, np.float32(-0.3), np.float32(0.1)),
        ),
        ("pad", {"padding": ((0, 0), (1, 1)), "value": 0.1}, None),
    ],
)
def test_layers_that_only_move_have_no_error_of_their_settings(op, settings, wanted):
    layer = Layer("it", op, ("x",), settings, {})
    pads = [(0, 0), (0, 0), (1, 1), (0, 0)]
    side = wanted(X) if wanted else np.pad(X, pads, constant_values=np.float32(0.1))
    columns = np.ones(side.shape[2], bool)
    net = Net((layer,), ("it",))
    assert off_likely(net, [layer], {"it": {}}, {"x": X}, [side], columns) == 0
    assert off_likely(net, [layer], {"it": {}}, {"x": X}, [side + 1], columns) > 1


@pytest.mark.parametrize(("op", "reduce"), [("max_pool", np.max), ("avg_pool", np.mean)])
def test_layers_of_three_axes_are_held_against_what_they_give(op, reduce):
    x = RNG.normal(0, 1, (2, 6, 5, 9, 3)).astype(np.float32)
    settings = {**dict(KINDS[op].settings), "size": (3, 2, 2), "strides": (1, 1, 1)}
    layer = Layer("it", op, ("x",), settings, {})
    net = Net((layer,), ("it",), rank=3, depth=6)
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), (3, 2, 2), (1, 2, 3))
    side = reduce(windows, axis=(-3, -2, -1)).astype(np.float32).reshape(2, 16, 8, 3)
    given, depths, columns = x.reshape(2, 30, 9, 3), {"x": 6}, np.ones(8, bool)
    for sides, off, verdict in (((side, side), 0, "rounding"), ((side, side * 2), 1, "wrong")):
        found, _ = judge_layer(net, layer, {}, [given], sides, columns, depths)
        times = off_likely(net, [layer], {"it": {}}, {"x": given}, sides, columns, depths)
        assert (found, times > 1) == (verdict, bool(off))


def test_settings_are_as_the_type_holds_them():
    right = np.where(X > 0, X, np.float32(0.01) * X)
    assert judged("leaky_relu", (right, right.copy()), alpha=0.01)[1].wrong == (0, 0)


@pytest.mark.parametrize("op", ["concat", "minimum", "maximum"])
def test_layers_that_join_and_choose_round_nothing(op):
    join = {"concat": lambda *given: np.concatenate(given, axis=-1)}.get(op) or getattr(np, op)
    right = join(X, X[:, :, ::-1])
    off = right.copy()
    off[0, 1, 7, 2] = np.nextafter(off[0, 1, 7, 2], np.float32(9))
    assert judged(op, (right, right.copy()), x=[X, X[:, :, ::-1]])[0] == "rounding"
    assert judged(op, (right, off), x=[X, X[:, :, ::-1]])[0] == "wrong"


def test_what_only_moves_keeps_the_sign_of_a_zero():
    x = np.zeros((1, 1, 4, 2), np.float32)
    x[0, 0, ::2] = -0.0
    columns, pads = np.ones(6, bool), {"padding": ((0, 0), (1, 1)), "value": 0.0}
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)])
    for other, verdict in ((padded.copy(), "rounding"), (-padded, "wrong")):
        assert judged("pad", (padded, other), x=x, columns=columns, **pads)[0] == verdict
    for other, verdict in ((x.copy(), "wrong"), (-x, "rounding")):
        assert judged("negative", (-x, other), x=x, columns=columns[:4])[0] == verdict
    assert judged("relu", (abs(x), x.copy()), x=x, columns=columns[:4])[0] == "rounding"


def test_subnormal_numbers_taken_for_zero_are_precision_and_other_numbers_wrong():
    x = (X * np.float32(1e-38)).astype(np.float32)
    flushed = np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(0, x), x)
    assert (flushed != x).any() and (flushed == x).any()
    right, low = np.maximum(x, 0), np.maximum(flushed, 0)
    assert judged("relu", (right, low), x=x)[0] == "precision"
    assert judged("relu", (low, right), x=x)[0] == "precision"
    big = np.full_like(x, 1e10)
    both = [x, big]
    assert judged("multiply", (x * big, flushed * big), x=both)[0] == "precision"
    off = np.where(np.abs(x) < 2e-38, 0, right)  # normal ones, too
    assert judged("relu", (right, off), x=x)[0] == "wrong"
    off = low.copy()
    off[0, 0, 0, 0] = 1
    assert judged("relu", (right, off), x=x)[0] == "wrong"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_sums_of_what_is_not_finite_are_not_off(dtype):
    """Of NaN and infinities, and of numbers of which the format can't hold the sum."""
    conv = Convolution((1, 3), 1, 1, dtype=np.dtype(dtype).name)
    layer = Layer("it", "conv2d", ("x",), conv._asdict(), {"filter": "w"})
    large = np.finfo(dtype).max / 2
    given = [1, np.nan, 1, 1, 1, np.inf, 1, -np.inf, 1, 1, large, large, -large, -large, 1, 1, 1]
    x = np.array(given, dtype).reshape(1, 1, -1, 1)
    arrays = {"it": {"filter": np.ones((1, 3, 1, 1), dtype) * 2}}
    columns, net = np.ones(15, bool), Net((layer,), ("it",), np.dtype(dtype).name)

    def off(order, at=0, value=None):
        with np.errstate(all="ignore"):
            terms = [x[:, :, j : j + 15] * dtype(2) for j in order]
            side = (terms[0] + terms[1]) + terms[2]
        if value is not None:
            side[0, 0, at] = value
        return off_likely(net, [layer], arrays, {"x": x}, [side], columns)

    for order in ([0, 1, 2], [2, 1, 0], [0, 2, 1]):
        assert off(order) <= 1
    assert off([0, 1, 2], 14, np.nan) > 1 and off([0, 1, 2], 14, np.inf) > 1
    assert off([0, 1, 2], 0, 1.0) > 1, "NaN is lost"


def test_a_segment_is_wrong_where_more_than_rounding_is_off():
    conv = Convolution((1, 3), 4, 4)
    layers = [
        Layer("conv", "conv2d", ("x",), conv._asdict(), {"filter": "w"}),
        Layer("norm", "batch_norm", ("conv",), {"epsilon": 1e-3}, dict.fromkeys(NORM, "")),
    ]
    net = Net(tuple(layers), ("norm",))
    w = RNG.normal(0, 1, (1, 3, 4, 4)).astype(np.float32)
    arrays = {"conv": {"filter": w}, "norm": NORM}
    view = np.lib.stride_tricks.sliding_window_view(X, 3, axis=2)
    sums = np.einsum("nhwck,kco->nhwo", view, w[0]).astype(np.float32)

    def norm(epsilon):
        factor = NORM["scale"] / np.sqrt(NORM["variance"] + np.float32(epsilon))
        return sums * factor + (NORM["shift"] - NORM["mean"] * factor)

    given = {"x": X}
    right = [norm(1e-3), norm(1e-3)]
    assert off_likely(net, layers, arrays, given, right, ALL[:48]) <= 1
    assert off_likely(net, layers, arrays, given, [norm(1e-3), norm(1e-5)], ALL[:48]) > 1


NEAR = np.random.default_rng(4)


@pytest.mark.parametrize("op", ["softmax", "exp", "gelu", "silu", "sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("size", [0.3, 3.0])
def test_a_segment_that_only_rounds_otherwise_is_no_more_than_likely(op: str, size: float):
    """What follows a product makes more of its roundings than of itself, as e to a large power."""
    conv = Convolution((1, 3), 24, 8)
    layers = [
        Layer("conv", "conv2d", ("x",), conv._asdict(), {"filter": "w"}),
        Layer("last", op, ("conv",), {"approximate": False} if op == "gelu" else {}, {}),
    ]
    net = Net(tuple(layers), ("last",))
    x = NEAR.normal(0, size, (1, 2, 50, 24)).astype(np.float32)
    w = NEAR.normal(0, size, (1, 3, 24, 8)).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(x, 3, axis=2).swapaxes(3, 4)
    taps = view.reshape(2, 48, 72)

    def ends(weights, order):
        total = np.zeros((2, 48, 8), np.float32)
        for tap in order:
            total += taps[:, :, tap, None] * weights.reshape(72, 8)[tap]
        only = Net((layers[1]._replace(sources=("x",)),), ("last",))
        with np.errstate(over="ignore"):
            y = run_wide(only, only.layers[0], {}, [total[None]], np.float64)
            return y.astype(np.float32)

    arrays = {"conv": {"filter": w}, "last": {}}
    sides = [ends(w, range(72)), ends(w, range(71, -1, -1))]
    assert off_likely(net, layers, arrays, {"x": x}, sides, ALL[:48]) <= 1
    wrong = w.copy()
    wrong[0, 1, 3] *= np.float32(1.001)
    sides[1] = ends(wrong, range(72))
    assert off_likely(net, layers, arrays, {"x": x}, sides, ALL[:48]) > 1
