"""Whoever reads stdout or stderr may go away, or read no Unicode: the exit code stays."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from program import COMMAND, KERNEL, case_file, environment, kernel_file

CASE = """
filter: {normal: 1, shape: [1, 5, 1, 1], seed: 1}
input: {normal: 1, seed: 2}
lengths: [20]
expect: {runtime: bitwise}
"""
OK = ("run", "case.yaml", *KERNEL)
DRIFT = (*OK, "--vary", "ORDER=rows,pairs")
UNTESTED = (*OK, "--require", "gpu")
WRONG = ("run", "nosuch.yaml")
CODES = {OK: 0, DRIFT: 1, UNTESTED: 125, WRONG: 2, (*OK, "--save", "a.json"): 0}
NAMES = ("ok", "drift", "untested", "bad usage", "recorded")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    kernel_file(folder)
    case_file(folder, CASE)
    return folder


def gone() -> int:
    """Return the writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("streams", ["stdout", "stderr", "both"])
@pytest.mark.parametrize(("words", "code"), CODES.items(), ids=NAMES)
def test_a_reader_that_has_gone_changes_no_exit_code(
    words: tuple[str, ...], code: int, streams: str, folder: Path
):
    writing = gone()
    taken = {name: writing for name in ("stdout", "stderr") if streams in (name, "both")}
    others = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    done = subprocess.run(
        [*COMMAND, *words], env=environment(), cwd=folder, check=False, **{**others, **taken}
    )
    os.close(writing)
    assert done.returncode == code


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@pytest.mark.parametrize("verbose", ["-q", "-v", "--color=always"])
def test_what_an_encoding_lacks_is_written_plainly(encoding: str, verbose: str, folder: Path):
    done = subprocess.run(
        [*COMMAND, *DRIFT, verbose],
        env=environment({"PYTHONIOENCODING": encoding}),
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    text = done.stdout.decode(encoding)
    assert "?" not in text
    assert ("≤" in text) == (encoding == "utf-8")
