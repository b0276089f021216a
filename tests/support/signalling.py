"""A kernel that signals the convdiff that runs it, at a call that the environment names.

No tree of additions gives its bits, so that an explanation goes on for a minute. Tests copy it
beside their cases, for `--kernel signalling:convolution`.
"""

import itertools
import os
import pathlib
import time

import numpy as np

CALLS = itertools.count(1)


def convolution(x, w, b):
    if next(CALLS) == int(os.environ.get("AT", "0")):
        pathlib.Path("worker.pid").write_text(str(os.getpid()))
        os.kill(os.getppid(), int(os.environ["SIGNAL"]))
        time.sleep(float(os.environ.get("STAY", "0")))
    height, width = x.shape[1] - w.shape[0] + 1, x.shape[2] - w.shape[1] + 1
    sums = np.stack(
        [
            x[:, i : i + height, j : j + width, k, None] * w[i, j, k]
            for i in range(w.shape[0])
            for j in range(w.shape[1])
            for k in range(w.shape[2])
        ]
    )
    while len(sums) > 1:  # three at a time, rounded once
        parts = [sums[at : at + 3].astype(np.float64).sum(0) for at in range(0, len(sums), 3)]
        sums = np.stack(parts).astype(x.dtype)
    return sums[0] if b is None else sums[0] + b
