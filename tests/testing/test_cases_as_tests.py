"""One test a case: green where `convdiff run` exits with 0, else a failure worth reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from program import Ran, convdiff
from project import DRIFT, GPU, OK, ZERO, Project, outcomes, section

pytestmark = pytest.mark.slow

BROKEN = "name: broken\nfilter: [1, 2\ninput: 3\n"
FOREIGN = "on: push\njobs: {filter: 1, input: 2}\n"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Ran]:
    """Run cases of all kinds."""
    project = Project(tmp_path_factory.mktemp("several"))
    project.write(
        cases__ok_yaml=OK,
        cases__drift_yaml=DRIFT,
        cases__gpu_yml=GPU,
        cases__zero_yaml=ZERO,
        cases__broken_yaml=BROKEN,
        cases__workflow_yml=FOREIGN,
        cases__test_own_py="def test_own(): pass\n",
        cases__either_yaml="devices: [cpu, gpu:99]" + OK,
        cases__array_yaml=OK.replace("[1.5, -0.25]", "{file: taps.npy}"),
    )
    np.save(project.folder / "cases" / "taps.npy", np.float32([1.5, -0.25]))
    return project, project.pytest("--convdiff", "--continue-on-collection-errors", "-rA", "cases")


@pytest.mark.framework
def test_each_case_is_a_test_beside_others(several: tuple[Project, Ran]):
    ran = several[1]
    assert ran.code == pytest.ExitCode.TESTS_FAILED
    assert outcomes(ran) == {"passed": 4, "failed": 3, "error": 1}
    assert "PASSED cases/ok.yaml::ok" in ran.out
    assert "PASSED cases/test_own.py::test_own" in ran.out
    assert "FAILED cases/drift.yaml::fused - Failed: DRIFT  fused: conv2d differs" in ran.out
    assert "FAILED cases/gpu.yml::on a gpu - Failed: could not test: tensorflow:gpu:99" in ran.out
    assert "workflow" not in ran.out
    assert "\nconvdiff: cases run in this interpreter\n" in ran.out


@pytest.mark.framework
def test_drift_shows_what_the_program_prints(several: tuple[Project, Ran]):
    project, ran = several
    shown = section(ran, "fused")
    printed = convdiff("run", "cases/drift.yaml", "-v", cwd=project.folder)
    assert printed.code == 1
    assert shown == printed.out.splitlines()
    assert shown[-1] == "again: convdiff run cases/drift.yaml --lengths 7"
    assert max(map(len, shown)) <= 80


@pytest.mark.framework
def test_where_nothing_is_compared_the_reason_comes_first(several: tuple[Project, Ran]):
    project, ran = several
    shown = section(ran, "on a gpu")
    assert shown[0].startswith("could not test: tensorflow:gpu:99: tensorflow 2.")
    assert "sees no gpu:99" in shown[0]
    printed = convdiff("run", "cases/gpu.yml", "-v", cwd=project.folder)
    assert printed.code == 125
    assert shown[2:] == printed.out.splitlines()
    assert section(ran, "zero")[0] == "could not test: equal, but the outputs are all zero"


def test_a_broken_case_is_a_collection_error_at_its_place(several: tuple[Project, Ran]):
    shown = section(several[1], "ERROR collecting cases/broken.yaml")
    assert shown == [
        "cases/broken.yaml:3:6: not YAML: expected ',' or ']', but got ':'",
        "  input: 3",
        "       ^",
    ]


def test_a_run_with_a_broken_case_is_red(project: Project):
    project.write(a_yaml=BROKEN, b_yaml=OK)
    ran = project.pytest("--convdiff", "--collect-only")
    assert ran.code == pytest.ExitCode.INTERRUPTED


@pytest.mark.framework
def test_a_device_that_is_missing_beside_one_that_is_there_fails_nothing(
    several: tuple[Project, Ran],
):
    assert "PASSED cases/either.yaml::either" in several[1].out


@pytest.mark.framework
def test_an_array_beside_the_case_is_found_from_another_folder(several: tuple[Project, Ran]):
    assert "PASSED cases/array.yaml::array" in several[1].out


@pytest.mark.framework
def test_one_case_is_run_by_its_name(project: Project):
    project.write(a_yaml="name: α β" + OK, b_yaml=DRIFT)
    assert outcomes(project.pytest("--convdiff", "a.yaml::α β")) == {"passed": 1}
    ran = project.pytest("--convdiff", "-k", "fused", "--collect-only", "-q")
    assert ran.out.splitlines()[0] == "b.yaml::fused"


@pytest.mark.parametrize("value", ["true", "1"])
def test_the_ini_file_turns_it_on(project: Project, value: str):
    project.write(a_yaml=OK, pytest_ini=f"[pytest]\nconvdiff = {value}\n")
    ran = project.pytest("--collect-only", "-q")
    assert ran.out.splitlines()[0] == "a.yaml::a"


def test_a_case_too_large_to_run_fails_with_one_line(project: Project):
    huge = "filter: {ones: true, shape: [1, 1, 99999, 99999]}"
    project.write(a_yaml=f"{huge}\ninput: {{ones: true}}\nlengths: 9\n")
    (shown,) = section(project.pytest("--convdiff"), "a")
    assert shown.startswith("could not test: a.yaml: too big: ")


def test_cases_run_in_the_interpreter_that_is_asked_for(project: Project, bare_python: Path):
    project.write(a_yaml=OK)
    ran = project.pytest("--convdiff-python", bare_python)
    assert f"\nconvdiff: cases run in {bare_python}\n" in ran.out
    shown = section(ran, "a")
    assert shown[0].startswith("could not test: tensorflow is required: ModuleNotFoundError")
    assert shown[-1] == f"again: convdiff run a.yaml --python {bare_python}"


@pytest.mark.framework
def test_one_interpreter_of_two_that_can_not_test_is_red(project: Project, bare_python: Path):
    project.write(a_yaml=OK)
    ran = project.pytest("--convdiff-python", "this", "--convdiff-python", bare_python)
    assert f"\nconvdiff: cases run in this, {bare_python}\n" in ran.out
    shown = section(ran, "a")
    assert shown[0].startswith("could not test: tensorflow[python=env] is required: ")
    assert shown[-1].startswith("again: convdiff run a.yaml --python ")


def test_the_ini_files_interpreter_is_found_from_its_folder(project: Project, bare_python: Path):
    (project.folder / "bin").mkdir()
    (project.folder / "bin" / "python").symlink_to(bare_python)
    project.write(
        sub__a_yaml=OK, pytest_ini="[pytest]\nconvdiff = true\nconvdiff_python =\n  bin/python\n"
    )
    inside = Project(project.folder / "sub")
    path = project.folder / "bin" / "python"
    assert f"cases run in {path}\n" in inside.pytest("--collect-only").out
    ran = inside.pytest("--collect-only", "--convdiff-python", "this")
    assert "cases run in this\n" in ran.out, "the command line counts before the ini file"


@pytest.mark.parametrize(
    ("path", "says"), [("nowhere", "no such program"), (".", "a folder; name the program in it")]
)
def test_an_interpreter_that_is_none_is_bad_usage(project: Project, path: str, says: str):
    ran = project.pytest("--convdiff-python", path)
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert ran.err.startswith(f"ERROR: --convdiff-python {path}: {says}")


def test_a_program_that_is_no_python_fails_the_case(project: Project):
    project.write(a_yaml=OK)
    (shown,) = section(project.pytest("--convdiff-python", "/bin/true"), "a")
    assert shown.startswith("could not test: ") and "not a Python 3.6 or later" in shown
