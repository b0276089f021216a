"""Progress is told on stderr while anything is worked on, however long nothing is said of it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import time

import pytest

from convdiff.cli import progress as module
from convdiff.cli.progress import progress


def shown(monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> list[str]:
    """Return the lines that are written of half a second's work, at ten a second."""
    monkeypatch.setattr(module, "PLAIN_EVERY", 0.1)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress(quiet=quiet) as tell:
        time.sleep(0.25)
        tell("case: comparing length 9", 3, 1200, 12.0)
        tell("case: explaining torch:cpu at length 9: 1,204 of 20,000 calls", 0, 0)
        time.sleep(0.35)
    return sys.stderr.getvalue().splitlines()


def test_what_takes_long_is_said_again(monkeypatch: pytest.MonkeyPatch):
    lines = shown(monkeypatch)
    assert lines[0] == "convdiff: importing frameworks ..."
    assert lines[-1] == (
        "convdiff: case: explaining torch:cpu at length 9: 1,204 of 20,000 calls ..."
    )
    assert 3 <= len(lines) <= 6, "one now and then, and not one a call"


def test_how_far_it_is_stands_beside_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PLAIN_EVERY", 0.05)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("reading") as tell:
        tell("comparing length 9", 3, 1200)
        time.sleep(0.2)
    assert set(sys.stderr.getvalue().splitlines()) == {
        "convdiff: comparing length 9 (3 of 1,200) ..."
    }


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (None, "(3 of 1,200)"),
        (0.01, "(3 of 1,200)"),
        (12.0, "(3 of 1,200, about 12 s left)"),
        (89.0, "(3 of 1,200, about 89 s left)"),
        (100.0, "(3 of 1,200, about 2 min left)"),
        (7200.0, "(3 of 1,200, about 120 min left)"),
    ],
)
def test_the_time_left_stands_beside_it_where_it_is_known(left, said, monkeypatch):
    monkeypatch.setattr(module, "PLAIN_EVERY", 0.05)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("reading") as tell:
        tell("comparing", 3, 1200, left)
        time.sleep(0.2)
    assert sys.stderr.getvalue().splitlines()[0] == f"convdiff: comparing {said} ..."


def test_the_time_left_is_counted_down_and_never_below_nothing(monkeypatch):
    monkeypatch.setattr(module, "PLAIN_EVERY", 0.3)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("reading") as tell:
        tell("comparing", 3, 4, 2.5)
        time.sleep(3.8)
    lines = sys.stderr.getvalue().splitlines()
    told = [int(found[1]) for line in lines if (found := re.search(r"about (\d+) s left", line))]
    assert told == sorted(told, reverse=True) and set(told) == {3, 2, 1}
    assert lines[-1] == "convdiff: comparing (3 of 4) ..."


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch):
    assert shown(monkeypatch, quiet=True) == []


def test_quick_work_says_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress() as tell:
        tell("comparing length 9", 1, 2)
    assert sys.stderr.getvalue() == ""


def all_of(master: int) -> str:
    """Read what was written to a terminal that is closed by now; it is given in parts."""
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(master, 1 << 16):
            parts.append(part)
    os.close(master)
    return b"".join(parts).decode()


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_has_one_line_that_is_taken_away_at_the_end(
    columns: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "DELAY", 0.0)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress() as tell:
            tell("a-case-with-a-long-name: comparing length 9 on random inputs", 3, 1200)
            time.sleep(0.4)
        terminal.flush()
    text = all_of(master)
    frames = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").split("\n")
    said = [frame for frame in frames if "a-case" in frame]
    assert said and all("3 of 1,200" in frame for frame in said)
    assert max(map(len, said)) <= columns
    assert text.count("\n") <= 2, "one line, written over"
    assert text.rstrip().endswith("\x1b[2K"), "and erased"
