"""`--time`: what is known when it is over is shown, and what is not is said, and is never green."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from program import Ran, case_file, convdiff

from convdiff.cli.signals import EndedError, stopped_by_signals
from convdiff.errors import TIME_OVER
from convdiff.lab.lab import NotAsked
from convdiff.lab.stop import Stop
from convdiff.lab.watch import Watch

HOPELESS = """
filter: {normal: 1, shape: [3, 3, 32, 1], seed: 1}
input: {normal: 1, seed: 2}
height: 8
lengths: [9, 40]
"""
"""Nothing explains its differences for a minute."""
DRIFT = HOPELESS + "expect: {reference: bitwise}\n"
KERNEL = ("--kernel", "signalling:convolution")
OVER = str(int(TIME_OVER))
EXPLAINING = {"AT": "400", "SIGNAL": OVER}
"""Time is over while differences are explained: the kernel says so, at its 400th call."""
HANGING = {"AT": "30", "STAY": "60", "SIGNAL": OVER}
"""Time is over in the 30th call, which lasts a minute: what came 17 before is compared."""
LONG = ("--time", "600")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("time")
    shutil.copy(Path(__file__).parents[1] / "support" / "signalling.py", folder)
    case_file(folder, HOPELESS, "allowed.yaml")
    case_file(folder, DRIFT, "drift.yaml")
    return folder


def run(folder: Path, *words: str, env: dict[str, str] | None = None) -> Ran:
    return convdiff(*words, *KERNEL, cwd=folder, env=env)


def seconds_since_it_was_over(folder: Path) -> float:
    return time.time() - (folder / "worker.pid").stat().st_mtime


@pytest.mark.slow
def test_drift_that_is_found_is_drift_and_its_cause_was_not_looked_for(folder):
    reports = ("--json", "r.json", "--junit", "r.xml", "--markdown", "r.md")
    ran = run(folder, "run", "drift.yaml", "allowed.yaml", *LONG, *reports, env=EXPLAINING)
    assert seconds_since_it_was_over(folder) < 20
    assert (ran.code, ran.err) == (1, "convdiff: --time is over\n")
    assert ran.out.splitlines()[-1] == "1 case: 1 drift; 1 not begun (exit 1)"
    assert "  --time is over: 36 of 36 cells were run" in ran.out
    assert "cause not looked for: --time is over" in " ".join(ran.out.split())
    report = json.loads((folder / "r.json").read_text())
    assert (report["exit_code"], report["interrupted"], report["time_over"]) == (1, True, True)
    assert report["not_begun"] == 1 and report["cases"][0]["not_compared"] == 0
    errors = ElementTree.parse(folder / "r.xml").getroot().iter("error")
    assert any("--time is over" in str(error.get("message")) for error in errors)
    assert "**--time is over: what follows is what was done**" in (folder / "r.md").read_text()


@pytest.mark.slow
def test_a_worker_that_hangs_in_a_call_is_cut_and_nothing_is_green(folder):
    ran = run(folder, "run", "allowed.yaml", *LONG, env=HANGING)
    assert seconds_since_it_was_over(folder) < 20
    assert (ran.code, ran.err) == (125, "convdiff: --time is over\n")
    assert ran.out.splitlines()[-1] == "1 case: 1 untested (exit 125)"
    assert "cells were run, " in ran.out and "comparisons made" in ran.out
    assert "rounding" in ran.out, "something was compared, and nothing was amiss"
    answer = " ".join(ran.out.split())
    assert " not compared; " in answer or " compared in part; " in answer
    worker = Path("/proc", (folder / "worker.pid").read_text(), "cmdline")
    assert not worker.exists() or b"worker/main.py" not in worker.read_bytes()


@pytest.mark.slow
def test_what_was_compared_and_judged_is_as_green_as_it_is_without_its_cause(folder):
    ran = run(folder, "run", "allowed.yaml", "--explain", *LONG, env=EXPLAINING)
    assert seconds_since_it_was_over(folder) < 20
    assert (ran.code, ran.err) == (0, "convdiff: --time is over\n")
    assert ran.out.splitlines()[-1] == "1 case: 1 ok (exit 0)"


@pytest.mark.slow
def test_time_that_suffices_changes_nothing(folder):
    words = ("run", "drift.yaml", "--no-explain", "--lengths", "9")
    assert run(folder, *words, *LONG) == run(folder, *words)


@pytest.mark.slow
def test_explain_says_that_it_was_too_short(folder):
    start = time.monotonic()
    ran = run(folder, "explain", "drift.yaml", "--time", "2")
    assert (ran.code, ran.err) == (125, "convdiff: --time is over\n")
    assert 2 <= time.monotonic() - start < 40, "a minute and more where nothing ends it"
    assert ran.out == "UNTESTED  drift: --time is over\n"


@pytest.mark.parametrize("command", ["run", "sweep", "explain"])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_is_a_finite_number_of_seconds(command, seconds):
    assert convdiff(command, "--time", seconds).code == 2


def test_a_computation_of_this_process_is_cut():
    stop = Stop()
    with stopped_by_signals(stop, stop.now, 0.2):
        start = time.monotonic()
        cut = Watch(stop=stop).compute("adding", _adds_for_a_minute)
    assert cut == NotAsked("--time is over") and time.monotonic() - start < 10


def test_ctrl_c_comes_first_and_time_adds_nothing():
    stop = Stop()
    with stopped_by_signals(stop, stop.now, 0.3):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.6)
    assert stop.signal == signal.SIGINT


def test_ctrl_c_after_the_time_ends_it_all():
    stop = Stop()
    with pytest.raises(EndedError), stopped_by_signals(stop, stop.now, 0.1):
        threading.Timer(0.4, os.kill, [os.getpid(), signal.SIGINT]).start()
        time.sleep(9)
    assert stop.signal == TIME_OVER


def test_no_alarm_is_left_behind():
    before = signal.getsignal(TIME_OVER)
    stop = Stop()
    with stopped_by_signals(stop, stop.now, 60.0):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 and signal.getsignal(TIME_OVER) == before


def _adds_for_a_minute() -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        np.add.reduce(np.ones(1 << 16))
