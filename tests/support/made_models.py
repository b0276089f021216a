"""Writes one small model in every format, and what its framework gives for one input.

Run as a program: `python made_models.py FOLDER keras|torch`; each has a framework of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def given(*shape: int) -> np.ndarray:
    """Return the input of a model: normal, of one seed."""
    return np.random.default_rng(7).normal(size=shape).astype("float32")


def keras_models(folder: Path) -> None:
    """Write .keras, .h5 and .tflite files, a SavedModel, and predictions."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0")
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(3)
    x = keras.Input((18, 20, 3))
    y = layers.Conv2D(8, 3, padding="same", strides=2, name="first", activation="relu")(x)
    y = layers.BatchNormalization(name="normal")(y)
    short = y
    y = layers.DepthwiseConv2D(3, padding="same")(y)
    y = layers.LeakyReLU(negative_slope=0.1)(y)
    y = layers.SeparableConv2D(8, (3, 1), padding="same", activation="swish")(y)
    y = layers.Add()([y, short])
    y = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="up")(y)
    y = layers.Concatenate()([layers.MaxPooling2D(2)(y), layers.AveragePooling2D(2)(y)])
    y = layers.ZeroPadding2D(((1, 0), (0, 2)))(y)
    y = layers.Conv2DTranspose(4, (2, 3), strides=(3, 2), name="wide")(y)
    y = layers.Flatten()(y)
    y = layers.Dense(10, activation="softmax", name="last")(y)
    two = keras.Model(x, y)
    for layer in two.layers:  # what is zero or one at first would hide mistakes
        layer.set_weights([w + 0.1 * np.abs(given(*w.shape)) for w in layer.get_weights()])
    u = keras.Input((None, 6))
    v = layers.Conv1D(8, 5, padding="causal", dilation_rate=2, activation="gelu")(u)
    v = layers.Conv1DTranspose(8, 4, strides=2, padding="valid")(v)
    v = layers.AveragePooling1D(3, strides=2, padding="same")(v)
    v = layers.GlobalMaxPooling1D()(v)
    one = keras.Model(u, layers.Dense(3)(v))
    nest = nested(keras, layers)
    data = given(2, 40, 4)
    nest.save(folder / "nst.keras")
    nest.save(folder / "nst.h5")
    np.savez(folder / "nst.npz", x=data, y=nest.predict(data, verbose=0))
    long = keras.Sequential([keras.Input((None, 4))])
    for _ in range(3):
        long.add(layers.Conv1D(4, 5, activation="relu"))
        long.add(layers.MaxPooling1D(2))
    long.save(folder / "long.keras")
    long.save(folder / "long.h5")
    long.export(folder / "long_saved", verbose=False)
    for name, model, data in (("two", two, given(2, 18, 20, 3)), ("one", one, given(2, 31, 6))):
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        np.savez(folder / f"{name}.npz", x=data, y=model.predict(data, verbose=0))
        model.export(folder / f"{name}_saved", verbose=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(two)
    (folder / "two.tflite").write_bytes(converter.convert())
    narrowed(folder, two)


def narrowed(folder: Path, model) -> None:
    """Write .tflite files with float16 weights, with int8 weights, and of int8 throughout."""
    import tensorflow as tf

    data = given(1, 18, 20, 3)

    def convert(**options) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        for name, value in options.items():
            setattr(converter, name, value)
        return converter.convert()

    narrow = tf.lite.TargetSpec(supported_types=[tf.float16])
    (folder / "hlf.tflite").write_bytes(convert(target_spec=narrow))
    (folder / "weights_int8.tflite").write_bytes(convert())
    (folder / "all_int8.tflite").write_bytes(convert(representative_dataset=lambda: iter([[data]])))
    interpreter = tf.lite.Interpreter(str(folder / "hlf.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], data)
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.savez(folder / "hlf.npz", x=data, y=output)


def nested(keras, layers):
    """Return a model of models: one in a row, one with a branch, and one with one in it."""
    row = [keras.Input((None, 4)), layers.Conv1D(4, 3, name="c")]
    row.append(layers.BatchNormalization(name="normal"))
    row = keras.Sequential(row, name="row")
    a = keras.Input((None, 4))
    b = layers.Conv1D(4, 3, padding="same", name="fork")(a)
    branch = keras.Model(a, layers.Add(name="sum")([a, b]), name="branch")
    deep = keras.Sequential([keras.Input((None, 4)), branch, layers.ReLU(name="cut")], name="deep")
    x = keras.Input((40, 4))
    model = keras.Model(x, layers.Conv1D(2, 3, name="c")(deep(row(x))))
    for layer in model.layers:
        layer.set_weights([w + 0.1 * np.abs(given(*w.shape)) for w in layer.get_weights()])
    return model


def torch_models(folder: Path) -> None:
    """Write a .pt2 file, and what it gives."""
    import torch
    from torch import nn

    torch.manual_seed(5)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.normal = nn.BatchNorm2d(8)
            self.middle = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4)
            self.slope = nn.PReLU(8)
            self.up = nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)
            self.last = nn.Linear(4 * 9 * 10 * 2, 10)

        def forward(self, x):
            y = torch.relu(self.normal(self.first(x)))
            y = self.slope(self.middle(y)) + y * 2.0
            y = nn.functional.gelu(self.up(y))
            a = nn.functional.max_pool2d(y, 2)
            b = nn.functional.avg_pool2d(y, 3, 2, padding=1, ceil_mode=False)
            return torch.softmax(self.last(torch.cat([a, b], 1).flatten(1)), -1)

    net = Net().eval()
    with torch.no_grad():
        for weights in (*net.parameters(), net.normal.running_mean):
            weights.add_(0.1 * torch.rand(weights.shape))
    data = torch.from_numpy(given(2, 3, 18, 20))
    np.savez(folder / "net.npz", x=data.numpy(), y=net(data).detach().numpy())
    torch.export.save(torch.export.export(net, (data,)), folder / "net.pt2")
    rows = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten(), nn.Linear(144, 5)]
    core, small = nn.Sequential(*rows), data[:, :, :8, :8]
    for mode in ("train", "core"):  # as in training, and as it is used
        core.train(mode == "train")
        whole = torch.export.export(core, (small,))
        torch.export.save(whole.run_decompositions(), folder / f"{mode}_decomposed.pt2")
        torch.export.save(whole, folder / f"{mode}.pt2")
    np.savez(folder / "cor.npz", x=small.numpy(), y=core(small).detach().numpy())


if __name__ == "__main__":
    {"keras": keras_models, "torch": torch_models}[sys.argv[2]](Path(sys.argv[1]))
