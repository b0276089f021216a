"""Whoever has convdiff installed and does not ask for it must not notice."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import pytest
from project import DRIFT, OK, PLUGIN, Project, run

pytestmark = pytest.mark.slow

LOOK = """
import sys

def test_look():
    heavy = {"numpy", "click", "rich", "ruamel", "yaml", "fastjsonschema", "ml_dtypes"}
    ours = {name for name in sys.modules if name.startswith("convdiff.")}
    print("IMPORTED", sorted({name.split(".")[0] for name in sys.modules} & heavy | ours))
"""


def imported(project: Project, *arguments: str) -> str:
    project.write(look_py=LOOK)
    ran = project.pytest("-s", "-q", "look.py", *arguments)
    assert ran.code == 0
    return next(line for line in ran.out.splitlines() if "IMPORTED" in line).split("IMPORTED ")[1]


@pytest.mark.framework
def test_the_plugin_alone_imports_nothing(project: Project):
    assert imported(project) == f"['convdiff.testing', '{PLUGIN}']"


def test_the_look_at_what_is_imported_sees_more_where_it_is_on(project: Project):
    found = imported(project, "--convdiff")
    assert "'click'" in found and "'convdiff.errors'" in found


def test_nothing_is_collected_and_nothing_said(project: Project):
    project.write(a_yaml=DRIFT, test_own_py="def test_own(): pass\n")
    with_it = project.pytest("-v")
    without = run([sys.executable, "-m", "pytest", "-v"], project.folder, {})
    assert with_it.code == without.code == 0
    assert _untimed(with_it.out) == _untimed(without.out)
    assert "convdiff" not in with_it.out


def test_a_case_that_is_named_is_not_collected_either(project: Project):
    project.write(a_yaml=OK)
    assert project.pytest("a.yaml").code == pytest.ExitCode.USAGE_ERROR
    assert project.pytest().code == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize("ini", ["convdiff = false", "convdiff_python = this", ""])
def test_settings_that_ask_for_nothing_ask_for_nothing(project: Project, ini: str):
    project.write(a_yaml=OK, pytest_ini=f"[pytest]\n{ini}\n")
    assert project.pytest().code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_options_are_told(project: Project):
    said = " ".join(project.pytest("--help").out.split())
    for words in ("--convdiff ", "--convdiff-baseline=PATH", "--convdiff-python=PATH"):
        assert words in said
    for words in ("convdiff (bool):", "convdiff_baseline (string):", "convdiff_python (linelist):"):
        assert words in said


@pytest.mark.skipif(
    not entry_points(group="pytest11", name="convdiff"),
    reason="convdiff is on the path here, and not installed",
)
def test_what_is_installed_is_loaded_by_itself(project: Project):
    project.write(a_yaml=OK)
    command = [sys.executable, "-m", "pytest", "-q"]
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    assert run(command, project.folder, env).code == pytest.ExitCode.NO_TESTS_COLLECTED
    ran = run([*command, "--convdiff", "--collect-only"], project.folder, env)
    assert "a.yaml::a" in ran.out.splitlines()


def _untimed(text: str) -> str:
    return text.rsplit(" in ", 1)[0]
