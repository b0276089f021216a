"""Runtimes of a user's own pyproject.toml: what a table may say, and what is made of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from program import Ran, case_file, convdiff

from convdiff.case.device import Device
from convdiff.errors import CaseError, ConvdiffError
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.pyproject import NamedRuntime, find_runtimes

pytestmark = pytest.mark.slow

CASE = "filter: [1, 2, 3]\ninput: {normal: 1.0, seed: 3}\nlengths: [7, 9]\n"


def project(folder: Path, text: str) -> Path:
    """Write a pyproject.toml and return its path."""
    path = folder / "pyproject.toml"
    path.write_text(text, "utf-8")
    return path


def asked(folder: Path, *options: object) -> tuple[Ran, Any]:
    case_file(folder, CASE)
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    ran = convdiff("run", "case.yaml", *options, "--json", report, cwd=folder)
    return ran, json.loads(report.read_text("utf-8")) if report.exists() else None


def test_a_table_says_framework_device_environment_and_requirements(tmp_path: Path):
    project(
        tmp_path,
        """
[tool.convdiff.runtimes.plain]
[tool.convdiff.runtimes.box]
framework = "torch"
python = "envs/box/bin/python"
device = "gpu:0+channels_last"
env = {OMP_NUM_THREADS = 1, MKL_CBWR = "AVX2"}
requires = ["torch>=2", "numpy<3"]
""",
    )
    found = find_runtimes(tmp_path)
    assert list(found) == ["plain", "box"]
    assert found["plain"] == NamedRuntime("plain")
    assert found["box"] == NamedRuntime(
        "box",
        str(tmp_path / "envs/box/bin/python"),
        "torch",
        Device("gpu", 0, ("channels_last",)),
        (("OMP_NUM_THREADS", "1"), ("MKL_CBWR", "AVX2")),
        ("torch>=2", "numpy<3"),
    )


def test_one_requirement_may_stand_alone(tmp_path: Path):
    project(tmp_path, '[tool.convdiff.runtimes.a]\nrequires = "tensorflow>=2.9"\n')
    assert find_runtimes(tmp_path)["a"].requires == ("tensorflow>=2.9",)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('pyhton = "x"', "unknown key 'pyhton'; there is python, framework, device, env, requires"),
        ("python = 3", "python must be text"),
        ("framework = ['torch']", "framework must be text"),
        ("device = 0", "device must be text"),
        ('device = "tpu"', "unknown device 'tpu'; there is cpu, gpu and gpu:N, with +modes"),
        ('device = "cpu+"', "unknown device 'cpu+'"),
        ('device = "cpu,gpu"', "unknown device 'cpu,gpu'"),
        ('env = "A=1"', "env must be a table of text"),
        ("env = {A = [1]}", "env must be a table of text"),
        ("requires = 3", "requires must be requirements"),
        ('requires = ["torch >>> 2"]', "requires must be requirements"),
        ("requires = [3]", "requires must be requirements"),
    ],
)
def test_every_error_of_a_table_names_the_file_the_table_and_the_key(
    tmp_path: Path, body: str, words: str
):
    path = project(tmp_path, f"[tool.convdiff.runtimes.box]\n{body}\n")
    with pytest.raises(ConvdiffError) as caught:
        find_runtimes(tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{path}: [tool.convdiff.runtimes.box]: "), said
    assert words in said
    assert "\n" not in said


def test_all_errors_of_all_tables_are_told_at_once(tmp_path: Path):
    tables = "[tool.convdiff.runtimes.a]\npython = 3\nfoo = 1\nrequires = 3\n"
    project(tmp_path, tables + "[tool.convdiff.runtimes]\nc = 4\nb = {device = 'cuda'}\n")
    with pytest.raises(CaseError) as caught:
        find_runtimes(tmp_path)
    told = [str(one).partition("runtimes.")[2][:9] for one in caught.value.errors]
    assert told == ["a]: pytho", "a]: requi", "a]: unkno", "c]: expec", "b]: unkno"]


@pytest.mark.parametrize(
    "text",
    [
        "[tool.convdiff.runtimes]\nbox = 3\n",
        "[tool.convdiff]\nruntimes = 3\n",
        "[tool.convdiff]\nruntimes = ['box']\n",
        "[tool]\nconvdiff = 3\n",
        "tool = 3\n",
    ],
)
def test_what_is_no_table_is_refused_and_the_file_named(tmp_path: Path, text: str):
    path = project(tmp_path, text)
    with pytest.raises(ConvdiffError, match="table") as caught:
        find_runtimes(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", [b"[tool.convdiff", b"\xff\xfe", b'a = "\x00"\n'])
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, text: bytes):
    (tmp_path / "pyproject.toml").write_bytes(text)
    with pytest.raises(ConvdiffError) as caught:
        find_runtimes(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)
    ran, _ = asked(tmp_path, "--runtime", "box")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


def test_the_nearest_file_that_names_any_is_taken(tmp_path: Path):
    project(tmp_path, '[tool.convdiff.runtimes.far]\nframework = "torch"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    project(tmp_path / "a", "[project]\nname = 'no runtimes here'\n")
    assert list(find_runtimes(inner)) == ["far"]
    project(inner, "[tool.convdiff.runtimes.near]\n")
    assert list(find_runtimes(inner)) == ["near"]


def test_no_file_and_no_table_is_no_runtime(tmp_path: Path):
    project(tmp_path, "[tool.ruff]\nline-length = 100\n")
    assert not any(name in find_runtimes(tmp_path) for name in ("box", "line-length"))


def test_a_relative_python_starts_at_the_file_s_folder_and_a_name_is_searched(tmp_path: Path):
    folder = tmp_path / "envs" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    text = '[tool.convdiff.runtimes.a]\npython = "envs/bin/python"\n'
    project(tmp_path, text + '[tool.convdiff.runtimes.b]\npython = "no-such-python"\n')
    below = tmp_path / "below"
    below.mkdir()
    found = find_runtimes(below)
    (made,) = interpreters((), (), (), (), [found["a"]])
    assert made.python == str(folder / "python"), "not resolved: an environment's is a link"
    assert made.label == "a"
    with pytest.raises(ConvdiffError, match=r"runtimes\.b\]: python no-such-python: no such"):
        interpreters((), (), (), (), [found["b"]])


def test_an_unknown_framework_is_refused_and_named(tmp_path: Path):
    project(tmp_path, '[tool.convdiff.runtimes.box]\nframework = "torhc"\n')
    ran, _ = asked(tmp_path, "--runtime", "box")
    assert ran.code in (2, 125)
    assert "torhc" in ran.out + ran.err


def test_an_unknown_runtime_names_those_there_are(tmp_path: Path):
    project(tmp_path, "[tool.convdiff.runtimes.box]\n[tool.convdiff.runtimes.old]\n")
    ran, report = asked(tmp_path, "--runtime", "bxo")
    assert (ran.code, ran.out, report) == (2, "", None)
    assert "--runtime bxo: no such runtime; there is box, old; did you mean box?" in ran.err


def test_a_runtime_where_no_file_names_any_says_so(tmp_path: Path):
    ran, _ = asked(tmp_path, "--runtime", "box")
    assert ran.code == 2
    assert "--runtime box: no such runtime; there is none in any pyproject.toml" in ran.err


def test_its_environment_is_applied_and_its_name_told(tmp_path: Path):
    kernel = (
        "import os\nimport numpy as np\n\n"
        "def conv(x, w, b):\n"
        "    n = x.shape[2] - 2\n"
        "    y = sum(x[:, :, i : i + n] * w[0, i, 0] for i in range(3))\n"
        "    return (y * np.float32(os.environ['FACTOR'])).astype(x.dtype)\n"
    )
    (tmp_path / "scaled.py").write_text(kernel, "utf-8")
    project(
        tmp_path,
        """
