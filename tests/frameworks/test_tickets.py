"""Public reports of discrepancies, asked anew in today's frameworks: each gets its verdict.

What is asserted here holds on every machine: a difference is rounding, and it is proved. Which bits
differ, and by how much, is another thing on each; `tests/recording/test_recorded_tickets.py`
asserts it of machines that recorded theirs. Shapes are the reports' own unless a comment says that
they are smaller, and why.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asking import Lab, lasting, need, of_axis, same_or_proved
from program import REPOSITORY, case_file, convdiff

from convdiff.result import CaseResult

pytestmark = pytest.mark.framework

ORIGIN = (REPOSITORY / "convdiff" / "case" / "builtin.yaml").read_text("utf-8")
ORIGIN = "".join(line for line in ORIGIN.splitlines(True) if line[:3] not in ("dev", "exp"))


def text_of(case: str) -> str:
    """Return the text of a file of cases/."""
    return (REPOSITORY / "cases" / f"{case}.yaml").read_text("utf-8")


def outputs(case: CaseResult, length: int) -> dict[str, np.ndarray]:
    """Return what each runtime's convolution gave at a length."""
    return {
        cell.runtime.id: output.ravel()
        for cell, output in case.outputs.items()
        if cell.op == "conv2d" and cell.length == length
    }


def test_the_origin_has_several_legal_answers_and_each_is_proved(lab: Lab):
    frameworks = (
        "tensorflow:cpu",
        "tensorflow:cpu+xla",
        "torch:cpu",
        "jax:cpu",
        "onnxruntime:cpu",
        "openvino:cpu+f32",
        "numpy:cpu",
    )
    case = lab.ask(ORIGIN + "expect: {runtime: bitwise}\n", *frameworks)
    findings = of_axis(case, "runtime")
    assert len(findings) == 3 * (len(frameworks) - 1)
    same_or_proved(findings)
    # NumPy's is a loop of ours, one rounded product after the other, on every machine.
    expected = np.float32([60.8701057, 72.9801025, 85.0901031])
    assert outputs(case, 7)["numpy:cpu"].tolist() == expected.tolist()


def test_the_origin_with_and_without_onednn_is_the_same_or_proved(lab: Lab):
    case = lab.ask(
        ORIGIN + "expect: {runtime: bitwise}\n",
        "tensorflow",
        vary=[("TF_ENABLE_ONEDNN_OPTS", ("1", "0"))],
    )
    same_or_proved(of_axis(case, "runtime"))


def test_the_origin_at_several_lengths_in_torch(lab: Lab):
    # The very question, in today's PyTorch.
    case = lab.ask(ORIGIN, "torch")
    findings = of_axis(case, "length")
    assert [finding.comparison.candidate.length for finding in findings] == [7, 8]
    same_or_proved(findings)


def test_pytorch_134908_a_batch_of_two_against_its_images(lab: Lab):
    case = lab.ask(text_of("batch_of_two"), "torch", "tensorflow", "jax", "onnxruntime")
    findings = of_axis(case, "batch")
    assert len(findings) == 4
    same_or_proved(findings)


def test_pytorch_81694_a_wide_conv1d_at_batch_two_and_one(lab: Lab):
    # Padded by 2, length 10 is length 14.
    case = lab.ask(text_of("batch_one_or_many"), "torch")
    same_or_proved(of_axis(case, "batch"))


def test_pytorch_91612_batch_one_and_many(lab: Lab):
    # The report has 1024 output channels and batch 20, which takes a minute to explain.
    case = lab.ask(
        """
filter: {uniform: [-0.036, 0.036], shape: [1, 3, 256, 256], seed: 1}
bias: {uniform: [-0.036, 0.036], shape: [256], seed: 2}
input: {normal: 1.0, seed: 3}
lengths: 25
batch: [1, 2]
""",
        "torch",
    )
    same_or_proved(of_axis(case, "batch"))


