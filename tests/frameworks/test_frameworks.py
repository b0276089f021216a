"""Every framework in every mode computes what the case says, and refuses what it can't."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from asking import CAPPED, MODULES, Lab, lasting, need
from by_taps import by_taps
from geometries import integers
from soak import WHOLE, one_in

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

SPECS = (
    "tensorflow:cpu",
    "tensorflow:cpu+graph",
    "tensorflow:cpu+xla",
    "torch:cpu",
    "torch:cpu+channels_last",
    "torch:cpu+mkldnn_off",
    "torch:cpu+deterministic",
    "torch:cpu+weights_channels_last",
    "torch:cpu+input_sliced+weights_permuted",
    "torch:cpu+input_channels_last+weights_sliced",
    "torch:cpu+input_channel_slice+weights_channel_slice",
    "torch:cpu+input_permuted",
    "torch:cpu+compiled",
    "torch:cpu+compiled+channels_last+mkldnn_off",
    "jax:cpu",
    "jax:cpu+default",
    "jax:cpu+high",
    "jax:cpu+highest",
    "jax:cpu+op_by_op",
    "onnxruntime:cpu",
    "onnxruntime:cpu+disabled",
    "onnxruntime:cpu+basic",
    "onnxruntime:cpu+extended",
    "onnxruntime:cpu+all",
    "onnxruntime:cpu+constant",
    "onnxruntime:cpu+disabled+constant",
    "openvino:cpu",
    "openvino:cpu+f32",
    "openvino:cpu+f16",
    "openvino:cpu+bf16",
    "openvino:cpu+f32+constant",
    "openvino:cpu+constant+f16",
    "tflite:cpu",
    "tflite:cpu+xnnpack",
    "tflite:cpu+builtin",
    "tflite:cpu+reference",
    "tflite:cpu+fp16_weights",
    "numpy:cpu",
)
INTEGERS = ("tflite:cpu+int8_weights", "tflite:cpu+int8")
"""What computes in scaled integers, and so gives no small integer back; tested in its own file."""
GEOMETRIES = {
    "one-dimensional": Convolution((1, 5), 1, 1),
    "asymmetric": Convolution((3, 2), 3, 4),
    "strides": Convolution((3, 2), 3, 4, strides=(2, 1)),
    "dilations": Convolution((2, 3), 3, 4, dilations=(1, 2)),
    "strides, dilations": Convolution((2, 3), 3, 4, strides=(2, 1), dilations=(1, 2)),
    "groups": Convolution((3, 2), 4, 6, groups=2),
    "groups, strides, dilations": Convolution((2, 3), 4, 6, (2, 1), (1, 2), groups=2),
    "depthwise": Convolution((3, 2), 4, 4, groups=4),
    "depthwise multiplier": Convolution((2, 3), 3, 6, groups=3),
    "pointwise": Convolution((1, 1), 5, 3),
}
DTYPES = ("float32", "float64", "float16", "bfloat16")
REFUSED = {
    ("numpy", "bfloat16"): "NumPy has no bfloat16",
    ("onnxruntime", "bfloat16"): "ONNX Runtime has no bfloat16 convolution",
    ("openvino", "bfloat16"): "OpenVINO takes no bfloat16 inputs",
    ("openvino", "float64"): "OpenVINO computes float64 in float32 at the most",
    ("tflite", "float64"): "TensorFlow Lite has no float64 convolution",
    ("tflite", "bfloat16"): "TensorFlow Lite has no bfloat16 convolution",
}
"""What a framework can't do at all, and how it says so."""
MAY_REFUSE = {
    ("onnxruntime", "float64"): ("NOT_IMPLEMENTED", "NotImplemented", "Could not find an impl"),
    ("onnxruntime", "float16"): ("NOT_IMPLEMENTED", "NotImplemented", "Could not find an impl"),
    ("tflite", "float16"): ("failed to prepare",),
}
if CAPPED:  # TensorFlow asks the CPU whether oneDNN has bfloat16, and the cap takes it away
    MAY_REFUSE["tensorflow", "bfloat16"] = ("could not create a primitive descriptor",)


def whole_numbers(conv: Convolution, dtype: str) -> Tensors:
    """Return small integers, of which every order of adding gives the same bits."""
    return integers(conv._replace(dtype=dtype), (2, conv.reach[0] + 4, 11, conv.channels_in))


