"""TensorFlow Lite: every op with every kernel, what it refuses, and numbers of 8 bits."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from asking import Lab, need, of_axis
from kernels import CELL
from program import REPOSITORY
from soak import one_in

from convdiff.behaviour.behaviour import Traits
from convdiff.behaviour.examine import examine_cell
from convdiff.case.arrays import Tensors
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import Cell, NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution

pytestmark = pytest.mark.framework

KERNELS = ("xnnpack", "builtin", "reference")
FLAT, DEEP = (2, 7, 9), (2, 12, 5)
"""Batch, rows and length; in three dimensions the rows are 3 × 4."""


@dataclass(frozen=True)
class Asked:
    """A geometry, and the extents of an input."""

    conv: Convolution
    extents: tuple[int, int, int] = FLAT

    def tensors(self, whole: bool, bias: bool = True) -> Tensors:
        """Return small integers, or numbers with all their bits."""
        rng = np.random.default_rng(11)

        def some(*shape: int) -> np.ndarray:
            drawn = rng.integers(-2, 3, shape) if whole else rng.standard_normal(shape)
            return drawn.astype(np.float32)

        of_bias = some(self.conv.channels_out) if bias else None
        return Tensors(
            some(*self.conv.filter_shape), of_bias, some(*self.extents, self.conv.channels_in)
        )


def deep(op: str = "conv3d", channels: int = 3, **more: object) -> Asked:
    """Return a geometry of three dimensions, with 4 output channels."""
    common = {"strides": (1, 1, 1), "dilations": (1, 1, 1), "output_padding": (0, 0, 0)}
    kernel = (2, 3, 2)
    return Asked(Convolution(kernel, channels, 4, op=op, depth=3, **{**common, **more}), DEEP)


def line(op: str = "conv1d", **more: object) -> Asked:
    """Return a geometry of one dimension, 3 → 4 channels."""
    return Asked(Convolution((1, 4), 3, 4, op=op, **more), (2, 1, 9))


UNEVEN = ((2, 0), (1, 3))
OPS = {
    "conv2d same": Asked(Convolution((3, 2), 3, 4, (2, 1), padding="same")),
    "conv2d same_lower": Asked(Convolution((2, 4), 3, 4, padding="same_lower")),
    "conv2d uneven": Asked(Convolution((3, 2), 3, 4, (1, 2), (2, 1), padding=UNEVEN)),
    "conv2d cut": Asked(Convolution((3, 2), 3, 4, padding=((-1, 2), (0, -2)))),
    "grouped same": Asked(Convolution((3, 2), 4, 6, (1, 2), groups=2, padding="same")),
    "depthwise uneven": Asked(Convolution((3, 2), 3, 6, groups=3, padding=UNEVEN)),
    "conv1d": line(strides=(1, 2), dilations=(1, 2)),
    "conv1d causal": line(padding="causal"),
    "conv1d depthwise": Asked(Convolution((1, 3), 4, 4, op="conv1d", groups=4), (2, 1, 9)),
    "conv3d same": deep(padding="same", strides=(1, 2, 2)),
    "conv3d uneven": deep(padding=((1, 0), (0, 2), (1, 1)), dilations=(1, 2, 1)),
    "conv2d_transpose": Asked(Convolution((4, 3), 3, 4, (2, 3), op="conv2d_transpose")),
    "conv2d_transpose same": Asked(
        Convolution((4, 3), 3, 4, (2, 4), op="conv2d_transpose", padding="same")
    ),
    "conv2d_transpose uneven": Asked(
        Convolution((4, 3), 3, 4, (2, 3), op="conv2d_transpose", padding=UNEVEN)
    ),
    "conv2d_transpose longer": Asked(
        Convolution(
            (4, 3), 3, 4, (2, 3), op="conv2d_transpose", output_padding=(1, 2), padding=UNEVEN
        )
    ),
    "conv1d_transpose": line("conv1d_transpose", strides=(1, 2), padding=((0, 0), (1, 1))),
    "conv3d_transpose": deep("conv3d_transpose", strides=(1, 2, 2)),
    "dense": Asked(Convolution((1, 1), 5, 3, op="dense"), (2, 1, 9)),
}
NO_INTEGERS = ("conv3d same", "conv3d uneven", "conv3d_transpose")
"""Ops that TensorFlow Lite has in float32 only."""
REFUSED = {
    "cpu": {
        "input->dims->data[4] != filter->dims->data[3]": deep(channels=6, groups=2),
        "TRANSPOSE_CONV has no dilations": line("conv1d_transpose", dilations=(1, 2)),
        "TRANSPOSE_CONV has no groups": Asked(
            Convolution((3, 3), 4, 4, groups=2, op="conv2d_transpose")
        ),
        "lengthens a transposed output at its end only": line(
            "conv1d_transpose", padding=((0, 0), (-1, 0))
        ),
        "by less than a stride": line("conv1d_transpose", padding=((0, 0), (0, -1))),
    },
    "cpu+int8_weights": {"filter->type != kTfLiteFloat32 (INT8 != FLOAT32)": deep()},
    "cpu+int8": {"input_type != kTfLiteFloat32 (INT8 != FLOAT32)": deep()},
}
"""By device and words, of which all but `has no` and `lengthens` are TensorFlow Lite's own."""


