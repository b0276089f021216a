"""One layer of real size with nothing around it: what `convdiff run` on it is measured against.

`bare_layer.py CASE FRAMEWORK...` reads a case that is JSON, draws its arrays, imports the
frameworks, convolves, makes a reference tap by tap in fp64, and compares all.
"""

import json
import sys
from pathlib import Path

import numpy as np


def drawn(spec):
    """Return the array of `{normal: SCALE, shape, seed}`, float32."""
    values = np.random.default_rng(spec["seed"]).normal(0, spec["normal"], spec["shape"])
    return values.astype(np.float32)


def tensorflow(x, w, stride):
    """Return the convolution by TensorFlow."""
    import tensorflow as tf

    with tf.device("CPU"):
        return tf.nn.conv2d(x, w, stride, "VALID").numpy()


def torch(x, w, stride):
    """Return the convolution by PyTorch."""
    import torch

    with torch.inference_mode():
        x, w = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(w).permute(3, 2, 0, 1)
        return torch.conv2d(x, w, stride=stride).permute(0, 2, 3, 1).numpy()


def by_taps(x, w, stride):
    """Return the convolution in fp64, one tap of the filter after the other."""
    kh, kw = w.shape[:2]
    rows, columns = (x.shape[1] - kh) // stride + 1, (x.shape[2] - kw) // stride + 1
    wide, total = x.astype(np.float64), 0.0
    for i in range(kh):
        for j in range(kw):
            seen = wide[:, i : i + rows * stride : stride, j : j + columns * stride : stride]
            total = total + seen[:, :rows, :columns] @ w[i, j].astype(np.float64)
    return total


def main():
    """Print how far apart the results are."""
    case = json.loads(Path(sys.argv[1]).read_text())
    x, w, stride = drawn(case["input"]), drawn(case["filter"]), case.get("strides", 1)
    sides = [globals()[name](x, w, stride) for name in sys.argv[2:]]
    exact = by_taps(x, w, stride)
    for side in sides:
        print(np.abs(side - exact).max(), np.abs(side - sides[0]).max(), (side != sides[0]).sum())


if __name__ == "__main__":
    main()
