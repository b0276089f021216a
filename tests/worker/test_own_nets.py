"""Nets whose ops are a kernel of one's own, and whose other layers are NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_nets import conv, layer, net

from convdiff.worker import own_kernel
from convdiff.worker.framework import Device

X = np.arange(1, 13, dtype=np.float32).reshape(1, 1, 6, 2)
BUFFER = np.zeros(24, np.float32)


def into_one_buffer(x: Any, w: Any, b: Any) -> Any:
    y = BUFFER[: x.size].reshape(x.shape)
    y[...] = x @ w[0, 0]
    return y


def twice_the_channels(x: Any, w: Any, b: Any) -> Any:
    return np.concatenate([x, x], axis=3)


def ran(function: Any, *layers: Any, dtype: str = "float32") -> dict[str, Any]:
    kernel = own_kernel.Kernel("m:f", function, np)
    whole = net(*layers, dtype=dtype)
    arrays = {key: np.eye(2, dtype=np.float32)[None, None] * 2 for key in ("a.filter", "b.filter")}
    arrays.update({key: np.zeros(2, np.float32) for key in ("a.bias", "b.bias")})
    runner = kernel.net(whole, Device("cpu"), arrays)
    return dict(runner.run(X, [one.name for one in layers]))


def test_what_a_kernel_writes_into_again_is_kept_as_it_was():
    layers = conv("a", 1, (2, 2)), conv("b", 1, (2, 2)), layer("sum", "add", "a", "b")
    found = ran(into_one_buffer, *layers)
    assert [float(found[name][0, 0, 0, 0]) for name in ("a", "b", "sum")] == [2, 4, 6]


def test_what_has_other_channels_is_named_by_its_layer():
    with pytest.raises(Exception, match="a: cannot reshape array of size 24"):
        ran(twice_the_channels, conv("a", 1, (2, 2)))


def test_layers_that_numpy_has_not_in_bfloat16_are_refused():
    with pytest.raises(ValueError, match="it: NumPy, whose layer it is, has no bfloat16"):
        ran(into_one_buffer, conv("a", 1, (2, 2)), layer("it", "relu"), dtype="bfloat16")
