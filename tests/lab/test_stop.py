"""A stop ends what is asked of workers at once, and nothing that it cuts short is an answer."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from fake_cells import job, observe

from convdiff.lab.session import Session
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter


def test_a_stop_ends_a_cell_that_would_never_end(fake):
    with Session([fake()], timeout=60) as session:
        assert not isinstance(session.pool.fingerprint(session.interpreters[0]), NoBits)
        threading.Timer(0.5, session.stop, [signal.SIGINT]).start()
        begin = time.monotonic()
        outcomes = list(session.pool.observe([job(session.interpreters[0], ["hang", "conv2d"])]))
        assert time.monotonic() - begin < 30, "the worker's own time-out is 60 s"
        assert outcomes == [], "an answer that was cut short is none"
        assert session.pool.deaths == 0, "what a stop ends did not die"


def test_after_a_stop_nothing_is_started_and_nothing_is_asked(fake):
    with Session([fake()], timeout=60) as session:
        observe(session.pool, session.interpreters[0], ["conv2d"])
        session.stop(signal.SIGTERM)
        assert list(session.pool.observe([job(session.interpreters[0], ["conv2d"])])) == []
        answer = session.pool.ask(session.interpreters[0], {"do": "probe"}, [])
        assert isinstance(answer, NoBits) and not answer.died
        assert session.pool.deaths == 0


def test_a_stop_while_a_framework_is_imported_is_no_program_that_is_not_python(fake):
    with Session([fake(FAKE_OPEN="hang")], timeout=60) as session:
        session.start()
        threading.Timer(0.5, session.stop, [signal.SIGINT]).start()
        answer = session.pool.fingerprint(session.interpreters[0])
        assert isinstance(answer, NoBits) and not answer.died


@pytest.mark.slow
@pytest.mark.parametrize("others", [1, 3])
def test_several_interpreters_stop_together(fake, others: int):
    interpreters: list[Interpreter] = [fake(FAKE_NUMBER=str(n)) for n in range(1 + others)]
    with Session(interpreters, timeout=60) as session:
        for interpreter in interpreters:
            observe(session.pool, interpreter, ["conv2d"])
        threading.Timer(0.5, session.stop, [signal.SIGINT]).start()
        jobs = [job(interpreter, ["hang"]) for interpreter in interpreters]
        assert list(session.pool.observe(jobs)) == []
