"""Public reports of padded, transposed and 3-D convolutions, asked anew in today's frameworks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asking import Lab, of_axis, same_or_proved
from program import convdiff

pytestmark = pytest.mark.framework

PORTS = """
import numpy as np
import torch


def nhwc(y):
    return np.ascontiguousarray(y.permute(0, 2, 3, 1).numpy())


def tensors(x, w):
    return torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(w).permute(3, 2, 0, 1)


def padded_in_front(x, w, b, strides, padding):
    \"\"\"A port that pads all sides by one, as PyTorch's padding=1 does.\"\"\"
    x, w = tensors(x, w)
    return nhwc(torch.nn.functional.conv2d(x, w, stride=strides, padding=1))


def unpadded(x, w, b, strides, padding):
    x, w = tensors(x, w)
    return nhwc(torch.nn.functional.conv2d(x, w, stride=strides))


def unflipped(x, w, b, strides):
    \"\"\"jax.lax.conv_transpose as it is by default: the filter is not flipped.\"\"\"
    x, w = tensors(x, w.transpose(0, 1, 3, 2))
    return nhwc(torch.nn.functional.conv_transpose2d(x, w.flip(2, 3), stride=strides))


def without_output_padding(x, w, b, dilations, padding, output_padding):
    x, w = tensors(x, w.transpose(0, 1, 3, 2))
    y = torch.nn.functional.conv_transpose2d(x, w, dilation=dilations, padding=padding[0][0])
    return nhwc(y)
"""


def verdicts(case, axis: str = "runtime") -> dict[str, str]:
    """Return the verdict of each runtime's convolution."""
    findings = of_axis(case, axis, case.case.conv.op)
    return {finding.comparison.candidate.runtime.id: finding.verdict for finding in findings}


def refusals(case) -> dict[str, str]:
    return {
        failure.cell.runtime.id: failure.reason
        for failure in case.failures
        if failure.cell.op == case.case.conv.op
    }


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ports")
    (folder / "ports.py").write_text(PORTS, "utf-8")
    return folder


def judged(ports: Path, text: str, kernel: str) -> str:
    """Return what `convdiff run` says of a port beside PyTorch."""
    (ports / "case.yaml").write_text(text, "utf-8")
    ran = convdiff(
        "run", "case.yaml", "--framework", "torch", "--kernel", f"ports:{kernel}", cwd=ports
    )
    assert ran.code == 1, ran.out + ran.err
    return " ".join(ran.out.split())


EVEN = """
filter: {normal: 1, shape: [3, 3, 4, 8], seed: 1}
input: {normal: 1, shape: [1, 8, 8, 4], seed: 2}
strides: 2
"""


def test_keras_19291_same_with_a_stride_pads_at_the_end(lab: Lab):
    case = lab.ask(EVEN + "padding: same\n", "tensorflow", "jax", "onnxruntime", "numpy")
    same_or_proved(of_axis(case, "runtime"))


def test_keras_19291_the_padding_of_a_port_is_at_the_other_end(ports: Path):
    text = judged(ports, EVEN + "padding: [[0, 1], [0, 1]]\n", "padded_in_front")
    assert "wrong" in text and "the padding is at the other end" in text


def test_a_port_that_does_not_pad_is_named(ports: Path):
    text = judged(ports, EVEN.replace("strides: 2", "strides: 1") + "padding: 1\n", "unpadded")
    assert "wrong" in text and "the padding is ignored" in text


def test_pytorch_67551_same_with_a_stride_is_refused_in_its_own_words(lab: Lab):
    case = lab.ask(EVEN + "padding: same\n", "tensorflow", "torch", "numpy")
    (reason,) = refusals(case).values()
    assert "padding='same' is not supported for strided convolutions" in reason
    assert verdicts(case)["numpy:cpu"] in ("same", "rounding")


TRANSPOSED = """
op: conv2d_transpose
filter: {normal: 0.1, shape: [4, 4, 4, 4], seed: 1}
input: {uniform: [0, 1], shape: [1, 6, 6, 4], seed: 2}
strides: 4
"""
"""Of few channels: which way it is transposed is asked, and no kernel of many."""


