"""One residual net of some hundred thousand numbers, as a .keras and as an .onnx file.

Run as a program: `python residual_models.py FOLDER`, for Keras has a process of its own. Both files
hold the same numbers, and layers of the same names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

CONVS = {
    "stem": (3, 3, 32),
    "wide": (3, 32, 64),
    "dilated": (3, 64, 64),
    "block": (3, 64, 64),
    "five": (5, 64, 48),
    "narrow": (1, 48, 40),
    "order": (3, 40, 72),
    "last": (1, 72, 64),
    "logits": (1, 64, 10),
}
"""Kernel, channels in and channels out."""
DILATIONS = {"dilated": 2}
NORMS = {"norm_a": 32, "norm_b": 64}
SHAPE = (8, 10, 3)


def weights() -> dict[str, tuple[np.ndarray, ...]]:
    """Return the arrays of each layer as Keras has them: HWIO and a bias; of a norm, four."""
    rng, made = np.random.default_rng(11), {}
    for name, (kernel, inputs, outputs) in CONVS.items():
        scale = (kernel * kernel * inputs) ** -0.5
        w = rng.normal(0, scale, (kernel, kernel, inputs, outputs)).astype("float32")
        made[name] = w, rng.normal(0, 0.1, outputs).astype("float32")
    for name, channels in NORMS.items():
        arrays = [np.full(channels, value, "float32") for value in (1.5, 0.1, 0.05, 0.8)]
        made[name] = tuple(arrays)
    return made


def graph(conv: Callable[..., Any], make: Callable[..., Any], x: Any) -> Any:
    """Return the net's output. conv: of a name and an input; make: of a kind, a name, inputs."""
    y = make("relu", "relu_a", make("norm", "norm_a", conv("stem", x)))
    short = y = make("relu", "relu_b", conv("wide", y))
    y = make("relu", "relu_c", make("norm", "norm_b", conv("dilated", y)))
    y = make("relu", "relu_d", make("add", "sum", conv("block", y), short))
    y = conv("narrow", make("tanh", "tanh", conv("five", y)))
    y = make("relu", "relu_e", conv("order", make("pool", "pool", y)))
    return conv("logits", make("mean", "mean", conv("last", y)))


def keras_file(path: Path) -> None:
    """Write the .keras file."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    from keras import layers

    kinds = {
        "relu": layers.ReLU,
        "tanh": lambda name: layers.Activation("tanh", name=name),
        "add": layers.Add,
        "norm": lambda name: layers.BatchNormalization(epsilon=1e-3, name=name),
        "pool": lambda name: layers.MaxPooling2D(2, name=name),
        "mean": lambda name: layers.GlobalAveragePooling2D(keepdims=True, name=name),
    }

    def conv(name: str, x: Any) -> Any:
        kernel, _, channels = CONVS[name]
        moves = {"dilation_rate": DILATIONS.get(name, 1), "padding": "same"}
        return layers.Conv2D(channels, kernel, name=name, **moves)(x)

    def make(kind: str, name: str, *given: Any) -> Any:
        return kinds[kind](name=name)(list(given) if len(given) > 1 else given[0])

    x = keras.Input(SHAPE)
    model = keras.Model(x, graph(conv, make, x))
    for name, arrays in weights().items():
        model.get_layer(name).set_weights(arrays)
    model.save(path)


def onnx_file(path: Path) -> None:
    """Write the .onnx file."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {
        "relu": ("Relu", {}),
        "tanh": ("Tanh", {}),
        "add": ("Add", {}),
        "norm": ("BatchNormalization", {"epsilon": 1e-3}),
        "pool": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        "mean": ("GlobalAveragePool", {}),
    }
    nodes, held = [], []

    def add(op: str, name: str, given: list[str], arrays: Any, moves: Mapping[str, Any]) -> str:
        for number, array in enumerate(arrays):
            given.append(f"{name}.{number}")
            held.append(numpy_helper.from_array(np.ascontiguousarray(array), given[-1]))
        nodes.append(helper.make_node(op, given, [name], name, **moves))
        return name

    def conv(name: str, x: str) -> str:
        w, bias = weights()[name]
        moves = {"auto_pad": "SAME_UPPER", "dilations": [DILATIONS.get(name, 1)] * 2}
        return add("Conv", name, [x], (w.transpose(3, 2, 0, 1), bias), moves)

    def make(kind: str, name: str, *given: str) -> str:
        op, moves = kinds[kind]
        return add(op, name, list(given), weights().get(name, ()), moves)

    last = graph(conv, make, "x")
    height, length, channels = SHAPE
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, height, length])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 10, 1, 1])
    made = helper.make_graph(nodes, "residual", [x], [y], held)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(made, opset_imports=[opset], ir_version=8)
    path.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    keras_file(Path(sys.argv[1]) / "residual.keras")
    onnx_file(Path(sys.argv[1]) / "residual.onnx")
