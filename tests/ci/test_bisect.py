"""`git bisect run convdiff run …` finds the commit that changed a setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from program import (
    KERNEL,
    OTHER_ORDER,
    bare_python,
    case_file,
    convdiff,
    environment,
    kernel_file,
)

pytestmark = pytest.mark.slow

__all__ = ["bare_python"]

CASE = """
name: bisected
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [7, 9]
expect: {reference: anything}
"""
PYTHON = """#!/bin/sh
export ORDER={order}
exec "{python}" "$@"
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        env={**environment(), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    skipped = arguments[:2] == ("bisect", "run") and done.returncode == 2
    assert done.returncode == 0 or skipped, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path, bare_python: Path) -> tuple[Path, list[str]]:
    """Return a repository of six commits: the fourth adds in another order, the third can't."""
    folder = tmp_path / "repository"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "convdiff"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m convdiff "$@"\n')
    program.chmod(0o755)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / ".git" / "info" / "exclude").write_text("bin/\nbaseline.json\nadding.py\n")
    case_file(folder, CASE)
    kernel_file(folder)
    commits = []
    real = sys.executable
    before, after = "row", OTHER_ORDER["ORDER"]
    settings = [(before, real), (before, real), (before, bare_python)] + [(after, real)] * 3
    for number, (order, python) in enumerate(settings):
        wrapper = folder / "python.sh"
        wrapper.write_text(PYTHON.format(order=order, python=python))
        wrapper.chmod(0o755)
        (folder / "notes.txt").write_text(f"commit {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"commit {number}")
        commits.append(git(folder, "rev-parse", "HEAD").strip())
    return folder, commits


def test_bisect_finds_the_commit_that_changed_a_setting_and_skips_what_can_t_run(
    repository: tuple[Path, list[str]],
):
    folder, commits = repository
    git(folder, "checkout", "-q", commits[0])
    options = ("--baseline", "baseline.json", "--python", "./python.sh", *KERNEL)
    made = convdiff("run", "case.yaml", *options, "--update-baseline", cwd=folder)
    assert made.code == 0, made.out + made.err
    git(folder, "bisect", "start", commits[-1], commits[0])
    said = git(folder, "bisect", "run", "convdiff", "run", "case.yaml", *options)
    assert "only 'skip'ped commits left to test" in said, said
    log = git(folder, "bisect", "log")
    # The commit before it can't be run (125), so the first bad one is one of these two.
    assert f"skip: [{commits[2]}]" in log
    assert f"possible first bad commit: [{commits[3]}]" in log
    assert f"possible first bad commit: [{commits[4]}]" not in log
