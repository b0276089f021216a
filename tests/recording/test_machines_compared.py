"""The same cases as two CPUs computed them, compared from the files alone: rounding, proved."""

from __future__ import annotations

import pytest
from asking import proved
from machines import ZEN3, ZEN4, compared, path_of, recorded

pytestmark = pytest.mark.slow

NARROWED = ("openvino", "conv2d")
"""OpenVINO takes bfloat16 by itself on a CPU that has it: precision, and no rounding."""
DIFFER: dict[str, set[tuple[str, str]]] = {
    "across_frameworks": set(),
    "across_frameworks_with_modes": set(),
    "batch_of_two": {("tensorflow", "conv2d"), ("torch", "conv2d"), ("jax", "conv2d")},
    "batch_one_or_many": {("torch", "conv2d")},
    "cpu_or_gpu": {("tensorflow", "conv2d")},
    "depth_of_128": {("jax", "conv2d")},
    "depthwise_alone": set(),
    "depthwise_dilated": set(),
    "last_layer": {("jax", "conv2d")},
    "memory_format": set(),
    "narrowed": {("tensorflow", "conv2d")},
    "nnpack": set(),
    "origin_tensorflow_1.0.0": set(),
    "pixels": set(),
    "single_output": set(),
    "variable_padding": set(),
    "window_by_window": set(),
}
"""(framework, op) whose bits are others on the two machines, by case."""
REDUCED = {
    *("batch_of_two", "cpu_or_gpu", "depth_of_128", "depthwise_alone"),
    *("last_layer", "memory_format", "narrowed", "pixels"),
}
"""Cases in which OpenVINO's multiply and reduce_sum adds in other lanes on the two machines."""
EXACT = {"depthwise_dilated", "window_by_window"}
"""Cases of small integers, which every order and bfloat16 give exactly."""
WITHOUT_OPENVINO = {"batch_one_or_many", "nnpack", "origin_tensorflow_1.0.0"}


@pytest.mark.parametrize("name", DIFFER)
def test_a_case_on_two_cpus_is_the_same_or_rounding_that_is_proved(name: str):
    differing = set()
    for finding in compared(recorded(ZEN4, name), recorded(ZEN3, name)):
        candidate = finding.comparison.candidate
        which = (candidate.runtime.interpreter.framework, candidate.op)
        if finding.verdict == "same":
            continue
        differing.add(which)
        if which == NARROWED:
            assert finding.verdict == "precision"
            assert "keep 7 of 23 fraction bits (bfloat16)" in " ".join(map(str, finding.evidence))
        elif name == "last_layer":  # of its 32 lengths no orders were recorded
            assert (finding.verdict, finding.why) == ("rounding", None)
            # Of multiply + reduce_sum, no cause is looked for where there are many.
            noted = finding.allowed and candidate.is_reference
            assert noted or "recorded without its orders" in finding.unasked
        else:
            proved(finding)
    expected = set(DIFFER[name])
    if name in REDUCED:
        expected.add(("openvino", "manual"))
    if name not in EXACT | WITHOUT_OPENVINO:
        expected.add(NARROWED)
    assert differing == expected


def test_the_two_machines_have_recorded_the_same_cases():
    for name in DIFFER:
        assert path_of(ZEN3, name).is_file() and path_of(ZEN4, name).is_file()
    assert sum(bool(differing) for differing in DIFFER.values()) >= 5


def test_the_machines_are_two():
    instructions = [
        set(fingerprint["cpu_isa"])
        for machine in (ZEN3, ZEN4)
        for fingerprint in recorded(machine, "variable_padding").fingerprints.values()
    ]
    assert sum("avx512f" in isa for isa in instructions) == 6
    assert sum("avx2" in isa for isa in instructions) == 12
