"""Ways in which a run could look green and is not: each was found by attacking the program.

NumPy computes, so that a run takes no longer than its processes.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from program import COMMAND, Ran, case_file, convdiff, environment

pytestmark = pytest.mark.slow

CASE = """
name: attacked
filter: {normal: 1.0, shape: [1, 3, 2, 2], seed: 1}
bias: {normal: 1.0, shape: [2], seed: 2}
input: {normal: 1.0, seed: 3}
lengths: [7, 9]
"""
KERNELS = """
import numpy as np

def right(x, w, b):
    k = w.shape[1]
    y = np.stack([np.tensordot(x[:, :, t : t + k], w[0], axes=([2, 3], [0, 1]))
                  for t in range(x.shape[2] - k + 1)], axis=2)
    return y + b

def zeroes_a_weight(x, w, b):
    w[0, 0, 0, 0] = 0
    return right(x, w, b)

def zeroes_the_input_afterwards(x, w, b):
    y = right(x, w, b)
    x[...] = 0
    return y

def big_endian(x, w, b):
    return right(x, w, b).astype(">f4")

def one_ulp_more(x, w, b):
    return np.nextafter(right(x, w, b), np.float32(np.inf))

def nothing_but_nan(x, w, b):
    return right(x, w, b) * np.float32("nan")

def fails_at_nine(x, w, b):
    if x.shape[2] == 9:
        raise ValueError("\\x1b[31mno nine")
    return right(x, w, b)