def test_pytorch_116373_another_library_above_a_length(lab: Lab):
    # The switch is at N·C·H·W = 20480 in the report: 64 channels, so between 100 and 330.
    case = lab.ask(
        """
filter: {normal: 0.1, shape: [1, 5, 64, 64], seed: 1}
input: {normal: 1.0, seed: 3}
lengths: [100, 330]
""",
        "torch",
    )
    same_or_proved(of_axis(case, "length"))


def test_pytorch_104587_window_by_window_is_the_same_everywhere(lab: Lab):
    text = text_of("window_by_window")
    text = text.replace("{reference: bitwise}", "{reference: bitwise, runtime: bitwise}")
    case = lab.ask(text, "torch", "jax", "onnxruntime", "openvino:cpu+f32", "tensorflow", "numpy")
    assert case.outcome == "ok"
    assert {finding.verdict for finding in case.findings} == {"same"}
    assert {finding.comparison.axis for finding in case.findings} == {
        "length",
        "runtime",
        "reference",
        "exact",
    }


def test_pytorch_49268_depthwise_is_rounding_and_no_bug(lab: Lab):
    text = text_of("depthwise_alone")
    text += "expect: {runtime: bitwise}\n"
    findings = of_axis(lab.ask(text, "torch", "onnxruntime"), "runtime")
    assert len(findings) == 2
    same_or_proved(findings)


def test_pytorch_116369_the_number_of_threads(lab: Lab):
    # The report's own shape, 64 → 64 and one tap, and a deep one with a single output channel.
    reported = """
filter: {normal: 0.125, shape: [1, 1, 64, 64], seed: 1}
bias: {normal: 0.1, shape: [64], seed: 2}
input: {normal: 1.0, seed: 3}
lengths: 50
"""
    for text in (reported, text_of("depth_of_128")):
        same_or_proved(of_axis(lab.ask(text, "torch", threads=(1, 2)), "threads"))


def test_pytorch_141561_compiled_and_eager_agree_in_the_same_memory_format(lab: Lab):
    frameworks = [
        "torch:cpu",
        "torch:cpu+compiled",
        "torch:cpu+channels_last",
        "torch:cpu+compiled+channels_last",
    ]
    case = lab.ask(text_of("memory_format"), *frameworks, pairwise=True)
    square = case.agreement
    assert [runtime.id for runtime in square.runtimes] == frameworks
    assert square.pairs[2][3].verdict == "same", "channels_last on both sides"
    same_or_proved(of_axis(case, "runtime"))


def test_pytorch_127375_memory_formats(lab: Lab):
    # 33 of the report's 129 output channels, for time.
    case = lab.ask(
        """
filter: {normal: 0.19, shape: [3, 3, 3, 33], seed: 1}
bias: {normal: 0.1, shape: [33], seed: 2}
input: {normal: 1.0, seed: 3}
height: 10
lengths: 10
expect: {runtime: bitwise}
""",
        "torch:cpu",
        "torch:cpu+channels_last",
    )
    same_or_proved(of_axis(case, "runtime"))


def test_onnxruntime_18946_pixels(lab: Lab):
    text = text_of("pixels")
    case = lab.ask(text + "expect: {runtime: bitwise}\n", "torch", "onnxruntime")
    same_or_proved(of_axis(case, "runtime"))


def test_openvino_27795_bfloat16_is_precision_where_the_cpu_has_it_and_float32_is_rounding(
    lab: Lab,
):
    asked = lasting("openvino:cpu+f32", "openvino:cpu+bf16", "openvino:cpu")
    case = lab.ask(text_of("narrowed") + "expect: {runtime: bitwise}\n", "torch:cpu", *asked)
    whole, *others = of_axis(case, "runtime")
    same_or_proved([whole])
    for finding in others:
        # A CPU without bfloat16 computes in float32 whatever the mode asks for.
        interpreter = finding.comparison.candidate.runtime.interpreter
        if "bfloat16" in lab.pool.fingerprint(interpreter)["default_precision"]:
            assert (finding.verdict, finding.allowed) == ("precision", False)
            evidence = map(str, finding.evidence)
            assert any("7 of 23 fraction bits (bfloat16)" in fact for fact in evidence)
        else:
            same_or_proved([finding])


