"""Serve probes from TensorFlow 1.x under the interpreter that runs this: Python 3.6 and up.

A request is a JSON line, followed by the raw arrays of a `run`; the answer is a JSON line with a
shape, followed by raw little-endian float32. Only leaf indices travel for a probe.
"""

# mypy: ignore-errors
import importlib.util
import json
import os
import sys

import numpy as np

SPEC = importlib.util.spec_from_file_location("probes", sys.argv[1])
probes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(probes)


def read_array(stream, shape):
    return np.frombuffer(stream.read(4 * int(np.prod(shape))), "<f4").reshape(shape)


def main():
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import tensorflow as tf

    shape = json.loads(requests.readline().decode())
    x_shape, w_shape = tuple(shape["input"]), tuple(shape["filter"])
    x, w = tf.placeholder(tf.float32, x_shape), tf.placeholder(tf.float32, w_shape)
    y, b = tf.nn.conv2d(x, w, [1, 1, 1, 1], "VALID"), None
    if shape["bias"]:
        b = tf.placeholder(tf.float32, w_shape[3:])
        y = tf.nn.bias_add(y, b)
    session = tf.Session()

    def call(x_value, w_value, b_value):
        feed = {x: x_value, w: w_value}
        if b is not None:
            feed[b] = b_value
        return session.run(y, feed)

    for line in iter(requests.readline, b""):
        request = json.loads(line.decode())
        if "kind" in request:
            kind, seen = request["kind"], []
            for row in np.array(request["taps"]):
                w_value, b_value = probes.probe_weights(
                    kind, row, w_shape, shape["bias"], "float32"
                )
                x_value = probes.probe_input(kind, row, x_shape, "float32")
                seen.append(call(x_value, w_value, b_value))
            answer = np.stack(seen)
        else:
            x_value, w_value = read_array(requests, x_shape), read_array(requests, w_shape)
            b_value = read_array(requests, w_shape[3:]) if b is not None else None
            answer = call(x_value, w_value, b_value)
        answers.write((json.dumps(answer.shape) + "\n").encode())
        answers.write(np.ascontiguousarray(answer, "<f4").tobytes())
        answers.flush()


main()
