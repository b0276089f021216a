"""Explain TensorFlow's kernels with whichever convdiff is on the path; one line of JSON a row.

Runs in this version and in the one before, and uses nothing that only one of them has but the
memory of orders, where there is such.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of
from convdiff.order.replay.verification import random_data
from convdiff.order.reveal.kernel import CallableKernel

try:
    from convdiff.order.reveal.memory import OrderMemory
except ImportError:  # the version before
    OrderMemory = None

FILTERS = {
    "n=144   3×3 16→16": Geometry((1, 10, 10, 16), (3, 3, 16, 16)),
    "n=576   3×3 64→64": Geometry((1, 10, 10, 64), (3, 3, 64, 64)),
    "n=2304  3×3 256→256": Geometry((1, 10, 10, 256), (3, 3, 256, 256)),
    "n=8147  1×8147 1→4": Geometry((1, 1, 8150, 1), (1, 8147, 1, 4)),
    "n=3844  62×62 1→1": Geometry((1, 64, 64, 1), (62, 62, 1, 1)),
}
SWEEPS = {
    "60 lengths, 1×5 1→1": [
        Geometry((1, 1, length, 1), (1, 5, 1, 1), bias=True) for length in range(6, 66)
    ],
    "60 lengths, 1×9 64→64": [
        Geometry((1, 1, length, 64), (1, 9, 64, 64)) for length in range(20, 80)
    ],
}
TIMES = 3
"""Runs of each filter, of which the median counts."""


def main(name: str) -> None:
    """Print what a row costs, and where orders are remembered what a known order does.

    What TensorFlow's import leaves is kept from the garbage collector: convdiff has no framework in
    the process that reveals orders.
    """
    gc.collect()
    gc.freeze()
    if name in FILTERS:
        geometry = FILTERS[name]
        runs = [explained([geometry]) for _ in range(TIMES if geometry.cout > 4 else 1)]
        printed(name, (first for first, *_ in runs))
        if OrderMemory is not None:
            printed(f"{name}, known", (run[1] for run in (explained([geometry] * 2) for _ in runs)))
    else:
        rows = explained(SWEEPS[name])
        whole = {key: sum(row[key] for row in rows) for key in ("calls", "seconds")}
        rest = {key: all(row[key] for row in rows) for key in ("whole", "confirmed")}
        print(json.dumps({"name": name, **whole, **rest}), flush=True)


def printed(name: str, rows: Iterator[dict[str, Any]]) -> None:
    """Print a row with the median of its times."""
    every = list(rows)
    seconds = statistics.median(row["seconds"] for row in every)
    print(json.dumps({"name": name, **every[0], "seconds": seconds}), flush=True)


def explained(geometries: Sequence[Geometry]) -> list[dict[str, Any]]:
    """Explain kernels one after the other, with one memory where there is such."""
    memory = {} if OrderMemory is None else {"memory": OrderMemory()}
    rows = []
    for geometry in geometries:
        kernel, data = CallableKernel(convolution, geometry), random_data(geometry, 99)
        observed = kernel.run(data.input_nhwc, data.filter_hwio, data.bias)
        start = time.perf_counter()
        found = orders_of(kernel, data, observed, **memory)
        seconds = time.perf_counter() - start
        rows.append(
            {
                "calls": found.calls,
                "seconds": seconds,
                "whole": found.status == "proved",
                "confirmed": found.confirmed,
            }
        )
    return rows


def convolution(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """Return TensorFlow's convolution."""
    y = tf.nn.conv2d(x, w, 1, "VALID")
    return np.asarray((y if b is None else tf.nn.bias_add(y, b)).numpy())


if __name__ == "__main__":
    main(sys.argv[1])