def answer(
    lab: Lab,
    spec: str,
    asked: Asked,
    tensors: Tensors,
    settings: tuple[tuple[str, str], ...] = (),
) -> np.ndarray | NoBits:
    """Return what a framework gives for a geometry's op."""
    framework, _, device = spec.partition(":")
    held = {"x": tensors.input_nhwc, "w": tensors.filter_hwio, "b": tensors.bias}
    arrays = {key: array for key, array in held.items() if array is not None}
    cell = {"x": "x", "w": "w", "b": "b" if "b" in arrays else None, "op": asked.conv.op}
    batch, _, length = asked.extents
    cell |= {"device": device, "length": length, "batch": batch}
    interpreter = Interpreter(framework, sys.executable, None, settings)
    job = Job(interpreter, asked.conv._asdict(), arrays, [cell])
    ((_, _, result, _),) = lab.pool.observe([job])
    return result


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", OPS)
def test_every_op_with_every_kernel_gives_what_the_case_says(lab: Lab, name: str, kernels: str):
    need("tflite")
    for bias in (True, False):
        tensors = OPS[name].tensors(whole=True, bias=bias)
        right = answer(lab, "numpy:cpu", OPS[name], tensors)
        found = answer(lab, f"tflite:cpu+{kernels}", OPS[name], tensors)
        assert not isinstance(found, NoBits), found
        assert right.any() and np.array_equal(found, right)


@pytest.mark.parametrize(
    ("device", "words"), [(device, words) for device, rows in REFUSED.items() for words in rows]
)
def test_what_it_can_not_do_is_refused_with_the_reason(lab: Lab, device: str, words: str):
    need("tflite")
    asked = REFUSED[device][words]
    found = answer(lab, f"tflite:{device}", asked, asked.tensors(whole=True))
    assert isinstance(found, NoBits) and not found.died, found
    assert words in found.reason


def steps_apart(asked: Asked, tensors: Tensors, lab: Lab, stored: str) -> np.ndarray:
    """Return how far 8 bits may take each output: half a step of each number, and some rounding."""

    def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        result = answer(lab, "numpy:cpu", asked, Tensors(w, None, x))
        assert not isinstance(result, NoBits)
        return result

    x, w = np.abs(tensors.input_nhwc), np.abs(tensors.filter_hwio)
    of_weights = w.max(axis=(0, 1, 2), keepdims=True) / 127 * np.ones_like(w)
    # Inputs have 256 steps from the least to the largest; dynamic ones may have a batch's range.
    of_inputs = (tensors.input_nhwc.max() - tensors.input_nhwc.min()) / 255 * np.ones_like(x)
    apart = product(x, of_weights) / 2 + product(of_inputs, w + of_weights)
    if stored == "int8":
        whole = answer(lab, "numpy:cpu", asked, tensors)
        apart += (whole.max() - min(whole.min(), 0)) / 255
    return apart * 1.01


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("stored", ["int8_weights", "int8"])
def test_8_bits_are_as_near_as_their_steps_and_no_nearer(lab: Lab, stored: str, kernels: str):
    need("tflite")
    for name in [name for name in OPS if name not in NO_INTEGERS]:
        tensors = OPS[name].tensors(whole=False)
        right = answer(lab, "numpy:cpu", OPS[name], tensors)
        found = answer(lab, f"tflite:cpu+{stored}+{kernels}", OPS[name], tensors)
        assert not isinstance(found, NoBits), (name, found)
        off = np.abs(found - right)
        assert (off <= steps_apart(OPS[name], tensors, lab, stored)).all(), name
        assert np.median(off) > 1e-4, f"{name}: nothing was quantised"


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("groups", [1, 4])
def test_int8_weights_lie_on_255_steps_of_their_channel(lab: Lab, kernels: str, groups: int):
    need("tflite")
    asked = Asked(Convolution((1, 1), 4, 8, groups=groups), (1, 1, 4))
    rng = np.random.default_rng(3)
    w = rng.standard_normal(asked.conv.filter_shape).astype(np.float32)
    # One input after the other is 1, the end of its range, and so exact.
    x = np.eye(4, dtype=np.float32)[None, None]
    found = answer(lab, f"tflite:cpu+int8_weights+{kernels}", asked, Tensors(w, None, x))
    read = found.sum(axis=2) if groups > 1 else found[0, 0]
    scale = np.abs(w[0, 0]).max(axis=0) / 127
    steps = (read / scale).reshape(w.shape[2:])
    assert np.allclose(steps, np.rint(steps), atol=1e-3)
    assert (np.abs(steps - w[0, 0] / scale) <= 0.501).all()
    assert (np.abs(steps).max(axis=0) > 126.9).all()