def run(
    lab: Lab,
    spec: str,
    conv: Convolution,
    tensors: Tensors,
    ops: Sequence[str] = ("conv2d", "manual"),
    threads: int | None = None,
) -> list:
    """Return what a framework gives for each op: an array, or a NoBits."""
    need(spec)
    framework, _, device = spec.partition(":")
    interpreter = Interpreter(framework, sys.executable, threads)
    batch, _, length, _ = tensors.input_nhwc.shape
    held = {"x": tensors.input_nhwc, "w": tensors.filter_hwio, "b": tensors.bias}
    common = {"x": "x", "w": "w", "b": "b" if tensors.bias is not None else None}
    cells = [{**common, "op": op, "device": device, "length": length, "batch": batch} for op in ops]
    dtype = tensors.input_nhwc.dtype.name
    job = Job(
        interpreter,
        conv._replace(dtype=dtype)._asdict(),
        {k: v for k, v in held.items() if v is not None},
        cells,
    )
    outcomes = {cell: result for _, cell, result, _ in lab.pool.observe([job])}
    return [outcomes[number] for number in range(len(cells))]


# What torch compiles takes seconds a shape: two dtypes of it, and two geometries.
EVERY = [
    (spec, dtype)
    for spec in lasting(*SPECS)
    for dtype in DTYPES
    if "compiled" not in spec or dtype in ("float32", "bfloat16")
]


def geometries_of(spec: str, dtype: str) -> list[str]:
    """Return those that are asked: all in the soak, else a third."""
    if "compiled" in spec:
        return ["strides, dilations", "groups"]
    turn = SPECS.index(spec) + DTYPES.index(dtype)
    return list(GEOMETRIES)[0 if WHOLE else turn % 3 :: 1 if WHOLE else 3]


@pytest.mark.soak
@pytest.mark.parametrize(("spec", "dtype"), EVERY)
def test_small_integers_come_out_exactly_or_are_refused_with_a_reason(
    lab: Lab, spec: str, dtype: str
):
    # Swapped heights and widths, channels or layouts would all be seen: nothing here is square.
    framework = spec.partition(":")[0]
    done = 0
    for name in geometries_of(spec, dtype):
        conv = GEOMETRIES[name]
        tensors = whole_numbers(conv, dtype)
        truth = by_taps(conv, tensors)
        assert np.abs(truth).max() <= 256, "so that bfloat16 holds every partial sum"
        for op, found in zip(("conv2d", "manual"), run(lab, spec, conv, tensors), strict=True):
            where = f"{spec} {dtype} {name} {op}"
            if isinstance(found, NoBits):
                assert not found.died, f"{where}: {found}"
                known = REFUSED.get((framework, dtype))
                words = (known,) if known else MAY_REFUSE.get((framework, dtype), ())
                assert any(word in found.reason for word in words), f"{where}: {found.reason}"
                continue
            done += 1
            if dtype == "bfloat16":
                assert found.dtype == np.uint16, where
            kind = numpy_dtype(dtype)
            seen = found.view(kind) if dtype == "bfloat16" else found
            assert seen.dtype == kind, where
            assert seen.shape == truth.shape, where
            assert np.array_equal(seen.astype(np.float64), truth), where
    assert (done == 0) == ((framework, dtype) in REFUSED) or (framework, dtype) in MAY_REFUSE


@pytest.mark.parametrize("spec", [spec for spec in lasting(*SPECS) if "compiled" not in spec])
def test_without_a_bias_none_is_added(lab: Lab, spec: str):
    conv = GEOMETRIES["asymmetric"]
    with_bias = whole_numbers(conv, "float32")
    without = Tensors(with_bias.filter_hwio, None, with_bias.input_nhwc)
    assert with_bias.bias.any()
    truth = by_taps(conv, without)
    for found in run(lab, spec, conv, without):
        assert np.array_equal(found, truth)