def test_jax_11252_all_transpose_one_way(lab: Lab):
    frameworks = ("torch", "jax", "tensorflow", "onnxruntime", "openvino:cpu+f32", "numpy")
    case = lab.ask(TRANSPOSED, *frameworks)
    assert not refusals(case)
    findings = of_axis(case, "runtime", "conv2d_transpose")
    assert len(findings) == len(frameworks) - 1
    same_or_proved(findings)


def test_jax_11252_the_other_convention_is_named(ports: Path):
    few = TRANSPOSED.replace("[4, 4, 16, 16]", "[4, 4, 4, 4]").replace("6, 16]", "6, 4]")
    text = judged(ports, few, "unflipped")
    assert "wrong" in text and "flipped" in text


ORT_14208 = """
op: conv2d_transpose
filter: {normal: 1, shape: [3, 3, 2, 2], seed: 1}
input: {normal: 1, shape: [1, 7, 7, 2], seed: 2}
dilations: 2
padding: 3
output_padding: 1
"""


def test_onnxruntime_14208_torch_is_right_and_onnxruntime_refuses(lab: Lab):
    case = lab.ask(ORT_14208, "torch", "onnxruntime", "numpy")
    reason = refusals(case)["onnxruntime:cpu"]
    assert "output_padding" in reason or "output padding" in reason, reason
    assert verdicts(case)["numpy:cpu"] in ("same", "rounding")
    (exact,) = of_axis(case, "exact", "conv2d_transpose")[:1]
    assert exact.verdict in ("same", "rounding")


def test_output_padding_that_is_ignored_is_named(ports: Path):
    text = judged(ports, ORT_14208, "without_output_padding")
    assert "wrong" in text and "output_padding is ignored" in text


def test_pytorch_81694_with_its_own_padding(lab: Lab):
    # A quarter of the report's 256 filters; without padding, all of them are in `test_tickets`.
    case = lab.ask(
        """
op: conv1d
layout: nchw
filter: {uniform: [-0.028, 0.028], shape: [64, 256, 5], seed: 1}
bias: {uniform: [-0.028, 0.028], shape: [64], seed: 2}
input: {normal: 1.0, shape: [2, 256, 10], seed: 3}
batch: [1, 2]
padding: 2
""",
        "torch",
    )
    same_or_proved(of_axis(case, "batch", "conv1d"))


def test_tensorflow_57128_a_dilated_depthwise_stride_gives_another_shape(lab: Lab):
    case = lab.ask(
        """
filter: {normal: 1, shape: [3, 3, 1, 4], seed: 1}
input: {normal: 1, shape: [1, 15, 15, 4], seed: 2}
groups: 4
strides: 2
dilations: 3
""",
        "numpy",
        "tensorflow",
    )
    (finding,) = of_axis(case, "runtime")
    assert finding.verdict == "wrong"
    assert "(1, 6, 6, 4), expected (1, 5, 5, 4)" in (finding.comparison.reason or "")


def test_pytorch_157237_nan_belongs_in_the_windows_that_hold_it(lab: Lab, tmp_path: Path):
    x = np.random.default_rng(1).normal(size=(32, 1, 20)).astype(np.float32)
    x[3, 0, -4:] = np.nan
    np.save(lab.folder / "x.npy", x)
    case = lab.ask(
        """
op: conv1d
layout: nchw
filter: {normal: 1, shape: [1, 1, 3], seed: 1}
input: {file: x.npy}
padding: causal
batch: [4, 8, 32]
""",
        "torch:cpu+mkldnn_off",
        "numpy",
    )
    for finding in of_axis(case, "exact", "conv1d"):
        own = finding.comparison.astray[1]
        is_numpy = finding.comparison.candidate.runtime.id == "numpy:cpu"
        assert not (is_numpy and own), "NumPy's loop has NaN where it belongs"
        if own.unwanted:  # as PyTorch has it where a transform takes 16 images or more at once
            assert finding.verdict in ("transform", "wrong")