@pytest.mark.parametrize("kernels", ["builtin", "reference"])
def test_int8_weights_of_one_scale_make_the_inputs_symmetric(lab: Lab, kernels: str):
    need("tflite")
    asked = Asked(Convolution((1, 1), 1, 2), (1, 1, 40))
    x = np.random.default_rng(0).uniform(-1, 2, (1, 1, 40, 1)).astype(np.float32)
    x[0, 0, :2, 0] = 2, -1
    for last, step in ((1.0, 2 / 127), (0.5, 3 / 255)):
        w = np.float32([1, last]).reshape(1, 1, 1, 2)
        found = answer(lab, f"tflite:cpu+int8_weights+{kernels}", asked, Tensors(w, None, x))
        steps = found[..., 0] / step
        assert np.allclose(steps, np.rint(steps), atol=1e-3), (last, step)


CHANNELS = "weights of a channel lie on 255 steps (8 bits)"
DYNAMIC = {
    ("conv2d", "xnnpack"): "inputs of an image lie on 256 steps (8 bits)",
    ("conv2d", "builtin"): "inputs of an image lie on 256 steps (8 bits)",
    ("dense", "xnnpack"): "inputs of a position lie on 256 steps (8 bits)",
    ("dense", "builtin"): "inputs of a position lie on 255 steps (8 bits)",
}
STORED = "inputs lie on 256 steps (8 bits), outputs lie on 256 steps (8 bits)"
QUANTISED = ("conv2d same", "conv2d cut", "depthwise uneven", "conv2d_transpose longer", "dense")
Given = Callable[[Convolution, Tensors], tuple[Convolution, Tensors]]


def as_asked(conv: Convolution, tensors: Tensors) -> tuple[Convolution, Tensors]:
    return conv, tensors


def examined(lab: Lab, spec: str, asked: Asked, given: Given = as_asked) -> Traits | None:
    """Return what probes find of a framework that is given something else than asked."""

    def measure(_: Cell, data: Sequence[Tensors]) -> list[np.ndarray | None]:
        found = []
        for tensors in data:
            conv, other = given(asked.conv, tensors)
            found.append(answer(lab, spec, Asked(conv, asked.extents), other))
        return [None if isinstance(one, NoBits) else one for one in found]

    batch, rows, length = asked.extents
    cell = replace(CELL, batch=batch, length=length)
    return examine_cell(cell, asked.conv, rows, True, measure).traits


@one_in(2, "kernels", KERNELS)
@pytest.mark.parametrize("stored", ["int8_weights", "int8"])
def test_8_bits_are_named_and_all_else_is_to_the_bit(lab: Lab, stored: str, kernels: str):
    need("tflite")
    for name in QUANTISED:
        op = "dense" if name == "dense" else "conv2d"
        words = STORED
        if stored == "int8_weights":
            words = DYNAMIC[op, kernels.replace("reference", "builtin")]
        traits = examined(lab, f"tflite:cpu+{stored}+{kernels}", OPS[name])
        assert traits == Traits(quantised=f"{CHANNELS}, {words}"), name


def shifted(conv: Convolution, tensors: Tensors) -> tuple[Convolution, Tensors]:
    return conv, replace(tensors, filter_hwio=np.roll(tensors.filter_hwio, 1, axis=0))


def without_a_tap(conv: Convolution, tensors: Tensors) -> tuple[Convolution, Tensors]:
    w = tensors.filter_hwio.copy()
    w[-1, -1, 0] = 0
    return conv, replace(tensors, filter_hwio=w)


def padded_at_the_other_end(conv: Convolution, tensors: Tensors) -> tuple[Convolution, Tensors]:
    pads = conv.pads(*tensors.input_nhwc.shape[1:3])
    return conv._replace(padding=tuple((after, before) for before, after in pads)), tensors


