"""Help and errors come without waiting: nothing heavy is imported for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from program import case_file, environment

pytestmark = pytest.mark.slow

HEAVY = (
    "numpy",
    "rich",
    "ruamel",
    "yaml",
    "ml_dtypes",
    "tensorflow",
    "junitparser",
)


NO_GPU = ("--framework", "numpy", "--lengths", "7", "--device", "gpu")
"""A run that has nothing to run, and does not wait for a framework to say so."""


def imported(*arguments: object) -> tuple[int, set[str]]:
    """Run the program in a fresh interpreter; return its exit code and the heavy modules it has."""
    script = (
        "import sys\nfrom convdiff.cli import main\n"
        f"sys.argv = {['convdiff', *map(str, arguments)]!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        "print('imported', *sorted({m.split('.')[0] for m in sys.modules}))\nsys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "imported"
    return done.returncode, set(last[1:]) & set(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["-v", "--version"],
        ["run", "--help"],
        ["sweep", "--help"],
        ["doctor", "--help"],
        ["schema", "--help"],
        ["explain", "--help"],
        ["frobnicate"],
        ["run", "--device", "tpu"],
    ],
    ids=" ".join,
)
def test_help_and_usage_errors_import_nothing_heavy(arguments: list[str]):
    code, heavy = imported(*arguments)
    assert code == (0 if arguments[-1].startswith("--") else 2) or arguments[0] == "explain"
    assert heavy == set()


@pytest.mark.parametrize("text", ["filter: [1]\noops: 2\n", "filter: [1, 2\n", ""])
def test_a_bad_case_is_refused_without_numpy(text: str, tmp_path: Path):
    code, heavy = imported("run", case_file(tmp_path, text))
    assert code == 2
    assert not heavy & {"numpy", "rich", "ml_dtypes", "tensorflow"}


def test_the_check_sees_numpy_where_it_is():
    """The schema's sibling that runs: proof that the probe above can fail."""
    code, heavy = imported("run", *NO_GPU)
    assert code == 125
    assert "numpy" in heavy
    assert "junitparser" not in heavy


def test_the_junit_library_is_imported_where_it_is_asked_for(tmp_path: Path):
    _, heavy = imported("run", *NO_GPU, "--junit", tmp_path / "j.xml")
    assert "junitparser" in heavy