@pytest.mark.parametrize(
    "spec",
    ["tensorflow:cpu", "torch:cpu", "jax:cpu", "onnxruntime:cpu", "openvino:cpu+f32", "tflite:cpu"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_are_right_to_the_last_few_bits(lab: Lab, spec: str, dtype: str):
    conv, rng = GEOMETRIES["groups, strides, dilations"], np.random.default_rng(3)
    tensors = Tensors(
        rng.standard_normal(conv.filter_shape).astype(dtype),
        rng.standard_normal(conv.channels_out).astype(dtype),
        rng.standard_normal((2, 8, 11, conv.channels_in)).astype(dtype),
    )
    truth, unit = by_taps(conv, tensors), float(np.finfo(dtype).eps)
    for found in run(lab, spec, conv, tensors):
        if isinstance(found, NoBits):
            key = (spec.partition(":")[0], dtype)
            words = (REFUSED[key],) if key in REFUSED else MAY_REFUSE.get(key, ())
            assert any(word in found.reason for word in words), found.reason
            continue
        assert np.abs(found - truth).max() < 32 * unit
        if dtype == "float64":
            assert np.abs(found - truth).max() < 1e-12, "float64 is not quietly float32"


# TensorFlow's in `worker/test_tensorflow2.py`, where two of it run anyway.
@one_in(2, "framework", ["torch", "onnxruntime", "openvino", "tflite"])
def test_threads_are_what_was_asked_for(lab: Lab, framework: str):
    need(framework)
    for threads in (1, 2):
        found = lab.pool.fingerprint(Interpreter(framework, sys.executable, threads))
        assert not isinstance(found, NoBits), found
        assert found["threads"] == threads
    conv = GEOMETRIES["asymmetric"]
    tensors = whole_numbers(conv, "float32")
    truth = by_taps(conv, tensors)
    for threads in (1, 2):
        mode = "+f32" if framework == "openvino" else ""
        for found in run(lab, f"{framework}:cpu{mode}", conv, tensors, threads=threads):
            assert np.array_equal(found, truth)


def test_one_thread_is_one_thread(lab: Lab):
    """Count the threads of the process itself: a setting is not a behaviour."""
    need("torch", "onnxruntime", "openvino")
    conv = Convolution((3, 3), 32, 32)
    rng = np.random.default_rng(3)
    tensors = Tensors(
        rng.standard_normal(conv.filter_shape).astype(np.float32),
        None,
        rng.standard_normal((2, 34, 34, 32)).astype(np.float32),
    )
    for framework, device in (("torch", "cpu"), ("onnxruntime", "cpu"), ("openvino", "cpu+f32")):
        grown = {}
        for threads in (1, 2):
            interpreter = Interpreter(framework, sys.executable, threads)
            with Pool(timeout=120) as pool:  # new workers: what they start, they start here
                assert not isinstance(pool.fingerprint(interpreter), NoBits)
                before = threads_of(pool._workers[interpreter])
                alone = Lab(pool, lab.folder)
                (found,) = run(alone, f"{framework}:{device}", conv, tensors, ["conv2d"], threads)
                assert not isinstance(found, NoBits), found
                grown[threads] = threads_of(pool._workers[interpreter]) - before
        assert grown[1] < grown[2], (framework, grown)


def threads_of(worker: object) -> int:
    """Return how many threads a worker's process has."""
    from pathlib import Path

    pid = worker._process.pid  # type: ignore[attr-defined]
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.is_dir():
        pytest.skip("no /proc here to count threads in")
    return len(list(tasks.iterdir()))


def test_jax_takes_no_thread_count_and_says_so(lab: Lab):
    need("jax")
    found = lab.pool.fingerprint(Interpreter("jax", sys.executable, 2))
    assert isinstance(found, NoBits) and not found.died
    assert "JAX takes no thread count" in found.reason


@pytest.mark.parametrize("framework", MODULES)
def test_the_fingerprint_names_version_mode_and_modes(lab: Lab, framework: str):
    need(framework)
    found = lab.pool.fingerprint(Interpreter(framework, sys.executable))
    assert found["framework"] == framework
    assert found["version"][0].isdigit()
    assert "cpu" in found["devices"]
    offered = {
        mode
        for spec in SPECS + INTEGERS
        for mode in spec.split("+")[1:]
        if spec.startswith(framework + ":")
    }
    assert set(found["modes"]) == offered, "every mode is tested here, and every tested one named"


def test_no_mode_is_less_precise_than_its_name(lab: Lab):
    """Which kernel a mode chooses is another on each CPU; how far it may be off is not."""
    conv = Convolution((3, 3), 16, 16)
    rng = np.random.default_rng(3)
    tensors = Tensors(
        rng.standard_normal(conv.filter_shape).astype(np.float32),
        None,
        rng.standard_normal((2, 10, 10, 16)).astype(np.float32),
    )
    truth = by_taps(conv, tensors)

    def error(spec: str) -> float:
        (found,) = run(lab, spec, conv, tensors, ["conv2d"])
        assert not isinstance(found, NoBits), found
        return float(np.abs(found - truth).max())

    torch = ("torch:cpu", "torch:cpu+channels_last", "torch:cpu+mkldnn_off")
    for spec in ("openvino:cpu+f32", *torch):
        assert error(spec) < 1e-4, spec
    for spec in lasting("openvino:cpu", "openvino:cpu+bf16"):
        # A CPU without bfloat16 computes in float32 here too.
        assert error(spec) < 1, spec