"""
NUMPY = ("--framework", "numpy", "--device", "cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    case_file(tmp_path, CASE)
    (tmp_path / "kernels.py").write_text(KERNELS)
    return tmp_path


def run(folder: Path, *arguments: object) -> Ran:
    return convdiff("run", "case.yaml", *arguments, cwd=folder)


def kernel(folder: Path, name: str, *arguments: object) -> Ran:
    return run(folder, "--kernel", f"kernels:{name}", "--device", "cpu", *arguments)


def test_a_kernel_can_t_spoil_the_reference_that_it_is_held_against(folder: Path):
    spoiling = kernel(folder, "zeroes_a_weight")
    assert spoiling.code == 1
    assert "wrong" in spoiling.out
    harmless = kernel(folder, "zeroes_the_input_afterwards")
    assert harmless.code == 0, harmless.out


def test_bytes_in_another_order_are_the_same_numbers(folder: Path):
    assert kernel(folder, "big_endian").code == 0


def test_a_change_of_every_product_is_no_narrowing(folder: Path):
    done = kernel(folder, "one_ulp_more", "--json", "-")
    assert done.code == 1
    found = [c for c in json.loads(done.out)["cases"][0]["comparisons"] if c["differing"]]
    assert {c["verdict"] for c in found if c["axis"] == "reference"} == {"wrong"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--framework", "numpy:cpu", "--require", "gpu"),
        ("--framework", "numpy", "--require", "cpu+nothing"),
        ("--framework", "numpy,numpy:cpu+nothing"),
        ("--framework", "numpy,numpy:gpu"),
    ],
)
def test_what_is_asked_for_by_name_and_not_there_is_not_green(folder: Path, arguments):
    done = run(folder, *arguments, "--junit", "report.xml")
    assert done.code == 125
    assert "is required: numpy" in done.err
    assert "<error" in (folder / "report.xml").read_text()


def test_a_mode_that_a_case_names_and_nothing_has_is_said(folder: Path):
    text = (folder / "case.yaml").read_text("utf-8")
    (folder / "moded.yaml").write_text(text + "device: cpu+nosuch\n", "utf-8")
    ran = convdiff("run", "moded.yaml", "--framework", "numpy", "--markdown", "m.md", cwd=folder)
    assert ran.code == 125
    reason = "has no mode 'nosuch' here; its modes are"
    assert "numpy:cpu+nosuch" in ran.out and reason in " ".join(ran.out.split())
    assert "nosuch" in (folder / "m.md").read_text("utf-8")


def test_a_named_runtime_has_its_own_settings(folder: Path):
    (folder / "pyproject.toml").write_text('[tool.convdiff.runtimes.ok]\nframework = "numpy"\n')
    for option in (("--vary", "A=1,2"), ("--python", "this")):
        done = run(folder, "--runtime", "ok", *option)
        assert done.code == 2
        assert "has its own python and env" in done.err


@pytest.mark.parametrize(
    "table",
    ['python = "~nobodyzz/bin/python"', 'env = {A = "x\\u0000y"}', 'env = {"A=B" = "1"}'],
)
def test_a_table_that_can_t_be_run_is_one_line(folder: Path, table: str):
    (folder / "pyproject.toml").write_text(f"[tool.convdiff.runtimes.bad]\n{table}\n")
    done = run(folder, "--runtime", "bad")
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert "[tool.convdiff.runtimes.bad]" in done.err


def test_nothing_is_written_into_the_baseline_but_by_its_own_options(folder: Path):
    assert run(folder, *NUMPY, "--baseline", "base", "--update-baseline").code == 0
    before = (folder / "base" / "attacked.json").read_bytes()
    for option in (("--save", "base/attacked.json"), ("--json", "base/report.json")):
        done = run(folder, *NUMPY, "--baseline", "base", *option)
        assert done.code == 2
        assert "would overwrite the baseline" in done.err
    assert run(folder, *NUMPY, "--baseline", "base/attacked.json", "--json", "-").code == 0
    assert (folder / "base" / "attacked.json").read_bytes() == before


def test_a_baseline_that_can_t_be_written_is_red_in_every_report(folder: Path):
    (folder / "file").write_text("")
    reports = ("--junit", "j.xml", "--markdown", "m.md", "--json", "r.json")
    done = run(folder, *NUMPY, "--baseline", "file/base", "--update-baseline", *reports)
    assert done.code == 2
    assert "<error" in (folder / "j.xml").read_text()
    assert "not recorded" in (folder / "m.md").read_text()
    assert json.loads((folder / "r.json").read_text())["exit_code"] == 2


def test_cells_that_failed_when_they_were_recorded_are_not_green_in_compare(folder: Path):
    for name in ("one.json", "two.json"):
        assert kernel(folder, "fails_at_nine", "--save", name).code == 125
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()
    done = convdiff("compare", "one.json", "two.json", cwd=folder)
    assert done.code == 125
    assert "gave no bits when one.json was made" in " ".join(done.out.split())


def test_a_baseline_of_nothing_but_nan_is_not_green(folder: Path):
    case_file(folder, CASE + "expect: {length: anything, reference: anything, exact: anything}\n")
    kernel(folder, "nothing_but_nan", "--baseline", "nan.json", "--update-baseline")
    assert kernel(folder, "nothing_but_nan", "--baseline", "nan.json").code == 125


def test_what_a_kernel_says_can_t_speak_to_the_terminal(folder: Path):
    done = kernel(folder, "fails_at_nine")
    assert "no nine" in " ".join(done.out.split())
    assert "\x1b" not in done.out + done.err


def test_two_that_add_to_one_baseline_at_once_lose_nothing(folder: Path):
    case_file(folder, CASE.replace("attacked", "other"), "other.yaml")
    started = [
        subprocess.Popen(
            [*COMMAND, "run", case, *NUMPY, "--baseline", "both.json", "--add-to-baseline"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for case in ("case.yaml", "other.yaml")
    ]
    assert [one.wait(120) for one in started] == [0, 0]
    recorded = json.loads((folder / "both.json").read_text())
    assert [case["name"] for case in recorded["cases"]] == ["attacked", "other"]


def test_names_that_make_one_file_name_share_the_file(folder: Path):
    case_file(folder, CASE.replace("attacked", "a b"), "one.yaml")
    case_file(folder, CASE.replace("attacked", "a_b"), "two.yaml")
    for name in ("one.yaml", "two.yaml"):
        done = convdiff("run", name, *NUMPY, "--baseline", "f", "--add-to-baseline", cwd=folder)
        assert done.code == 0, done.err
    for name in ("one.yaml", "two.yaml"):
        assert convdiff("run", name, *NUMPY, "--baseline", "f", cwd=folder).code == 0
