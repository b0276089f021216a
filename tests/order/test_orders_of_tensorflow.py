"""Real TensorFlow on the CPU: every element of every shape is replayed bit for bit."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from soak import one_in
from synthetic import Machine, tree_kernel

from convdiff.order.geometry import Geometry
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.tree.notation import parse

pytestmark = [
    pytest.mark.framework,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed"
    ),
]

SHAPES: dict[str, dict[str, Any]] = {
    **{
        f"1x5, 1 to 1, T={length}": {
            "input_nhwc": [1, 1, length, 1],
            "filter_hwio": [1, 5, 1, 1],
            "bias": True,
        }
        for length in range(5, 21)
    },
    "1x5, 128 to 1, T=53": {
        "input_nhwc": [1, 1, 53, 128],
        "filter_hwio": [1, 5, 128, 1],
        "bias": True,
    },
    "3x3, 64 to 64": {
        "input_nhwc": [1, 8, 8, 64],
        "filter_hwio": [3, 3, 64, 64],
        "bias": True,
    },
    "3x3, 256 to 256": {
        "input_nhwc": [1, 6, 6, 256],
        "filter_hwio": [3, 3, 256, 256],
        "bias": True,
    },
    "3x3, 16 to 16, strides and groups": {
        "input_nhwc": [2, 9, 9, 16],
        "filter_hwio": [3, 3, 8, 16],
        "bias": True,
        "strides": [2, 2],
        "groups": 2,
    },
    "3x3, 16 to 16, float16": {
        "input_nhwc": [1, 8, 8, 16],
        "filter_hwio": [3, 3, 16, 16],
        "bias": True,
        "dtype": "float16",
    },
    "3x3, 16 to 16, bfloat16": {
        "input_nhwc": [1, 8, 8, 16],
        "filter_hwio": [3, 3, 16, 16],
        "bias": True,
        "dtype": "bfloat16",
    },
    "3x3, 16 to 16, float64": {
        "input_nhwc": [1, 8, 8, 16],
        "filter_hwio": [3, 3, 16, 16],
        "bias": True,
        "dtype": "float64",
    },
}


@lru_cache
def observed(onednn: str) -> dict[str, dict[str, Any]]:
    script = Path(__file__).parent.parent / "support" / "tensorflow_orders.py"
    environment = {
        **os.environ,
        "TF_ENABLE_ONEDNN_OPTS": onednn,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(list(SHAPES.values()))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(SHAPES, map(json.loads, done.stdout.splitlines()), strict=True))


@one_in(3, "shape", SHAPES)
@pytest.mark.parametrize("onednn", ["1", "0"])
def test_every_element_is_replayed_bit_for_bit(onednn: str, shape: str) -> None:
    found = observed(onednn)[shape]
    if "refused" in found:
        assert "ONEDNN_MAX_CPU_ISA" in os.environ, "only a cap takes kernels away"
        assert SHAPES[shape]["dtype"] in ("float16", "bfloat16")
        pytest.skip(f"capped, TensorFlow has no kernel for it: {found['refused'][:200]}")
    replayed, elements = found["replayed"]
    assert (found["status"], replayed) == ("proved", elements), found["refusals"]


@pytest.mark.parametrize("onednn", ["1", "0"])
def test_2304_taps_take_far_fewer_calls_than_taps(onednn: str) -> None:
    assert observed(onednn)["3x3, 256 to 256"]["calls"] <= 100


@pytest.mark.parametrize(
    "order",
    [
        "[([0..287]*)^8+288 b]",  # without oneDNN, on a CPU with AVX-512
        "[[([0..143]*)^8+144] [([1152..1295]*)^8+144] b]",  # without oneDNN, on one with AVX2
        "[([0..95]*)^24+96 b]",  # with oneDNN, on one with AVX2
    ],
)
def test_the_orders_seen_of_2304_taps_are_read_in_forty_calls(order: str) -> None:
    tree = parse(order)
    geometry = Geometry((1, 1, 1, tree.taps), (1, 1, tree.taps, 256), bias=True)
    kernel = CallableKernel(tree_kernel(tree, geometry, Machine("float32")), geometry)
    site = Site.at(kernel, 0, 128)
    assert mark_fused(kernel, site, reveal_tree(kernel, site)) == tree
    assert kernel.calls <= 40
