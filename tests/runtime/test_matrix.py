"""The matrix of runtimes: what is asked for, what it is called, and what is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fake_cells import observe

from convdiff.case.device import Device
from convdiff.errors import ConvdiffError
from convdiff.lab.availability import stand
from convdiff.plan.cell import NoBits
from convdiff.runtime.matrix import FRAMEWORKS, THIS, interpreters
from convdiff.runtime.model import Interpreter, Runtime


def test_the_frameworks_are_the_files_in_the_workers_folder():
    assert "tensorflow" in FRAMEWORKS
    assert not any(name.startswith("_") for name in FRAMEWORKS)


def test_the_matrix_is_the_product_of_all_that_is_asked_for():
    found = interpreters(["tensorflow"], [], [1, 2], [("A", ("0", "1")), ("B", ("x",))])
    assert [(i.threads, i.settings) for i in found] == [
        (1, (("A", "0"), ("B", "x"))),
        (2, (("A", "0"), ("B", "x"))),
        (1, (("A", "1"), ("B", "x"))),
        (2, (("A", "1"), ("B", "x"))),
    ]
    assert {i.python for i in found} == {sys.executable}


def test_nothing_asked_for_is_this_interpreter_as_it_is():
    assert interpreters(["tensorflow"], [], [], []) == [Interpreter("tensorflow", sys.executable)]


def test_interpreters_are_named_by_their_environments_folder(tmp_path):
    paths = []
    for folder in ("one/venv", "two/venv", "old"):
        path = tmp_path / folder / "bin" / "python"
        path.parent.mkdir(parents=True)
        path.symlink_to(sys.executable)
        paths.append(str(path))
    found = interpreters(["tensorflow"], [THIS, *paths, paths[0]], [], [])
    assert [i.label for i in found] == ["this", "venv-1", "venv-2", "old"]
    assert [i.python for i in found][1:] == paths, "a virtual environment's link is not resolved"


def test_runtime_ids_say_what_sets_them_apart():
    interpreter = Interpreter("tensorflow", "p", 2, (("A", "0"), ("B", "1")), "old")
    assert (
        Runtime(interpreter, Device("gpu", 0)).id
        == "tensorflow:gpu:0[python=old,A=0,B=1,threads=2]"
    )
    assert Runtime(Interpreter("tensorflow", "p"), Device("cpu")).id == "tensorflow:cpu"


def test_an_unknown_framework_names_those_there_are():
    with pytest.raises(
        ConvdiffError, match=r"unknown framework 'tensorflwo'; there is .*tensorflow"
    ):
        interpreters(["tensorflwo"], [], [], [])


def test_a_python_that_is_a_folder_a_text_or_missing_is_refused_before_it_is_started(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    for path, words in (
        (tmp_path, "a folder; name the program in it"),
        (text, "not executable"),
        (tmp_path / "missing", "no such program"),
        ("no-such-program-anywhere", "no such program"),
        ("~nobody-of-this-name/bin/python", "no such program|home"),
        ("", "a folder"),
    ):
        with pytest.raises(ConvdiffError, match=f"--python {path}.*({words})"):
            interpreters(["tensorflow"], [str(path)], [], [])


def test_a_program_on_the_path_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "odd-python").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    [found] = interpreters(["tensorflow"], ["odd-python"], [], [])
    assert found.python == str(tmp_path / "odd-python")


def test_gpu_stands_for_every_one_that_is_visible(pool, fake):
    found = list(
        stand([fake(FAKE_OPEN="gpus")], map(Device.parse, ("cpu", "gpu", "gpu:1", "gpu:2")), pool)
    )
    assert [(str(s.runtime.device), s.available) for s in found] == [
        ("cpu", True),
        ("gpu:0", True),
        ("gpu:1", True),
        ("gpu:1", True),
        ("gpu:2", False),
    ]
    assert found[-1].reason == "fake 1.0 sees no gpu:2; it has cpu, gpu:0, gpu:1"
    assert found[0].fingerprint["framework"] == "fake"


def test_an_absent_gpu_is_told_with_its_reason(pool, fake):
    cpu, gpu = stand([fake()], [Device("cpu"), Device("gpu")], pool)
    assert cpu.available and not gpu.available
    assert gpu.reason == "fake 1.0 is a CPU build and sees no gpu"


def test_an_interpreter_whose_framework_cannot_be_opened_is_unavailable_with_its_reason(pool, fake):
    [found] = stand([fake(FAKE_OPEN="raise")], [Device("cpu")], pool)
    assert not found.available and "libsomething.so.1" in found.reason


def bare_python(folder: Path, *packages: str) -> Interpreter:
    """Return this Python with these of its packages and no others."""
    for package in packages:
        module = __import__(package)
        home = Path(module.__file__).parent
        for path in (home, home.with_name(f"{package}.libs")):
            if path.exists():
                (folder / path.name).symlink_to(path)
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} -S "$@"\n')
    program.chmod(0o755)
    return Interpreter("tensorflow", str(program))


def test_an_interpreter_without_tensorflow_is_a_failure_with_the_import_error(pool, tmp_path):
    interpreter = bare_python(tmp_path, "numpy")
    found = pool.fingerprint(interpreter)
    assert found == NoBits("ModuleNotFoundError: No module named 'tensorflow'", absent=True)
    assert observe(pool, interpreter, ["conv2d"]) == [found]


def test_an_interpreter_without_numpy_is_a_failure_with_the_import_error(pool, tmp_path):
    found = pool.fingerprint(bare_python(tmp_path))
    assert found == NoBits("ModuleNotFoundError: No module named 'numpy'", absent=True)