@pytest.mark.parametrize(("size", "side"), [(3, 10), (3, 16), (5, 10)])
def test_torch_without_onednn_takes_nnpack_whose_transforms_are_no_rounding(
    lab: Lab, size: int, side: int
):
    # NNPACK takes stride 1, dilation 1, one group and 16 images: Winograd for 3×3, else FFT.
    need("torch")
    import torch

    if not torch.backends.nnpack.is_available():
        pytest.skip("this PyTorch is built without NNPACK, or it does not know this CPU")
    case = lab.ask(
        f"""
filter: {{normal: 0.17, shape: [{size}, {size}, 4, 4], seed: 1}}
input: {{normal: 1.0, seed: 3}}
height: {side}
lengths: {side}
batch: 16
""",
        "torch:cpu",
        "torch:cpu+mkldnn_off",
    )
    (found,) = of_axis(case, "runtime")
    assert (found.verdict, found.allowed) == ("transform", False)
    evidence = map(str, found.evidence)
    assert any("a transform algorithm such as Winograd or FFT" in fact for fact in evidence)
    direct, transformed = of_axis(case, "reference")
    assert direct.verdict in ("same", "rounding") and direct.allowed
    assert transformed.verdict == "transform" and not transformed.allowed


@pytest.mark.parametrize("framework", ["tensorflow", "torch"])
def test_onednn_under_avx2_and_avx_is_the_same_or_proved(lab: Lab, framework: str):
    case = lab.ask(
        """
filter: {normal: 1.0, shape: [3, 3, 8, 8], seed: 5}
input: {normal: 1.0, seed: 3}
height: 8
lengths: 10
batch: 2
expect: {runtime: bitwise}
""",
        framework,
        vary=[("ONEDNN_MAX_CPU_ISA", ("AVX2", "AVX"))],
    )
    same_or_proved(of_axis(case, "runtime"))


def test_tensorflow_19992_the_dilation_ignored_is_wrong_beside_those_that_are_right(
    lab: Lab, tf16_python: str, tmp_path: Path
):
    text = text_of("depthwise_dilated")
    path = case_file(tmp_path, text)
    ran = convdiff("run", path, "--python", tf16_python, "-v")
    assert ran.code == 1
    assert "wrong, the dilation is ignored" in " ".join(ran.out.split())
    text = text.replace("{reference: bitwise}", "{reference: bitwise, runtime: bitwise}")
    case = lab.ask(text, "torch", "jax", "onnxruntime", "openvino:cpu+f32", "tensorflow", "numpy")
    assert case.outcome == "ok"
    assert {finding.verdict for finding in case.findings} == {"same"}


def test_jax_9102_batch_two_and_one_are_the_same_in_jax(lab: Lab):
    case = lab.ask(
        """
filter: {normal: 0.17, shape: [3, 3, 4, 4], seed: 1}
input: {normal: 1.0, seed: 3}
height: 8
lengths: 8
batch: [1, 2]
""",
        "jax",
    )
    (found,) = of_axis(case, "batch")
    assert (found.verdict, found.comparison.difference.elements) == ("same", 144)


KERNELS = '''
"""Convolutions as the reports have them: right ones with a mistake."""

import numpy as np


def right(x, w, b, strides=(1, 1)):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    y = 0
    for i in range(kh):
        for j in range(kw):
            y = y + np.einsum("nhwc,co->nhwo", x[:, i : i + rows, j : j + columns], w[i, j])
    y = y[:, :: strides[0], :: strides[1]].astype(x.dtype)
    return y if b is None else y + b


def one_row(x, w, b):
    return right(x, w, b)[:, :1]


def one_image(x, w, b):
    return right(x, w, b)[:1]


def flipped(x, w, b):
    return right(x, w[::-1, ::-1], b)


def shifted(x, w, b):
    return np.roll(right(x, w, b), (1, 1), (1, 2))


def late(x, w, b, strides):
    rows, columns = right(x, w, b, strides).shape[1:3]
    y = right(x, w, b)[:, 1 :: strides[0], 1 :: strides[1]]
    return y[:, :rows, :columns]


def unstrided(x, w, b, strides):
    return right(x, w, b)
'''


