"""Runs `convdiff` as a user does: another process, its streams, its exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import same_start, started

REPOSITORY = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "convdiff")


PROGRESS = re.compile(r"^convdiff: .* \.\.\.\n", re.MULTILINE)
"""What is said of work that takes longer than ten seconds: on a slow machine, and not on others."""


CACHE = tempfile.TemporaryDirectory(prefix="convdiff-cache-")


@dataclass(frozen=True)
class Ran:
    """What a command left: exit code, stdout, stderr less the progress."""

    code: int
    out: str
    err: str


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this environment less what changes convdiff's output, plus `changes`.

    What caps the instruction set stays: under it the tests run as on another machine.
    """
    unwanted = ("TF_", "ONEDNN_VERBOSE", "NO_COLOR", "COLUMNS", "TERM", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    kept["CONVDIFF_CACHE"] = CACHE.name  # nothing is known of what ran before
    kept["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, **(changes or {})}


def convdiff(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Ran:
    """Run `convdiff ARGUMENTS` to its end, as another process; see `forked` for how it starts."""
    words, variables = list(map(str, arguments)), environment(env)
    server = started(environment())
    if same_start(server.environment, variables):
        code, out, err = server.run(words, variables, str(cwd or Path.cwd()), timeout=180)
        return Ran(code, out, PROGRESS.sub("", err))
    done = subprocess.run(
        [*COMMAND, *words],
        env=variables,
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )
    return Ran(done.returncode, done.stdout, PROGRESS.sub("", done.stderr))


ERROR = re.compile(r"(convdiff: .+|[^ ].*?:\d+:\d+: .+)")
"""The first line of an error: of the program, or at its place in a file as editors read it."""


def errors_told(err: str) -> list[str]:
    """Return the first lines of the errors on stderr, and the line that counts them.

    What stands between is, of each error with a place, its line of the file and a caret.
    """
    assert "Traceback" not in err
    heads = []
    for line in err.splitlines():
        assert line.isprintable()
        if line.startswith("  "):
            assert re.search(r":\d+:\d+: ", heads[-1]), "of an error that has a place"
        else:
            assert ERROR.fullmatch(line) or re.match(r"\d+ errors", line), line
            heads.append(line)
    return heads


def one_error(err: str) -> str:
    """Return the first line of the only error on stderr."""
    (head,) = errors_told(err)
    return head


def case_file(folder: Path, text: str, name: str = "case.yaml") -> Path:
    """Write a case file and return its path."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


KERNEL = ("--kernel", "adding:convolution")
"""A runtime whose bits are the same on every machine, once `kernel_file` has put it there."""
OTHER_ORDER = {"ORDER": "pairs"}
"""What makes it add in another order."""


def kernel_file(folder: Path) -> None:
    """Put the kernel of `KERNEL` into a folder that convdiff is run in."""
    shutil.copy(Path(__file__).parent / "adding.py", folder)


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter of an empty environment: Python, and no framework."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"
