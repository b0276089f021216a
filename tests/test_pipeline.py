"""The whole way on real TensorFlow, Ctrl-C at each of its stages, and what the exit code says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from convdiff.case.device import Device
from convdiff.case.load import built_in_case
from convdiff.case.model import Case
from convdiff.case.override import vary
from convdiff.lab.pool import Job, Outcome, Pool
from convdiff.pipeline import Request, examine
from convdiff.plan import expand as planning
from convdiff.plan.cell import Cell
from convdiff.result import CaseResult, Result
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Runtime, Standing

SETTINGS = [("TF_ENABLE_ONEDNN_OPTS", ["0"])]


class InterruptedPool(Pool):
    """A pool in which Ctrl-C comes at a chosen call of `observe`, after some outcomes."""

    calls: list[int]
    when: Callable[[int, int], bool]

    def observe(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        call = len(self.calls)
        self.calls.append(0)
        for outcome in super().observe(jobs):
            self.calls[call] += 1
            if self.when(call, self.calls[call]):
                raise KeyboardInterrupt
            yield outcome


def examined(
    case: Case, when: Callable[[int, int], bool] = lambda call, n: False
) -> tuple[Result, list[Any], list[int]]:
    """Return the result, what progress was told, and how many outcomes each call gave."""
    told: list[Any] = []
    asked = tuple(interpreters(["tensorflow"], [], [], SETTINGS))
    with InterruptedPool(timeout=120) as workers:
        workers.calls, workers.when = [], when
        result = examine([case], Request(asked), workers, lambda *said: told.append(said))
    return result, told, workers.calls


CASE = vary(built_in_case(), lengths=tuple(range(5, 21)), devices=(Device("cpu"),))
"""With oneDNN off, T = 5 is unsafe: safe lengths are tried on more random inputs."""


@pytest.fixture(scope="module", autouse=True)
def few_random_inputs_at_first() -> Iterator[None]:
    """Leave random inputs for the second round, which comes when a length was seen to be unsafe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "TRIAL_CELLS", 16)
        yield


@pytest.fixture(scope="module")
def whole(few_random_inputs_at_first: None) -> tuple[Result, list[Any], list[int]]:
    return examined(CASE)


def test_a_whole_run_is_no_interrupted_one(whole):
    result, _, _ = whole
    (case,) = result.cases
    assert (result.interrupted, case.interrupted) == (False, False)
    assert case.done == case.cells
    assert result.exit_code == 0
    assert {f.comparison.axis for f in case.findings} == {"length", "reference"}
    assert len(case.findings) == 15 + 16


def test_progress_counts_up_to_the_cells(whole):
    result, told, _ = whole
    (case,) = result.cases
    counts = [done for _, done, total in told if total == case.cells]
    assert counts[: case.cells] == list(range(1, case.cells + 1))
    assert "length 20" in told[0][0]


def test_small_outputs_are_kept_whole_and_random_ones_are_not(whole):
    (case,) = whole[0].cases
    assert {cell.length for cell in case.outputs} == set(range(5, 17))
    assert all(not cell.trial for cell in case.outputs)


def test_ctrl_c_among_the_cells_keeps_what_was_compared(whole):
    result, _, calls = examined(CASE, lambda call, n: call == 0 and n == 40)
    (case,) = result.cases
    assert (result.exit_code, result.outcome) == (130, "error")
    assert case.interrupted
    assert 0 < case.done < case.cells
    assert 0 < len(case.findings) < len(whole[0].cases[0].findings)
    assert len(calls) == 1, "nothing is run after Ctrl-C"


STAGES = {
    "the first probe": lambda calls: 1,
    "an explanation": lambda calls: calls.index(1) + 3,
    "random inputs": lambda calls: calls.index(max(calls[1:]), 1),
}
"""The call of the pool in which each comes; the numbers of outcomes tell them apart."""


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_after_the_cells_keeps_every_comparison(stage: str, whole):
    complete, _, calls = whole
    stop = STAGES[stage](calls)
    assert calls[stop] > 0
    result, _, made = examined(CASE, lambda call, n: call == stop)
    assert len(made) == stop + 1, "nothing is run after Ctrl-C"
    assert result.exit_code == 130
    (case,) = result.cases
    assert case.interrupted
    assert case.done == case.cells
    verdicts = [f.verdict for f in complete.cases[0].findings]
    assert [f.verdict for f in case.findings] == verdicts
    assert [safe.longest for safe in case.safe_lengths] == [20]


def test_ctrl_c_before_anything_was_done_is_an_empty_result():
    result, _, _ = examined(CASE, lambda call, n: True)
    assert result.exit_code == 130
    assert result.cases[0].findings == ()
    assert result.cases[0].done == 0


CELL = Cell(Runtime(interpreters(["tensorflow"], [], [], [])[0], Device("cpu")), "conv2d", 7, 1)
MADE = CaseResult(CASE, "ok", (CELL.runtime,), (), (), None, (), ())
ABSENT = Standing(CELL.runtime, False, "no GPU")


def code(*outcomes: str, died: bool = False, **more: Any) -> int:
    cases = tuple(replace(MADE, outcome=outcome, died=died) for outcome in outcomes)
    return Result((), cases, **more).exit_code


def test_the_exit_code_is_the_gravest_of_what_happened():
    assert code("ok") == 0
    assert code("ok", "drift") == 1
    assert code("ok", "untested") == 125
    assert code("untested", "drift") == 1, "drift that was found counts before what is missing"
    assert code("ok", died=True) == 125
    assert code("drift", died=True) == 1
    assert code("ok", missing_required=(ABSENT,)) == 125
    assert code("ok", interrupted=True) == 130
    assert code("drift", interrupted=True) == 130


def test_no_case_at_all_is_never_green():
    assert code() == 125


def test_every_exit_code_has_its_word():
    words = {0: "ok", 1: "drift", 125: "untested", 130: "error"}
    for outcome, interrupted in itertools.product(("ok", "drift", "untested"), (False, True)):
        result = Result((), (replace(MADE, outcome=outcome),), interrupted=interrupted)
        assert result.outcome == words[result.exit_code]
