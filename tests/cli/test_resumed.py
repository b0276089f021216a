"""A search that is killed goes on where it was: what was run is not run again, and not believed
where anything that decides it is another."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import COMMAND, environment
from soak import WHOLE, one_in

pytestmark = pytest.mark.slow

KILLS = 20 if WHOLE else 1
"""Of each search."""
CASE = """
name: resumed
filter: {normal: 1, shape: [3, 3, 2, 2], seed: 1}
input: {normal: 1, seed: 3}
height: 6
lengths: 6..9
"""
KERNEL = '''
"""Adds in an order that depends on the length, and on two variables together; counts calls."""

import os
import time

import numpy as np


def convolve(x, w, b):
    with open(os.environ["CALLS"], "a") as stream:
        stream.write(".")
    time.sleep(float(os.environ["NAP"]))
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    terms = [
        x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
        for i, j, c in np.ndindex(*w.shape[:3])
    ]
    both = os.environ.get("V1") == "1" and os.environ.get("V4") == "1"
    if x.shape[2] >= 8 or both:
        terms = terms[::-1]
    y = terms[0]
    for term in terms[1:]:
        y = y + term
    return y if b is None else y + b
'''
NAPS = {"shrink": 0.001, "bisect": 0.02}
"""Seconds that a call takes, so that there is time to be killed in."""
VARIABLES = 10 if WHOLE else 5
GOOD, BAD = (" ".join(f"V{n}={value}" for n in range(VARIABLES)) for value in "01")
LENGTHS = "6..60" if WHOLE else "6..20"
SEARCHES = {
    "shrink": ("shrink", "case.yaml"),
    "sizes": ("bisect", "case.yaml", "--lengths", LENGTHS, "--scan"),
    "settings": (
        *("bisect", "case.yaml", "--lengths", "6"),
        *("--good-env", GOOD, "--bad-env", BAD),
    ),
}
HALVES = SEARCHES["sizes"][:-1]
TOLD = {
    "shrink": "rounding, order, proved by replay",
    "sizes": "gives other bits from length 8 on; 7 is the last before",
    "settings": "V1=0 → 1, V4=0 → 1 changes the bits together; none of them alone",
}


@dataclass(frozen=True)
class Place:
    """A folder with a case and a kernel, and a cache of its own."""

    folder: Path
    naps: bool = True

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def calls(self) -> int:
        """How often the kernel was called."""
        log = self.folder / "calls.log"
        return log.stat().st_size if log.exists() else 0

    @property
    def steps(self) -> Mapping[str, tuple[int, int]]:
        """The steps that are kept, each with what changes where its file is written anew."""
        files = [path for path in self.cache.glob("steps/*") if not path.name.startswith(".")]
        stats = {path.name: path.stat() for path in files}
        return {name: (stat.st_ino, stat.st_size) for name, stat in stats.items()}

    def start(self, words: Sequence[str], **variables: str) -> subprocess.Popen[str]:
        """Start a search in a process group of its own."""
        own = {"CONVDIFF_CACHE": str(self.cache), "CALLS": str(self.folder / "calls.log")}
        own["NAP"] = str(NAPS[words[0]] if self.naps else 0)
        return subprocess.Popen(
            [*COMMAND, *words, "--kernel", "kernel:convolve"],
            cwd=self.folder,
            env=environment({**own, **variables}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, words: Sequence[str], **variables: str) -> tuple[int, str, str]:
        """Run a search to its end; return its exit code, and what it says on both streams."""
        process = self.start(words, **variables)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, re.sub(r"convdiff: .* \.\.\.\n", "", err)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path / "killed")


@pytest.fixture
def quick(tmp_path: Path) -> Place:
    return made(tmp_path / "quick", naps=False)


def made(folder: Path, *, naps: bool = True) -> Place:
    folder.mkdir()
    (folder / "case.yaml").write_text(CASE)
    (folder / "kernel.py").write_text(KERNEL)
    return Place(folder, naps)


KNOWN = re.compile(r"convdiff: (\d+) steps? w(?:as|ere) known from an earlier run; .*\n")


def known(err: str) -> int:
    found = KNOWN.search(err)
    return int(found[1]) if found else 0


@one_in(2, "name", SEARCHES)
def test_a_search_that_is_killed_goes_on_and_runs_nothing_twice(
    name: str, place: Place, tmp_path: Path
) -> None:
    draw, words = random.Random(f"kills of {name}"), SEARCHES[name]
    whole = made(tmp_path / "whole")
    code, out, err = whole.run(words)
    assert TOLD[name] in out + err
    assert known(err) == 0
    most = killed = 0
    for number in range(KILLS):
        before, calls = place.steps, place.calls
        process = place.start(words)
        more = draw.randrange(3) if number else 2
        late = draw.uniform(0, 0.2)
        while len(place.steps) < len(before) + more and process.poll() is None:
            time.sleep(0.005)
        time.sleep(late if more else 5 * late)  # while it starts, too
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
        after = place.steps
        assert {step: after.get(step) for step in before} == before, "written once"
        most = max(most, place.calls - calls)
    assert killed >= (KILLS + 1) // 2
    before = place.steps
    again, said, complaints = place.run(words)
    assert (again, said, KNOWN.sub("", complaints)) == (code, out, err)
    assert known(complaints) == len(before)
    assert {step: place.steps[step] for step in before} == before
    assert len(place.steps) == len(whole.steps)
    # What a kill cut short is all that was run in vain.
    assert place.calls <= whole.calls + killed * most
    calls, steps = place.calls, place.steps
    once_more = place.run(words)
    assert once_more[:2] == (code, out)
    assert known(once_more[2]) == len(steps)
    assert place.steps == steps
    if name == "shrink":  # bisect runs both sides of what it found side by side, for its report
        assert place.calls == calls


def test_nothing_is_believed_where_what_decides_it_is_another(quick: Place) -> None:
    place = quick
    words = HALVES
    _, out, err = place.run(words)
    steps = known(place.run(words)[2])
    assert steps == len(place.steps) > 2
    assert known(place.run((*words, "--fresh"))[2]) == 0
    assert known(place.run(words, ANY_VARIABLE="1")[2]) == 0
    assert known(place.run((*words, "--threads", "2"))[2]) == 0
    kernel = place.folder / "kernel.py"
    kernel.write_text(KERNEL.replace("x.shape[2] >= 8", "x.shape[2] >= 12"))
    _, other, err = place.run(words)
    assert "from length 12 on" in other
    assert known(err) == 0
    kernel.write_text(KERNEL)
    case = place.folder / "case.yaml"
    case.write_text(CASE.replace("seed: 3", "seed: 4"))
    assert known(place.run(words)[2]) == 0
    case.write_text(CASE.replace("name: resumed", "name: called otherwise"))
    os.utime(kernel, (1, 1))
    assert known(place.run(words)[2]) == 0, "a kernel that was written anew"
    assert place.run(words)[1] == out.replace("resumed", "called otherwise")
    assert known(place.run(words)[2]) == steps


def test_a_step_that_is_torn_is_run_again(quick: Place) -> None:
    place = quick
    words = HALVES
    _, out, _ = place.run(words)
    torn = sorted(place.cache.glob("steps/*"))[:2]
    torn[0].write_bytes(torn[0].read_bytes()[:-20])
    torn[1].write_text("{}")
    count = len(place.steps)
    _, again, err = place.run(words)
    assert again == out
    assert known(err) == count - 2


def test_a_cache_that_can_t_be_written_is_no_error(quick: Place) -> None:
    place = quick
    place.cache.write_text("a file")
    code, out, err = place.run(HALVES)
    assert (code, err) == (1, "")
    assert TOLD["sizes"] in out
