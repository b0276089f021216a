"""Public reports of discrepancies as two machines recorded them: which bits, how far, and why.

`tests/frameworks/test_tickets.py` asks the same of the frameworks here, and asserts no more than
what holds on every machine.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from asking import proved, same_or_proved
from machines import (
    MACHINES,
    ZEN3,
    ZEN4,
    between_cells,
    between_runtimes,
    numbers,
    recorded,
    runtimes_of,
)

from convdiff.diagnose.verdict import Finding

pytestmark = pytest.mark.slow

EACH = pytest.mark.parametrize("machine", MACHINES)
ONE_FUSED_CHAIN = "60.8700981 72.9800949 85.0900955"
ONE_ROUNDED_CHAIN = "60.8701057 72.9801025 85.0901031"
IN_PAIRS = "60.8701057 72.9800949 85.0900879"
IN_BFLOAT16 = "60.7901001 73.0401001 85.0401001"
ORIGIN = {
    "tensorflow:cpu": ONE_FUSED_CHAIN,
    "torch:cpu": ONE_ROUNDED_CHAIN,
    "jax:cpu": IN_PAIRS,
    "onnxruntime:cpu": ONE_ROUNDED_CHAIN,
    "numpy:cpu": ONE_ROUNDED_CHAIN,
}
"""What both machines give at T=7, with oneDNN on in TensorFlow."""
OPENVINO = {ZEN3: ONE_FUSED_CHAIN, ZEN4: IN_BFLOAT16}
"""OpenVINO takes bfloat16 by itself where the CPU has it."""


def float32(digits: str) -> list[float]:
    """Read decimals as float32."""
    return list(np.array(digits.split(), np.float32).tolist())


def batch_of(machine: str, name: str, runtime: str) -> Finding:
    """Return what parts a runtime's batch of two from its single image."""
    return between_cells(machine, name, runtime, lambda c: c.batch == 1, lambda c: c.batch == 2)


@EACH
def test_the_origin_has_several_legal_answers(machine: str):
    case = recorded(machine, "variable_padding")
    expected = {**ORIGIN, "openvino:cpu": OPENVINO[machine]}
    assert set(runtimes_of(case)) == set(expected)
    for runtime, digits in expected.items():
        assert numbers(case, runtime, 7).ravel().tolist() == float32(digits), runtime


@EACH
def test_every_two_of_them_are_the_same_or_proved(machine: str):
    for one, other in combinations(ORIGIN, 2):
        findings = between_runtimes(machine, "variable_padding", one, other)
        same_or_proved(findings)
        equal = ORIGIN[one] == ORIGIN[other]
        assert (findings[0].verdict == "same") == equal, (one, other)


@EACH
@pytest.mark.parametrize("runtime", ORIGIN)
def test_the_origin_changes_with_the_length_in_torch_alone(machine: str, runtime: str):
    seven, eight = (
        between_cells(
            machine,
            "variable_padding",
            runtime,
            lambda cell: cell.length == 9,
            lambda cell, length=length: cell.length == length,
        )
        for length in (7, 8)
    )
    assert eight.verdict == "same"
    if runtime != "torch:cpu":
        assert seven.verdict == "same"
        return
    assert not seven.allowed
    proved(seven)
    assert set(seven.why.causes) == {"order"}


def test_onednn_is_one_chain_of_fused_multiply_adds_and_its_absence_pairs_as_in_xla():
    case = recorded(ZEN3, "onednn_on_off")
    on, off = (f"tensorflow:cpu[TF_ENABLE_ONEDNN_OPTS={value}]" for value in "10")
    assert numbers(case, on, 7).ravel().tolist() == float32(ONE_FUSED_CHAIN)
    assert numbers(case, off, 7).ravel().tolist() == float32(IN_PAIRS)
    findings = between_runtimes(ZEN3, "onednn_on_off", on, off)
    assert [finding.comparison.candidate.length for finding in findings] == list(range(5, 21))
    for finding in findings:
        proved(finding)
        sequential = finding.comparison.candidate.length == 5
        orders = {side: set() for side in ("baseline", "candidate")}
        for order in finding.why.orders:
            orders[order.side].add(order.notation)
        assert orders["baseline"] == {"(((((0+1*)+2*)+3*)+4*)+b)"}
        in_rows, in_pairs = "(((((0+1)+2)+3)+4)+b)", "((((0+1)+(2+3))+4)+b)"
        assert orders["candidate"] == {in_rows if sequential else in_pairs}
        # Where the trees differ too, fusing alone may account for some of the elements.
        assert set(finding.why.causes) <= ({"fma"} if sequential else {"order", "fma", "order+fma"})
        assert "fma" in "".join(finding.why.causes)


