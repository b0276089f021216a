"""A framework that is absent, broken or crashing costs its own results and nobody else's."""

from __future__ import annotations

import json
import os
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from asking import MODULES, need
from program import REPOSITORY, Ran, case_file, convdiff

from convdiff.lab.availability import PACKAGES

pytestmark = pytest.mark.slow

CASE = "filter: [1, 2, 3]\ninput: {normal: 1.0, seed: 3}\nlengths: [7, 9]\n"
EITHER = {"tflite": ("tensorflow", "ai_edge_litert")}
"""Modules of which one is enough, in the order in which they are looked for."""
OTHERS = [name for name in MODULES if name != "numpy"]


def asked(folder: Path, *options: object, env: dict[str, str] | None = None) -> tuple[Ran, Any]:
    """Run the case and return what was printed and reported."""
    path = case_file(folder, CASE)
    ran = convdiff("run", path, *options, "--json", "report.json", cwd=folder, env=env)
    return ran, json.loads((folder / "report.json").read_text("utf-8"))


def standing(report: Any, framework: str) -> Any:
    (found,) = (one for one in report["runtimes"] if one["framework"] == framework)
    return found


def results(report: Any, framework: str) -> list[str]:
    """Return the verdicts between a framework's own lengths."""
    return [
        one["verdict"]
        for one in report["cases"][0]["comparisons"]
        if one["axis"] == "length" and one["candidate"]["runtime"].startswith(framework + ":")
    ]


def fake(folder: Path, name: str, body: str) -> dict[str, str]:
    """Make a package of a framework's name that comes before the real one."""
    package = folder / "fake" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(body, "utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(folder / "fake"), str(REPOSITORY)])}


@pytest.mark.framework
@pytest.mark.parametrize("framework", OTHERS)
def test_a_framework_that_is_not_installed_says_how_to_install_it(tmp_path: Path, framework: str):
    for name in EITHER.get(framework, MODULES[framework][-1:]):
        said = f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n"
        env = fake(tmp_path, name, said)
    ran, report = asked(tmp_path, "--framework", f"numpy,{framework}", env=env)
    found = standing(report, framework)
    assert found["available"] is False
    assert f"No module named '{name}'" in found["reason"]
    package = PACKAGES.get(framework, framework)
    assert f"pip install {package}" in found["reason"]
    assert f"pip install {package}" in " ".join(ran.out.split())
    assert f"{framework} is required: " in ran.err, "no device is to blame"
    assert results(report, "numpy") == ["same"], "NumPy's results are all there"
    assert ran.code == 125, "it was asked for by name"


def test_an_interpreter_with_nothing_in_it_is_told_for_each_framework(tmp_path: Path):
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    bare = tmp_path / "bare" / "bin" / "python"
    options = ("--python", "this", "--python", bare, "--framework", "numpy")
    ran, report = asked(tmp_path, *options)
    (gone,) = (one for one in report["runtimes"] if not one["available"])
    remedy = f"install it there: {bare} -m pip install numpy"
    assert gone["reason"].endswith(f"No module named 'numpy'; {remedy}")
    assert [f["verdict"] for f in report["cases"][0]["comparisons"] if f["axis"] == "length"] == [
        "same"
    ]
    assert ran.code == 125


def test_one_that_raises_at_its_import_is_untested_with_what_it_raised(tmp_path: Path):
    broken = "raise OSError('libcudart.so.99: cannot open shared object file')\n"
    ran, report = asked(tmp_path, "--framework", "torch,numpy", env=fake(tmp_path, "torch", broken))
    found = standing(report, "torch")
    assert found["reason"] == "OSError: libcudart.so.99: cannot open shared object file"
    assert "pip install" not in found["reason"], "it is installed; that is not what is amiss"
    assert results(report, "numpy") == ["same"]
    assert ran.code == 125
    assert "Traceback" not in ran.out + ran.err


def test_one_that_is_too_old_is_untested_with_what_it_lacks(tmp_path: Path):
    old = "__version__ = '0.1'\n"
    ran, report = asked(tmp_path, "--framework", "torch,numpy", env=fake(tmp_path, "torch", old))
    found = standing(report, "torch")
    assert found["available"] is False
    assert "AttributeError: module 'torch' has no attribute" in found["reason"]
    assert results(report, "numpy") == ["same"]
    assert ran.code == 125


def test_one_that_ends_the_process_at_its_import_ends_only_its_own(tmp_path: Path):
    leaving = "import os, sys\nsys.stderr.write('no licence\\n')\nsys.stderr.flush()\nos._exit(3)\n"
    ran, report = asked(
        tmp_path, "--framework", "torch,numpy", env=fake(tmp_path, "torch", leaving)
    )
    found = standing(report, "torch")
    assert found["reason"].startswith("worker ended with status 3")
    assert "no licence" in found["reason"]
    assert results(report, "numpy") == ["same"]
    assert ran.code == 125


def test_one_that_crashes_in_a_convolution_costs_that_cell(tmp_path: Path):
    body = """
import os, pathlib
import numpy as np
def conv(x, w, b):
    if not pathlib.Path("crashed").exists():
        pathlib.Path("crashed").touch()
        os._exit(5)
    y = sum(x[:, :, i : i + x.shape[2] - 2] * w[0, i, 0, 0] for i in range(3))
    return y.astype(x.dtype)
"""
    (tmp_path / "leaving.py").write_text(body, "utf-8")
    ran, report = asked(tmp_path, "--framework", "numpy", "--kernel", "leaving:conv")
    assert standing(report, "leaving:conv")["available"]
    failures = report["cases"][0]["failures"]
    assert [(one["op"], one["length"]) for one in failures] == [("conv2d", 9)]
    assert failures[0]["died"] and "worker ended with status 5" in failures[0]["reason"]
    assert results(report, "numpy") == ["same"]
    seven = [
        one["verdict"]
        for one in report["cases"][0]["comparisons"]
        if one["axis"] == "runtime"
        and one["candidate"]["length"] == 7
        and one["candidate"]["op"] == "conv2d"
    ]
    assert seven == ["same"], "length 7 was computed by a new worker"
    assert ran.code == 125


def test_an_unknown_mode_is_untested_and_names_those_there_are(tmp_path: Path):
    need("torch")
    ran, report = asked(tmp_path, "--framework", "numpy:cpu,torch:cpu+channel_last")
    found = standing(report, "torch")
    assert found["available"] is False
    reason = "has no mode 'channel_last' here; its modes are compiled, channels_last"
    assert reason in found["reason"]
    assert "; did you mean channels_last?" in found["reason"]
    assert results(report, "numpy") == ["same"]
    assert ran.code != 1


def test_an_unknown_framework_is_bad_usage_and_names_those_there_are(tmp_path: Path):
    ran = convdiff("run", case_file(tmp_path, CASE), "--framework", "torhc")
    assert (ran.code, ran.out) == (2, "")
    for name in MODULES:
        assert name in ran.err
    assert sys.executable not in ran.err
