"""What is said first of two machines: the usual causes, and nothing where they are alike."""

from __future__ import annotations

import pytest

from convdiff.runtime.fingerprints import machine_differences

HERE = {
    "framework": "tensorflow",
    "version": "2.21.0",
    "git": "v2.21.0",
    "cpu_isa": ["avx512f", "avx2", "fma", "avx"],
    "device_names": {"cpu": "One"},
    "onednn": True,
    "threads": 2,
    "settings": {},
}


def test_machines_that_are_alike_have_nothing_said_of_them():
    assert machine_differences(HERE, dict(HERE)) == []


def test_each_usual_cause_is_a_sentence():
    def said(**changes: object) -> list[str]:
        return machine_differences(HERE, {**HERE, **changes})

    assert said(cpu_isa=["avx2", "avx"]) == ["recorded with AVX-512, here AVX2"]
    assert said(version="1.0.0", git="v1", onednn=None) == [
        "recorded with tensorflow 2.21.0, here tensorflow 1.0.0"
    ]
    assert said(onednn=False) == ["recorded with oneDNN on, here oneDNN off"]
    assert said(threads=4) == ["recorded with 2 threads, here 4 threads"]
    assert said(device_names={"cpu": "Two"}) == ["recorded with One, here Two"]
    assert said(settings={"X": "1"}) == ["recorded with X=(unset), here X=1"]


@pytest.mark.parametrize(
    "name",
    [
        *("TF_CPP_MIN_LOG_LEVEL", "TF_CPP_VMODULE", "TF_CPP_MAX_VLOG_LEVEL", "ONEDNN_VERBOSE"),
        *("DNNL_VERBOSE", "MKL_VERBOSE", "KMP_SETTINGS", "OMP_DISPLAY_ENV"),
        "CUDA_VISIBLE_DEVICES",
    ],
)
def test_what_changes_no_number_is_not_spoken_of(name: str):
    assert machine_differences(HERE, {**HERE, "settings": {name: "1"}}) == []


@pytest.mark.parametrize(
    "name",
    [
        *("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OMP_NUM_THREADS"),
        *("XLA_FLAGS", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TF_GPU_ALLOCATOR"),
    ],
)
def test_what_may_change_numbers_is(name: str):
    notes = machine_differences(HERE, {**HERE, "settings": {name: "1"}})
    assert notes == [f"recorded with {name}=(unset), here {name}=1"]