def test_without_onednn_the_shortest_length_alone_is_unsafe():
    case = recorded(ZEN3, "onednn_on_off")
    on, off = (f"tensorflow:cpu[TF_ENABLE_ONEDNN_OPTS={value}]" for value in "10")
    for runtime in (on, off):
        longest = numbers(case, runtime, 20)
        for length in range(6, 20):
            shorter = numbers(case, runtime, length)
            assert shorter.tobytes() == longest[:, :, : length - 4].tobytes(), (runtime, length)
    # At T = 5 the ramp happens to agree, but the order is another: one tap after the other.
    orders = {
        length: {order.notation for order in entry.orders.orders}
        for entry in case.entries
        if entry.cell.op == "conv2d" and entry.cell.runtime.live_id == off
        for length in [entry.cell.length]
    }
    assert orders.pop(5) == {"(((((0+1)+2)+3)+4)+b)"}
    assert set(map(frozenset, orders.values())) == {frozenset({"((((0+1)+(2+3))+4)+b)"})}


@EACH
def test_pytorch_134908_a_batch_of_two_against_its_images(machine: str):
    finding = batch_of(machine, "batch_of_two", "torch:cpu")
    assert not finding.allowed
    assert finding.comparison.difference.max_abs < 1e-6
    proved(finding)
    same = ["jax:cpu", "onnxruntime:cpu", *(["tensorflow:cpu"] if machine == ZEN4 else [])]
    for runtime in same:
        assert batch_of(machine, "batch_of_two", runtime).verdict == "same"


def test_a_batch_changes_tensorflow_s_bits_too_on_a_machine_without_avx512():
    finding = batch_of(ZEN3, "batch_of_two", "tensorflow:cpu")
    assert finding.comparison.difference.max_abs < 1e-6
    proved(finding)


@EACH
def test_pytorch_81694_a_wide_conv1d_at_batch_two_and_one(machine: str):
    finding = batch_of(machine, "batch_one_or_many", "torch:cpu")
    assert not finding.allowed
    assert finding.comparison.difference.differing > 500
    assert finding.comparison.difference.max_abs < 3e-6
    proved(finding)


def test_pytorch_91612_batch_one_and_many():
    finding = batch_of(ZEN3, "wide_conv1d_256", "torch:cpu")
    assert not finding.allowed
    assert finding.comparison.difference.max_abs < 3e-6
    proved(finding)


def test_pytorch_116373_another_library_above_a_length():
    finding = between_cells(
        ZEN3, "long_or_short", "torch:cpu", lambda c: c.length == 330, lambda c: c.length == 100
    )
    difference = finding.comparison.difference
    assert not finding.allowed
    assert difference.differing > 0.7 * difference.elements
    proved(finding)


@EACH
def test_pytorch_49268_depthwise_is_rounding_and_no_bug(machine: str):
    findings = between_runtimes(machine, "depthwise_alone", "torch:cpu", "onnxruntime:cpu")
    assert len(findings) == 2
    for finding in findings:
        proved(finding)
        assert finding.comparison.difference.max_abs < 1e-6
        assert finding.comparison.difference.max_ulp > 100, "near zero: the tolerance's trouble"


