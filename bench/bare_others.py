"""What a matrix is measured against: import one framework, run the convolutions, no more."""

import sys

import numpy as np

name, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
taps = np.array([-0.7313, -1.1043, 1.8492, 1.3007, -0.1033], np.float32)
x = (10 * np.arange(last, dtype=np.float32)).reshape(1, 1, 1, last)
w, b = taps.reshape(1, 1, 1, 5), np.array([0.0401], np.float32)


def torch_loop():
    import torch

    tw, tb = torch.from_numpy(w), torch.from_numpy(b)
    for length in range(first, last + 1):
        cut = torch.from_numpy(np.ascontiguousarray(x[..., :length]))
        torch.nn.functional.conv2d(cut, tw, tb).numpy()


def jax_loop():
    import jax

    @jax.jit
    def conv2d(x, w, b):
        layout = ("NCHW", "OIHW", "NCHW")
        y = jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=layout)
        return y + b

    for length in range(first, last + 1):
        np.asarray(conv2d(x[..., :length], w, b))


def onnxruntime_loop():
    import onnx
    import onnxruntime

    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    names = ["x", "w", "b"]
    values = [
        helper.make_tensor_value_info(name, kind, [f"{name}{k}" for k in range(rank)])
        for name, rank in (("x", 4), ("w", 4), ("b", 1), ("y", 4))
    ]
    node = helper.make_node("Conv", names, ["y"])
    graph = helper.make_graph([node], "conv", values[:3], values[3:])
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for length in range(first, last + 1):
        session.run(None, {"x": np.ascontiguousarray(x[..., :length]), "w": w, "b": b})


{"torch": torch_loop, "jax": jax_loop, "onnxruntime": onnxruntime_loop}[name]()
