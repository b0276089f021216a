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
HANGING = {"AT": "5", "STAY": "60", "SIGNAL": "0"}
"""The fifth call sends nothing, and comes back after a minute."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("time")
    shutil.copy(Path(__file__).parents[1] / "support" / "signalling.py", folder)
    case_file(folder, HOPELESS, "allowed.yaml")
    case_file(folder, DRIFT, "drift.yaml")
    return folder


def timed(folder: Path, *words: str, env: dict[str, str] | None = None) -> tuple[Ran, float]:
    start = time.monotonic()
    ran = convdiff(*words, *KERNEL, cwd=folder, env=env)
    return ran, time.monotonic() - start


def test_drift_that_is_found_is_drift_and_its_cause_was_not_looked_for(folder):
    reports = ("--json", "r.json", "--junit", "r.xml", "--markdown", "r.md")
    ran, seconds = timed(folder, "run", "drift.yaml", "allowed.yaml", "--time", "6", *reports)
    assert (ran.code, ran.err) == (1, "convdiff: --time is over\n") and seconds < 20
    assert ran.out.splitlines()[-1] == "1 case: 1 drift; 1 not begun (exit 1)"
    assert "  --time is over: " in ran.out and _has_no_cause(ran)
    report = json.loads((folder / "r.json").read_text())
    assert (report["exit_code"], report["interrupted"], report["time_over"]) == (1, True, True)
    assert report["not_begun"] == 1 and report["cases"][0]["not_compared"] == 0
    errors = ElementTree.parse(folder / "r.xml").getroot().iter("error")
    assert any("--time is over" in str(error.get("message")) for error in errors)
    assert "**--time is over: what follows is what was done**" in (folder / "r.md").read_text()


def test_a_worker_that_hangs_in_a_call_is_cut_and_nothing_is_green(folder):
    ran, seconds = timed(folder, "run", "allowed.yaml", "--time", "6", env=HANGING)
    assert (ran.code, ran.err) == (125, "convdiff: --time is over\n") and seconds < 20
    assert ran.out.splitlines()[-1] == "1 case: 1 untested (exit 125)"
    assert "cells were run, " in ran.out and "comparisons made" in ran.out
    assert "rounding" in ran.out, "something was compared, and nothing was amiss"
    answer = " ".join(ran.out.split())
    assert " not compared; " in answer or " compared in part; " in answer
    worker = Path("/proc", (folder / "worker.pid").read_text(), "cmdline")
    assert not worker.exists() or b"worker/main.py" not in worker.read_bytes()


def test_what_was_compared_and_judged_is_as_green_as_it_is_without_its_cause(folder):
    ran, seconds = timed(folder, "run", "allowed.yaml", "--explain", "--time", "6")
    assert (ran.code, ran.err) == (0, "convdiff: --time is over\n") and seconds < 20
    assert ran.out.splitlines()[-1] == "1 case: 1 ok (exit 0)"


def test_time_that_suffices_changes_nothing(folder):
    words = ("run", "drift.yaml", "--no-explain", "--lengths", "9")
    assert timed(folder, *words, "--time", "100")[0] == timed(folder, *words)[0]


def test_explain_says_that_it_was_too_short(folder):
    ran, seconds = timed(folder, "explain", "drift.yaml", "--time", "2")
    assert (ran.code, ran.err) == (125, "convdiff: --time is over\n") and seconds < 20
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


def _joined(ran: Ran) -> str:
    """Return what a run says without the ends of its lines."""
    return " ".join(ran.out.split())


def _has_no_cause(ran):
    """Return whether no cause is told, whether it was sought when time was over or not yet."""
    words = _joined(ran)
    return "not looked for: --time is over" in words or "cause unexplained" in words
