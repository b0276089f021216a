"""The net of eight convolutions with pools and a ninth, whose short inputs differ on TensorFlow."""

from __future__ import annotations

import numpy as np

from convdiff.lab.nets import Subject
from convdiff.worker.ops.convolution import Convolution
from convdiff.worker.ops.net import INPUT, Layer, Net

CHANNELS = 32
LONGEST = 2048
POOL = {"padding": "valid", "dilations": (), "ceil_mode": False, "size": (1, 2)}


def normal(sigma: float, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng([seed, 0]).normal(0, sigma, shape).astype(np.float32)


def nine_layers(data: int = 20) -> Subject:
    """Return the net with so many columns of data, then zeros."""
    layers: list[Layer] = []
    arrays: dict[str, np.ndarray] = {}
    source, channels = INPUT, 1
    for number in range(1, 10):
        name, width = f"conv{number}", 5 if number == 9 else 3
        sigma = {1: 0.8, 9: 0.112}.get(number, 0.144)
        arrays[f"w{number}"] = normal(sigma, 99 + number, (1, width, channels, CHANNELS))
        arrays[f"b{number}"] = normal(1.0, 199 + number, (CHANNELS,))
        conv = Convolution((1, width), channels, CHANNELS)
        roles = {"filter": f"w{number}", "bias": f"b{number}"}
        layers.append(Layer(name, "conv2d", (source,), conv._asdict(), roles))
        if number < 9:
            pool = {**POOL, "strides": (1, 1 if number < 3 else 2)}
            layers.append(Layer(f"relu{number}", "relu", (name,), {}, {}))
            layers.append(Layer(f"pool{number}", "max_pool", (f"relu{number}",), pool, {}))
        source, channels = layers[-1].name, CHANNELS
    x = normal(100.0, 300, (1, 1, LONGEST, 1))
    x[:, :, data:] = 0
    return Subject("nine-layer-net", Net(tuple(layers), ("conv9",)), arrays, x)