FAULTS: tuple[tuple[str, Given], ...] = (
    ("conv2d same", padded_at_the_other_end),
    ("depthwise uneven", without_a_tap),
    ("conv2d_transpose longer", shifted),
)


@one_in(3, "kernels", KERNELS)
@pytest.mark.parametrize("stored", ["int8_weights", "int8"])
def test_a_fault_below_8_bits_is_an_error(lab: Lab, stored: str, kernels: str):
    need("tflite")
    for name, fault in FAULTS:
        traits = examined(lab, f"tflite:cpu+{stored}+{kernels}", OPS[name], fault)
        assert traits is not None and traits.error, (name, fault)


@pytest.mark.parametrize("kernels", KERNELS)
def test_8_bits_are_precision_with_their_steps(lab: Lab, kernels: str):
    need("tflite")
    text = """
    filter: {normal: 1, shape: [3, 3, 3, 8], seed: 1}
    bias: {normal: 1, shape: [8], seed: 2}
    input: {normal: 1, shape: [1, 8, 12, 3], seed: 3}
    padding: same
    """
    specs = [f"tflite:cpu+{stored}+{kernels}" for stored in ("int8_weights", "int8")]
    case = lab.ask(text, *specs)
    found = {one.comparison.candidate.runtime.id: one for one in of_axis(case, "exact")}
    for spec in specs:
        assert found[spec].verdict == "precision", found[spec].evidence
        said = " ".join(map(str, found[spec].evidence))
        assert CHANNELS in said and ("outputs lie" in said) == ("int8+" in spec)


def test_half_precision_weights_are_float16_and_all_else_is_not(lab: Lab):
    need("tflite")
    asked = OPS["conv2d uneven"]
    tensors = asked.tensors(whole=False)
    halved = tensors.filter_hwio.astype(np.float16).astype(np.float32)
    for kernels in KERNELS:
        narrow = answer(lab, f"tflite:cpu+fp16_weights+{kernels}", asked, tensors)
        same = Tensors(halved, tensors.bias, tensors.input_nhwc)
        # What XNNPACK knows at once it may pack for another kernel: some ulps, and no more.
        whole = answer(lab, f"tflite:cpu+{kernels}", asked, same)
        assert np.abs(narrow - whole).max() < 1e-5
        assert np.abs(narrow - answer(lab, "numpy:cpu", asked, tensors)).max() > 1e-4


def test_numbers_that_int8_can_not_hold_end_no_process(lab: Lab):
    need("tflite")
    asked = OPS["conv2d same"]
    tensors = asked.tensors(whole=False)
    for scale in (0, 1e-45, 1e-38, 1e37, np.inf, np.nan):
        x, w = (np.float32(scale) * array for array in (tensors.input_nhwc, tensors.filter_hwio))
        for some in (Tensors(w, None, tensors.input_nhwc), Tensors(tensors.filter_hwio, None, x)):
            found = answer(lab, "tflite:cpu+int8", asked, some)
            assert not isinstance(found, NoBits) or not found.died, (scale, found)
            if not np.isfinite(some.filter_hwio).all():
                assert "weights that are not finite have no int8" in found.reason


def test_61815_xnnpack_is_wrong_and_the_other_kernels_are_right(lab: Lab):
    text = (REPOSITORY / "cases" / "tflite_same_padding.yaml").read_text("utf-8")
    case = lab.ask(text, *(f"tflite:cpu+{kernels}" for kernels in KERNELS))
    verdicts = {
        finding.comparison.candidate.runtime.id: finding.verdict
        for finding in of_axis(case, "exact")
    }
    assert verdicts["tflite:cpu+builtin"] in ("same", "rounding")
    assert verdicts["tflite:cpu+reference"] in ("same", "rounding")
    found = lab.pool.fingerprint(Interpreter("tflite", sys.executable))
    if found["version"].startswith("2.21."):
        assert verdicts["tflite:cpu+xnnpack"] == "wrong"


def test_without_tensorflow_it_is_that_of_litert(runs_framework: None, tmp_path: Path):
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("LiteRT is not installed in this environment (no ai_edge_litert)")
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError('hidden from this test')\n")
    settings = (("PYTHONPATH", str(tmp_path)),)
    with Pool(timeout=120) as pool:
        lab = Lab(pool, tmp_path)
        found = pool.fingerprint(Interpreter("tflite", sys.executable, None, settings))
        assert not isinstance(found, NoBits), found
        assert found["git"] == "LiteRT's"
        for asked in OPS.values():
            tensors = asked.tensors(whole=True)
            right = answer(lab, "numpy:cpu", asked, tensors)
            assert np.array_equal(answer(lab, "tflite:cpu", asked, tensors, settings), right)
