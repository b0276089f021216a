"""Both sides of a change, side by side: what was not compared is not said to be equal."""

from __future__ import annotations

import signal
import sys

from convdiff.case.load import built_in_case
from convdiff.lab.session import Session
from convdiff.pipeline import Ask
from convdiff.runtime.model import Interpreter
from convdiff.search.neighbours import in_session

NUMPY = Interpreter("numpy", sys.executable)


def test_two_sides_that_agree_have_no_finding():
    with Session([NUMPY], 60) as session:
        session.start()
        both = in_session(built_in_case(), session, "length", Ask(), lambda *_: None)
    assert both is not None and both.finding is None and both.result.findings


def test_two_sides_of_which_one_was_not_run_are_not_said_to_agree():
    with Session([NUMPY], 60) as session:
        session.start()
        stop = lambda _, __, cells, ___: cells and session.stop(signal.SIGTERM)  # noqa: E731
        assert in_session(built_in_case(), session, "length", Ask(), stop) is None
