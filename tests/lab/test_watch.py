"""A signal cuts this process's own computations short, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from convdiff.cli.signals import EndedError, stopped_by_signals
from convdiff.errors import SIGNALS
from convdiff.lab.lab import NotAsked
from convdiff.lab.pace import Work
from convdiff.lab.stop import Stop
from convdiff.lab.watch import Watch

INTERRUPTED = NotAsked("interrupted")


def numpy_for(seconds: float) -> str:
    """Add arrays until so many seconds are over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        np.add.reduce(np.ones(1 << 16))
    return "done"


def send_later(number: int, seconds: float = 0.2) -> None:
    threading.Timer(seconds, os.kill, [os.getpid(), number]).start()


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_computation_within_a_moment(number: int):
    watch = Watch()
    with stopped_by_signals(watch.stop, watch.stop.now):
        send_later(number)
        begin = time.monotonic()
        assert watch.compute("adding", lambda: numpy_for(60)) == INTERRUPTED
        assert time.monotonic() - begin < 10
        assert watch.stop.signal == number


def test_after_a_signal_nothing_is_begun():
    watch = Watch()
    watch.stop.now(signal.SIGTERM)
    begun: list[int] = []
    assert watch.compute("adding", lambda: begun.append(1)) == INTERRUPTED
    assert not begun


@pytest.mark.slow
def test_what_is_around_a_computation_goes_on():
    watch = Watch()

    def outer() -> list[object]:
        first = watch.compute("adding", lambda: numpy_for(60))
        return [first, watch.compute("adding more", lambda: numpy_for(60))]

    with stopped_by_signals(watch.stop, watch.stop.now):
        send_later(signal.SIGTERM)
        assert outer() == [INTERRUPTED, INTERRUPTED]
        assert numpy_for(0.1) == "done", "nothing is raised outside of a computation"


@pytest.mark.slow
def test_a_computation_inside_another_ends_both_in_turn():
    watch = Watch()

    def outer() -> str:
        assert watch.compute("inside", lambda: numpy_for(0.01)) == "done"
        return numpy_for(60)

    with stopped_by_signals(watch.stop, watch.stop.now):
        send_later(signal.SIGTERM)
        assert watch.compute("outside", outer) == INTERRUPTED


@pytest.mark.slow
def test_no_except_on_the_way_keeps_a_computation_alive():
    watch = Watch()

    def stubborn() -> str:
        for _ in range(3):
            try:
                numpy_for(20)
            except Exception:
                continue
        return "done"

    with stopped_by_signals(watch.stop, watch.stop.now):
        send_later(signal.SIGINT)
        assert watch.compute("adding", stubborn) == INTERRUPTED


def test_a_second_signal_ends_whatever_goes_on():
    stop = Stop()
    with pytest.raises(EndedError) as ended, stopped_by_signals(stop, stop.now):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert (stop.signal, ended.value.number) == (signal.SIGTERM, signal.SIGHUP)


def test_handlers_are_put_back_and_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        stop, own = Stop(), signal.getsignal(signal.SIGTERM)
        with stopped_by_signals(stop, stop.now):
            signal.raise_signal(signal.SIGHUP)  # as under nohup
            assert not stop.signal
            assert signal.getsignal(signal.SIGTERM) is not own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_computed_is_told_first():
    told: list[tuple[object, ...]] = []
    watch = Watch(lambda *progress: told.append(progress))
    assert watch.compute("comparing length 9", lambda: 7) == 7
    assert told == [("comparing length 9", 0, 0, None)]


def test_what_is_told_in_a_stage_says_how_far_it_is_and_what_is_left():
    told: list[tuple[object, ...]] = []
    watch = Watch(lambda *progress: told.append(progress))
    for item in watch.paced([1, 2, 4], Work):
        watch.compute(f"item {item}", lambda seconds=item / 5: time.sleep(seconds))
    watch.tell("after")
    assert [progress[:3] for progress in told] == [
        *((f"item {item}", done, 3) for done, item in enumerate((1, 2, 4))),
        ("after", 0, 0),
    ]
    first, second, third, after = (progress[3] for progress in told)
    assert first is None and after is None
    assert second > 1.0 and third > 0.6, "six fifths and four"
