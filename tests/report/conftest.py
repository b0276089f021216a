"""One case that drifts in many elements, run once for every way of reporting it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import KERNEL, Ran, bare_python, case_file, convdiff, kernel_file

__all__ = ["bare_python"]

DRIFTING = """
name: many-elements
filter: {normal: 1, shape: [1, 5, 1, 1], seed: 1}
bias: {uniform: [-1, 1], seed: 2}
input: {normal: 1, seed: 3}
height: 6
lengths: [56, 60]
devices: [cpu, gpu]
expect: {runtime: bitwise}
"""


@pytest.fixture(scope="session")
def vary() -> tuple[str, ...]:
    """Return the options of two runtimes that add in other orders, the same on every machine."""
    return *KERNEL, "--vary", "ORDER=rows,pairs"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the kernel, to be run in."""
    folder = tmp_path_factory.mktemp("report")
    kernel_file(folder)
    return folder


@pytest.fixture(scope="session")
def drifting_case(folder: Path) -> Path:
    return case_file(folder, DRIFTING)


@pytest.fixture(scope="session")
def drift(drifting_case: Path, folder: Path, vary: tuple[str, ...]) -> Ran:
    """Run it as long text, piped, with a JSON report beside it."""
    arguments = ("run", drifting_case, *vary, "-v", "--json", folder / "report.json")
    return convdiff(*arguments, cwd=folder)


@pytest.fixture(scope="session")
def brief(drifting_case: Path, folder: Path, vary: tuple[str, ...]) -> Ran:
    """Run it as it is run by default."""
    return convdiff("run", drifting_case, *vary, cwd=folder)


@pytest.fixture(scope="session")
def report(drift: Ran, folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report.json").read_text("utf-8")))


@pytest.fixture(scope="session")
def coloured(drifting_case: Path, folder: Path, vary: tuple[str, ...]) -> Ran:
    """Run it with everything shown, in colours, though NO_COLOR is set."""
    arguments = ("run", drifting_case, *vary, "--all", "--color", "always")
    return convdiff(*arguments, env={"NO_COLOR": "1"}, cwd=folder)


@pytest.fixture(scope="session")
def together(drifting_case: Path, folder: Path, vary: tuple[str, ...]) -> tuple[Ran, Path]:
    """Ask one run for every report; return what it left and the folder of its files."""
    reports = folder / "together"
    reports.mkdir()
    files = {"--json": "all.json", "--junit": "all.xml", "--markdown": "all.md"}
    asked = [word for option, name in files.items() for word in (option, reports / name)]
    return convdiff("run", drifting_case, *vary, "-v", "--github", *asked, cwd=folder), reports