[tool.convdiff.runtimes.one]
framework = "scaled:conv"
env = {FACTOR = 1}
[tool.convdiff.runtimes.two]
framework = "scaled:conv"
env = {FACTOR = "2"}
""",
    )
    ran, report = asked(tmp_path, "--runtime", "one", "--runtime", "two")
    assert [one["id"] for one in report["runtimes"]] == [
        "scaled:conv:cpu[python=one,FACTOR=1]",
        "scaled:conv:cpu[python=two,FACTOR=2]",
    ]
    found = [
        one["verdict"]
        for one in report["cases"][0]["comparisons"]
        if one["axis"] == "runtime" and one["candidate"]["op"] == "conv2d"
    ]
    assert found == ["wrong", "wrong"], "one of them doubles"
    assert ran.code == 1
    assert "--runtime one --runtime two" in " ".join(ran.out.split())


def test_an_unmet_requirement_is_untested_with_the_reason_and_the_others_run(tmp_path: Path):
    project(
        tmp_path,
        """
[tool.convdiff.runtimes.now]
framework = "numpy"
requires = ["numpy>=1.26", "python>=3.6"]
[tool.convdiff.runtimes.later]
framework = "numpy"
requires = ["numpy>=99"]
[tool.convdiff.runtimes.snake]
framework = "numpy"
requires = ["python<3"]
""",
    )
    ran, report = asked(tmp_path, "--runtime", "now", "--runtime", "later", "--runtime", "snake")
    now, later, snake = report["runtimes"]
    assert now["available"] and not later["available"] and not snake["available"]
    assert "requires numpy>=99, and it is numpy " in later["reason"]
    assert "requires python<3, and it is python 3." in snake["reason"]
    assert "requires numpy>=99" in " ".join(ran.out.split())
    lengths = [c for c in report["cases"][0]["comparisons"] if c["axis"] == "length"]
    assert [one["verdict"] for one in lengths] == ["same"]
    assert "Traceback" not in ran.err


def test_a_named_runtime_and_a_framework_are_compared(tmp_path: Path):
    project(tmp_path, '[tool.convdiff.runtimes.box]\nframework = "numpy"\ndevice = "cpu"\n')
    ran, report = asked(tmp_path, "--framework", "numpy", "--runtime", "box")
    assert [one["id"] for one in report["runtimes"]] == ["numpy:cpu", "numpy:cpu[python=box]"]
    verdicts = {c["verdict"] for c in report["cases"][0]["comparisons"] if c["axis"] == "runtime"}
    assert (ran.code, verdicts) == (0, {"same"})


def test_a_case_file_cannot_name_one(tmp_path: Path):
    project(tmp_path, '[tool.convdiff.runtimes.box]\nframework = "numpy"\n')
    path = case_file(tmp_path, CASE + "runtime: box\n", "other.yaml")
    ran = convdiff("run", path, cwd=tmp_path)
    assert ran.code == 2
    assert "runtime" in ran.err
