"""`convdiff cure`: one recommendation that can be pasted, or a line that says why there is none."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from program import COMMAND, convdiff, environment
from soak import examples

KERNEL = """
import numpy as np


def ours(x, w, b):
    columns = x.shape[2] - w.shape[1] + 1
    taps = range(w.shape[1])
    y = np.zeros((len(x), 1, columns, w.shape[3]), x.dtype)
    for i in taps if x.shape[2] % 2 else reversed(taps):
        y = y + x[:, :, i : i + columns, 0, None] * w[0, i, 0]
    return y
"""
CASE = """
filter: {normal: 1, shape: [1, 5, 1, 2], seed: 1}
input: {normal: 1, seed: 2}
lengths: [7, 8, 9]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ways.py").write_text(KERNEL)
    (tmp_path / "case.yaml").write_text(CASE)
    return tmp_path


def cured(folder: Path, *words: str) -> tuple[int, str, str]:
    env = {"CONVDIFF_CACHE": str(folder / "cache")}
    ran = convdiff("cure", "case.yaml", *words, env=env, cwd=folder)
    return ran.code, ran.out, ran.err


@pytest.mark.slow
def test_padding_is_what_helps_a_kernel_that_nothing_is_known_of(folder: Path):
    code, out, err = cured(folder, "--kernel", "ways:ours")
    assert code == 1, err
    assert out.startswith("case, ways:ours:cpu: pad the length: 0 of 2 drift, today 1 of 2,")
    assert "\ntoday    drifts: length 1 of 2\n" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "  # length 8: append zeros up to 9, keep the first outputs" in out
    assert "on 16 random inputs at lengths 7..9: 0 of " in out
    assert "switches and up to" in err and "cells each: about" in err


@pytest.mark.slow
def test_nothing_drifts_exits_0(folder: Path):
    code, out, _ = cured(folder, "--framework", "numpy")
    assert (code, out) == (0, "case, numpy:cpu: nothing drifts, 5 comparisons made\n")


def test_a_framework_that_is_missing_is_named(folder: Path):
    (folder / "bare.py").write_text("")
    code, out, err = cured(folder, "--kernel", "nosuch:kernel")
    assert (code, out) == (125, "")
    assert "nosuch" in err


def kept_in(folder: Path) -> dict[str, int]:
    """Return the steps that are kept, and which file each is: one that is run again is another."""
    found = (folder / "cache" / "steps").glob("[0-9a-f]*")
    return {path.name: path.stat().st_ino for path in found}


def untimed(out: str) -> str:
    """Return an answer without its times, which are others each time they are measured."""
    return re.sub(r"\d+\.\d\d(–\d+\.\d\d|)|\s+", " ", out)


KILLS = examples(20)


@pytest.mark.soak
def test_killed_at_any_time_it_goes_on_where_it_was(folder: Path):
    """Every time a little later, so that each goes further; nothing that is kept is run again."""
    words = [*COMMAND, "cure", "case.yaml", "--kernel", "ways:ours"]
    env = environment({"CONVDIFF_CACHE": str(folder / "cache")})
    begun = time.monotonic()
    whole = convdiff(*words[len(COMMAND) :], env={"CONVDIFF_CACHE": str(folder / "2")}, cwd=folder)
    took, draw, before = time.monotonic() - begun, random.Random(KILLS), dict[str, int]()
    for _ in range(KILLS):
        search = subprocess.Popen(
            words, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(draw.uniform(0, took))
        search.send_signal(signal.SIGKILL)
        search.wait()
        after = kept_in(folder)
        assert before.items() <= after.items()
        before = after
    ran = cured(folder, "--kernel", "ways:ours")
    assert before.items() <= kept_in(folder).items()
    assert (ran[0], untimed(ran[1])) == (whole.code, untimed(whole.out))
    assert ran[0] == 1
    assert ": pad the length: " in ran[1]
    done = kept_in(folder)
    assert cured(folder, "--kernel", "ways:ours")[:2] == ran[:2], "nothing is measured twice"
    assert kept_in(folder) == done


@pytest.mark.slow
def test_the_python_that_runs_it_is_no_part_of_a_runtime(folder: Path):
    _, out, _ = cured(folder, "--kernel", "ways:ours")
    assert sys.executable not in out
