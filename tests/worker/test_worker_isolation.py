"""The worker's package: alone in its interpreter, fit for Python 3.6, honest about its machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.worker import cpu
from convdiff.worker.manual import products_allowed
from convdiff.worker.ops.convolution import Convolution

FOLDER = Path(cpu.__file__).parent
SOURCES = sorted(FOLDER.rglob("*.py"))

LOADED = """
import runpy, sys
main = runpy.run_path(sys.argv[1])
main["load_package"]()
from convdiff_worker import serve, wire, framework, cpu
from convdiff_worker.frameworks import tensorflow
print(" ".join(sorted(sys.modules)))
"""


def modules_loaded_by(python: str) -> set[str]:
    done = subprocess.run(
        [python, "-c", LOADED, str(FOLDER / "main.py")],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return set(done.stdout.split())


def test_the_worker_loads_nothing_of_convdiff_nor_of_its_dependencies():
    loaded = modules_loaded_by(sys.executable)
    assert "convdiff_worker.frameworks.tensorflow" in loaded
    tops = {name.split(".")[0] for name in loaded}
    foreign = {"convdiff", "click", "rich", "ruamel", "fastjsonschema", "ml_dtypes", "tensorflow"}
    assert not tops & foreign, "and a framework is imported only when it is opened"


def test_the_worker_loads_nothing_of_convdiff_in_python_3_6(tf1_python):
    tops = {name.split(".")[0] for name in modules_loaded_by(tf1_python)}
    assert "convdiff_worker" in tops and "convdiff" not in tops


BESIDE = {
    "onnxruntime": {"onnx"},
    "openvino": {"onnx"},
    "own_kernel": {"ml_dtypes"},
    "tflite": {"tensorflow", "ai_edge_litert"},
    "tflite_model": {"flatbuffers"},
}
"""A runtime needs its model format, or one for nets; an own kernel may compute in bfloat16."""


def imported_by(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_line_of_the_worker_imports_convdiff_or_needs_a_newer_python(source):
    tree = ast.parse(source.read_text(), feature_version=(3, 6))
    allowed = set(sys.stdlib_module_names) | {"numpy", "convdiff_worker", source.stem}
    allowed |= BESIDE.get(source.stem, set())
    assert imported_by(tree) <= allowed


def test_the_worker_compiles_on_python_3_6(tf1_python):
    program = "import sys\nfor path in sys.argv[1:]: compile(open(path).read(), path, 'exec')"
    subprocess.run(
        [tf1_python, "-c", program, *map(str, SOURCES)],
        check=True,
        env={"PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"},
    )


@given(
    st.integers(0, 2**32),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_windows_are_what_each_output_position_sees(seed, kernel, strides, dilations, more):
    (kh, kw), (sh, sw), (dh, dw) = kernel, strides, dilations
    shape = (2, (kh - 1) * dh + 1 + more[0], (kw - 1) * dw + 1 + more[1], 2)
    x = np.random.default_rng(seed).standard_normal((2, shape[1], shape[2] + 3, 2))[
        :, :, : shape[2]
    ]
    conv = Convolution(kernel, 2, 1, strides, dilations)
    view = conv.windows(x)
    assert view.shape == (2, more[0] // sh + 1, more[1] // sw + 1, kh, kw, 2)
    assert view.shape[:3] == conv.output_shape(*x.shape[:3])[:3]
    for n, row, column, i, j, c in np.ndindex(*view.shape):
        expected = x[n, row * sh + i * dh, column * sw + j * dw, c]
        assert view[n, row, column, i, j, c] == expected
    assert not view.flags.writeable


def test_an_input_smaller_than_the_filter_has_no_windows():
    for kernel in ((1, 4), (2, 1)):
        with pytest.raises(ValueError, match="smaller than the filter"):
            Convolution(kernel, 1, 1).windows(np.zeros((1, 1, 3, 1)))


def test_a_reference_too_large_is_refused_with_both_sizes():
    products_allowed(10, 10)
    with pytest.raises(ValueError, match=r"3e\+10 products; at most 4e\+09"):
        products_allowed(3e10, 4e9)


def test_settings_are_those_that_change_what_a_framework_computes(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    for name in ("TF_VAR_secret", "TF_CLI_ARGS", "TF_LOG", "HOME_SWEET_HOME"):
        monkeypatch.setenv(name, "x")
    found = cpu.settings()
    assert found["TF_ENABLE_ONEDNN_OPTS"] == "0" and found["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert found["ATEN_CPU_CAPABILITY"] == "avx2"
    assert not {"TF_VAR_secret", "TF_CLI_ARGS", "TF_LOG", "HOME_SWEET_HOME"} & set(found)


def test_the_processor_has_a_name_and_known_instruction_sets():
    found = cpu.processor()
    assert found["model"]
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    assert all(name in flags for name in found["isa"])
