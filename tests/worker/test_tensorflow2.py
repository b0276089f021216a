"""TensorFlow 2, the real one: it computes what the case says, under the settings it was given."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from asking import CAPPED
from geometries import integers
from soak import one_in

from convdiff.case.arrays import Tensors
from convdiff.compare.exact import exact
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed in this environment", allow_module_level=True)

WITH = Interpreter("tensorflow", sys.executable, 2, (("TF_ENABLE_ONEDNN_OPTS", "1"),))
WITHOUT = Interpreter("tensorflow", sys.executable, 1, (("TF_ENABLE_ONEDNN_OPTS", "0"),))
DTYPES = ("float32", "float64", "float16", "bfloat16")
GEOMETRIES = {
    "plain": Convolution((1, 5), 1, 1),
    "two-dimensional": Convolution((3, 2), 3, 4),
    "strides": Convolution((3, 3), 2, 3, strides=(2, 3)),
    "dilations": Convolution((3, 2), 2, 3, dilations=(2, 3)),
    "pointwise": Convolution((1, 1), 5, 3),
    "depthwise": Convolution((3, 3), 4, 4, groups=4),
    "depthwise multiplier": Convolution((1, 3), 3, 6, groups=3),
    "depthwise dilated": Convolution((3, 3), 4, 4, dilations=(2, 2), groups=4),
    "groups": Convolution((1, 3), 4, 6, groups=2),
    "groups, strides": Convolution((2, 3), 6, 6, strides=(2, 2), groups=3),
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Pool]:
    """Yield a pool with two real TensorFlows, started together, used by all tests here."""
    with Pool(timeout=120) as pool:
        pool.start(WITH)
        pool.start(WITHOUT)
        yield pool


@dataclass(frozen=True)
class Small:
    """A convolution of small integers: every order of adding them gives the same bits."""

    conv: Convolution
    tensors: Tensors

    def job(self, interpreter: Interpreter, cells: list[dict]) -> Job:
        held = {"x": self.tensors.input_nhwc, "w": self.tensors.filter_hwio, "b": self.tensors.bias}
        common = {"device": "cpu", "x": "x", "w": "w", "b": "b", "length": 17, "batch": 3}
        return Job(interpreter, self.conv._asdict(), held, [{**common, **cell} for cell in cells])


def small(conv: Convolution, dtype: str) -> Small:
    assert conv.taps * 4 + 2 <= 256, "so that bfloat16 holds every partial sum"
    conv = conv._replace(dtype=dtype)
    return Small(conv, integers(conv, (3, conv.reach[0] + 3, 17, conv.channels_in)))


def run(pool: Pool, job: Job) -> list:
    outcomes = {cell: result for _, cell, result, _ in pool.observe([job])}
    return [outcomes[number] for number in range(len(job.cells))]


@pytest.mark.parametrize("interpreter", [WITH, WITHOUT], ids=["oneDNN", "no oneDNN"])
@pytest.mark.parametrize("dtype", DTYPES)
@one_in(2, "name", GEOMETRIES)
def test_conv2d_and_manual_are_exact_on_small_integers(workers, interpreter, dtype, name):
    case = small(GEOMETRIES[name], dtype)
    truth = exact(case.conv, case.tensors)
    for op, outcome in zip(
        ("conv2d", "manual"),
        run(workers, case.job(interpreter, [{"op": "conv2d"}, {"op": "manual"}])),
        strict=True,
    ):
        if isinstance(outcome, NoBits) and CAPPED and (dtype, interpreter) == ("bfloat16", WITH):
            # TensorFlow asks the CPU whether oneDNN has bfloat16, and the cap takes it away.
            assert op == "conv2d" and "could not create a primitive descriptor" in outcome.reason
            continue
        assert not isinstance(outcome, NoBits), f"{op}: {outcome}"
        values = outcome.view(truth.dtype) if dtype == "bfloat16" else outcome
        assert values.dtype == truth.dtype and values.shape == truth.shape, op
        assert np.array_equal(values.astype(float), truth.astype(float)), op


def test_length_and_batch_take_the_beginning_of_the_input(workers):
    case = small(GEOMETRIES["two-dimensional"], "float32")
    truth = exact(case.conv, case.tensors)
    cells = [
        {"op": op, "length": length, "batch": batch}
        for op in ("conv2d", "manual")
        for length in (2, 9, 17)
        for batch in (1, 3)
    ]
    for cell, outcome in zip(cells, run(workers, case.job(WITH, cells)), strict=True):
        assert np.array_equal(outcome, truth[: cell["batch"], :, : cell["length"] - 1]), cell


def test_a_bias_is_added_only_where_one_is_given(workers):
    case = small(GEOMETRIES["plain"], "float32")
    cells = [{"op": op, "b": b} for op in ("conv2d", "manual") for b in ("b", None)]
    conv, conv_bare, manual, manual_bare = run(workers, case.job(WITH, cells))
    assert case.tensors.bias[0] != 0
    assert np.array_equal(conv - case.tensors.bias, conv_bare)
    assert np.array_equal(manual - case.tensors.bias, manual_bare)


def test_the_fingerprint_says_what_is_in_force(workers):
    with_onednn, without = workers.fingerprint(WITH), workers.fingerprint(WITHOUT)
    for found in (with_onednn, without):
        assert found["framework"] == "tensorflow" and found["version"].startswith("2.")
        assert found["mode"] == "eager" and "cpu" in found["devices"]
        assert found["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert (with_onednn["onednn"], without["onednn"]) == (True, False)
    assert (with_onednn["threads"], without["threads"]) == (2, 1)
    assert without["settings"]["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_without_onednn_the_kernels_differ_from_those_with_it(workers):
    # The setting is no claim of ours: on data with rounding it gives other bits.
    rng = np.random.default_rng(0)
    conv = Convolution((1, 5), 1, 1)
    tensors = Tensors(
        rng.standard_normal(conv.filter_shape).astype(np.float32),
        np.zeros(1, np.float32),
        rng.standard_normal((3, 9, 17, 1)).astype(np.float32),
    )
    case = Small(conv, tensors)
    [a], [b] = (run(workers, case.job(i, [{"op": "conv2d"}])) for i in (WITH, WITHOUT))
    assert not np.array_equal(a, b)
    assert np.allclose(a, b, rtol=1e-4, atol=1e-4)


def test_what_tensorflow_refuses_is_a_failure_and_the_worker_lives(workers):
    case = small(GEOMETRIES["plain"], "float32")
    cells = [{"op": "conv2d", "device": "gpu:9"}, {"op": "conv2d", "length": 3}, {"op": "conv2d"}]
    no_device, too_short, fine = run(workers, case.job(WITH, cells))
    assert isinstance(no_device, NoBits) and not no_device.died
    assert isinstance(too_short, NoBits) and not too_short.died
    assert fine.shape == (3, 4, 13, 1)