def test_pytorch_116369_one_thread_and_two_differ_under_sse41_and_not_under_avx2():
    one, two = (f"torch:cpu[threads={count}]" for count in (1, 2))
    (same,) = between_runtimes(ZEN3, "depth_of_128_threads", one, two)
    assert same.verdict == "same"
    (finding,) = between_runtimes(ZEN3, "threads_sse41", one, two)
    assert not finding.allowed
    assert finding.comparison.difference.max_abs < 1e-5
    proved(finding)


@EACH
def test_onnxruntime_18946_pixels(machine: str):
    (finding,) = between_runtimes(machine, "pixels", "torch:cpu", "onnxruntime:cpu")
    assert finding.comparison.difference.max_abs > 1e-5, "more than any fixed atol allows"
    assert finding.comparison.difference.max_ulp > 1000, "where the sum nearly cancels"
    proved(finding)


def test_pytorch_141561_compiled_and_eager_agree_in_the_same_memory_format():
    eager, compiled, last, both = (
        f"torch:cpu{modes}"
        for modes in ("", "+compiled", "+channels_last", "+compiled+channels_last")
    )
    (same,) = between_runtimes(ZEN3, "memory_format_modes", last, both)
    assert same.verdict == "same", "channels_last on both sides"
    for other in (compiled, last):
        (finding,) = between_runtimes(ZEN3, "memory_format_modes", eager, other)
        assert not finding.allowed
        assert finding.comparison.difference.max_abs < 1e-6
        proved(finding)


def test_torch_without_onednn_adds_in_another_kernel():
    (finding,) = between_runtimes(ZEN3, "modes", "torch:cpu", "torch:cpu+mkldnn_off")
    proved(finding)


def test_openvino_computes_in_float32_whatever_the_mode_on_a_cpu_without_bfloat16():
    (same,) = between_runtimes(ZEN3, "modes", "openvino:cpu+f32", "openvino:cpu+bf16")
    assert same.verdict == "same"
    narrow, whole = "openvino:cpu", "openvino:cpu+f32"
    (finding,) = between_runtimes(ZEN4, "across_frameworks_with_modes", whole, narrow)
    assert finding.verdict == "precision"


@EACH
def test_who_agrees_with_whom_on_the_origin(machine: str):
    agreeing = [
        ("tensorflow:cpu", "openvino:cpu+f32"),
        ("tensorflow:cpu+xla", "jax:cpu"),
        ("onnxruntime:cpu", "numpy:cpu"),
    ]
    asked = [runtime for pair in agreeing for runtime in pair]
    for one, other in combinations(asked, 2):
        (finding,) = between_runtimes(machine, "across_frameworks_with_modes", one, other)
        assert (finding.verdict == "same") == ((one, other) in agreeing), (one, other)
        same_or_proved([finding])


def test_openvino_27795_bfloat16_by_default_is_precision_and_float32_is_rounding():
    (narrowed,) = between_runtimes(ZEN4, "narrowed", "torch:cpu", "openvino:cpu")
    assert (narrowed.verdict, narrowed.allowed) == ("precision", False)
    assert any("7 of 23 fraction bits (bfloat16)" in str(fact) for fact in narrowed.evidence)
    assert narrowed.comparison.difference.max_abs > 1e-3
    (whole,) = between_runtimes(ZEN3, "narrowed", "torch:cpu", "openvino:cpu")
    proved(whole)
    assert whole.comparison.difference.max_abs < 1e-5


@pytest.mark.parametrize("framework", ["tensorflow", "torch"])
def test_onednn_under_avx2_and_avx_is_one_order_told_apart_by_fma(framework: str):
    settings = [f"TF_ENABLE_ONEDNN_OPTS=1,ONEDNN_MAX_CPU_ISA={isa}" for isa in ("AVX2", "AVX")]
    one, other = (f"{framework}:cpu[{setting}]" for setting in settings)
    (finding,) = between_runtimes(ZEN3, "onednn_isa", one, other)
    assert finding.comparison.difference.differing > 100
    proved(finding)
    assert set(finding.why.causes) == {"fma"}
    fused = {order.side: order.fused for order in finding.why.orders}
    assert fused["baseline"] > 0 == fused["candidate"]