def judged(folder: Path, kernel: str, extra: str = "") -> tuple[int, str, dict]:
    """Run a kernel of `KERNELS` against NumPy; return exit code, output, the runtime's finding."""
    import json

    (folder / "reported.py").write_text(KERNELS, "utf-8")
    path = case_file(
        folder,
        "filter: {normal: 1.0, shape: [3, 3, 2, 3], seed: 1}\ninput: {normal: 1.0, seed: 3}\n"
        f"height: 8\nlengths: 10\nbatch: 2\n{extra}",
    )
    options = ("--framework", "numpy", "--kernel", f"reported:{kernel}", "--json", "report.json")
    ran = convdiff("run", path, *options, cwd=folder)
    report = json.loads((folder / "report.json").read_text("utf-8"))
    (found,) = (
        one
        for one in report["cases"][0]["comparisons"]
        if one["axis"] == "runtime" and one["candidate"]["op"] == "conv2d"
    )
    return ran.code, " ".join(ran.out.split()), found


def test_jax_9102_shapes_that_agree_only_by_broadcasting_are_wrong(tmp_path: Path):
    for kernel in ("one_row", "one_image"):
        code, _, found = judged(tmp_path, kernel)
        assert (code, found["verdict"]) == (1, "wrong"), kernel
        assert "shape" in str(found["reason"]) + str(found["evidence"]), kernel
        assert found["differing"] == 0, "nothing was compared"


def test_a_transposed_convolution_s_flip_is_wrong_and_named(tmp_path: Path):
    code, text, found = judged(tmp_path, "flipped")
    assert (code, found["verdict"]) == (1, "wrong")
    assert "the filter is flipped (true convolution" in found["fits"]
    assert "the filter is flipped" in text


def test_keras_22876_a_shift_by_one_is_wrong_and_named(tmp_path: Path):
    code, _, found = judged(tmp_path, "shifted")
    assert (code, found["verdict"]) == (1, "wrong")
    assert found["fits"] == "the output is shifted by (1, 1)"


def test_keras_19291_strides_that_begin_one_later_are_wrong(tmp_path: Path):
    code, _, found = judged(tmp_path, "late", "strides: 2\n")
    assert (code, found["verdict"]) == (1, "wrong")
    # By less than a stride: it is no shift of the output.
    assert found["fits"] == "the input is moved by (-1, -1)"


def test_strides_ignored_are_wrong_and_named(tmp_path: Path):
    code, _, found = judged(tmp_path, "unstrided", "strides: 2\n")
    assert (code, found["verdict"]) == (1, "wrong")


def test_the_right_kernel_of_the_reports_is_rounding(tmp_path: Path):
    for extra in ("", "strides: 2\n"):
        code, _, found = judged(tmp_path, "right", extra)
        assert (code, found["verdict"]) == (0, "rounding")
        assert found["explanation"]["status"] == "proved"
        sides = found["explanation"]["replayed"]
        assert all(replayed == count for replayed, count in sides.values())


NONFINITE = {
    "a NaN in the input": "filter: {normal: 1.0, shape: [1, 3, 4, 8]}\ninput: {file: x.npy}\n",
    "a NaN in a weight": "filter: {file: w.npy}\ninput: {normal: 1.0, seed: 4}\nlengths: 12\n",
}


@pytest.mark.parametrize("text", NONFINITE.values(), ids=NONFINITE)
def test_a_nan_is_in_every_output_whose_window_holds_it_and_in_no_other(lab: Lab, text: str):
    """pytorch#12484, tf#63391"""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((1, 1, 12, 4)).astype(np.float32)
    w = rng.standard_normal((1, 3, 4, 8)).astype(np.float32)
    x[0, 0, 5, 2] = w[0, 1, 2, 3] = np.nan
    np.save(lab.folder / "x.npy", x)
    np.save(lab.folder / "w.npy", w)
    case = lab.ask(text, "tensorflow", "torch", "numpy")
    assert case.outcome == "ok"
    same_or_proved(of_axis(case, "runtime"))
    assert not any(finding.comparison.strayed for finding in case.findings)
    assert "must be so, no others" in case.notes[0]
