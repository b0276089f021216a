"""Explain TensorFlow's convolutions in this process and print one JSON line a shape.

Run as a script, because its settings count only before TensorFlow is imported.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import tensorflow as tf  # type: ignore[import-untyped,unused-ignore]

from convdiff.numerics.array import Array
from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.tree.describe import describe
from convdiff.order.tree.notation import notation


def main(shapes: list[dict[str, object]]) -> None:
    for shape in shapes:
        geometry = Geometry(**shape)  # type: ignore[arg-type]

        def convolution(
            x: Array, w: Array, b: Array | None, geometry: Geometry = geometry
        ) -> Array:
            x, w = tf.cast(x, geometry.dtype), tf.cast(w, geometry.dtype)
            y = tf.nn.conv2d(x, w, geometry.strides, "VALID", dilations=geometry.dilations)
            if b is not None:
                y = tf.nn.bias_add(y, tf.cast(b, geometry.dtype))
            wide = "float64" if geometry.dtype == "float64" else "float32"
            return np.asarray(tf.cast(y, wide).numpy())

        kernel = CallableKernel(convolution, geometry)
        data = random_data(geometry, 99)
        try:
            kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
        except tf.errors.AbortedError as error:  # oneDNN has no kernel for it under this cap
            print(json.dumps({"refused": str(error)}), flush=True)
            continue
        kernel.calls = 0
        start = time.perf_counter()
        found = orders_of(kernel, data)
        seconds = time.perf_counter() - start
        print(
            json.dumps(
                {
                    "status": found.status,
                    "replayed": found.replayed,
                    "calls": kernel.calls,
                    "seconds": seconds,
                    "orders": [[o.count, notation(o.order.tree)] for o in found.orders],
                    "words": [describe(o.order.tree, geometry.filter_hwio) for o in found.orders],
                    "refusals": [refusal.reason for refusal in found.refusals],
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
