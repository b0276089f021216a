"""JAX keeps what it compiles of every shape; a worker that sees thousands of them does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from asking import need
from soak import one_in

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="what a process holds is read from /proc"
)
MANY = """
import os, sys
import numpy as np
from convdiff.worker.frameworks import jax
from convdiff.worker.framework import Device
from convdiff.worker.ops.convolution import Convolution

def held():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

conv, w = Convolution((1, 5), 3, 4), np.ones((1, 5, 3, 4), np.float32)
jax.MOST_KEPT = int(sys.argv[2])
framework = jax.open(None)
for length in range(6, 71):
    x = np.ones((1, 1, length, 3), np.float32)
    framework.conv2d(conv, Device("cpu", tuple(sys.argv[1].split())), x, w, None)
    if length == 14:
        before = held()
print(held() - before)
"""
FEW, ALL = 8, 10_000


def grown(mode: str, kept: int) -> float:
    """Return by how many MiB a process grows that computes 56 shapes and keeps so many."""
    done = subprocess.run(
        [sys.executable, "-c", MANY, mode, str(kept)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@one_in(2, "mode", ["op_by_op", ""])
def test_many_shapes_take_the_memory_of_a_few(runs_framework: None, mode: str) -> None:
    need("jax")
    assert grown(mode, FEW) < grown(mode, ALL) / 3
