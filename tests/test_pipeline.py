"""The whole way on real TensorFlow, a stop at each of its stages, and what the exit code says.

What comes after the cells is the same whatever computed them: those stops are of a run of a kernel
of our own, whose process starts at once.
"""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from convdiff.case.device import Device
from convdiff.case.load import built_in_case
from convdiff.case.model import Case
from convdiff.case.override import vary
from convdiff.lab.session import Session
from convdiff.pipeline import Ask, run
from convdiff.plan import trials
from convdiff.plan.cell import Cell
from convdiff.result import CaseResult, Result
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter, Runtime, Standing

pytestmark = pytest.mark.framework

TENSORFLOW = interpreters(["tensorflow"], [], [], [("TF_ENABLE_ONEDNN_OPTS", ["0"])])
KERNEL = """
def convolution(x, w, b):
    width = x.shape[2] - 4
    products = [x[:, :, tap : tap + width] * w[0, tap] for tap in range(5)]
    return sum(products[::-1] if width == 1 else products) + b
"""
"""Like TensorFlow's without oneDNN, it adds a single output in another order."""
Progress = list[tuple[str, int, int]]
Stop = Callable[[Progress], bool]
"""Says of what was told so far whether the session is stopped now."""


def examined(
    case: Case,
    stop: Stop = lambda told: False,
    number: int = signal.SIGINT,
    runtimes: Sequence[Interpreter] = TENSORFLOW,
) -> tuple[Result, Progress, Session]:
    """Return the result, what progress was told, and the session that was stopped."""
    told: Progress = []
    with Session(runtimes, timeout=120) as session:

        def tell(*progress: Any) -> None:
            told.append(progress)
            if stop(told):
                session.stop(number)

        return run([case], session, Ask(), tell), told, session


CASE = vary(built_in_case(), lengths=tuple(range(5, 21)), devices=(Device("cpu"),))
"""With oneDNN off, T = 5 is unsafe: safe lengths are tried on more random inputs."""


@pytest.fixture(scope="module", autouse=True)
def few_random_inputs_at_first() -> Iterator[None]:
    """Leave random inputs for the second round, which comes when a length was seen to be unsafe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "TRIAL_CELLS", 16)
        yield


@pytest.fixture(scope="module")
def whole(few_random_inputs_at_first: None) -> tuple[Result, Progress, Session]:
    return examined(CASE)


def test_a_whole_run_is_no_interrupted_one(whole):
    result, _, _ = whole
    (case,) = result.cases
    assert (result.interrupted, case.interrupted) == (False, False)
    assert case.done == case.cells
    assert result.exit_code == 0
    assert {f.comparison.axis for f in case.findings} == {"length", "reference", "exact"}
    assert len(case.findings) == 15 + 16 + 1


def test_progress_counts_up_to_the_cells(whole):
    result, told, _ = whole
    (case,) = result.cases
    counts = [done for _, done, total, _ in told if total == case.cells]
    assert list(dict.fromkeys(counts)) == list(range(case.cells + 1))
    assert "196 cells, " in told[2][0] and "length 20" in told[3][0]


def test_progress_says_what_is_compared_and_explained(whole):
    said = [what for what, *_ in whole[1]]
    assert "variable-padding: comparing length 9" in said
    counted = re.compile(r"variable-padding: explaining tensorflow:cpu.* at length \d+: .* calls")
    calls = [what for what in said if counted.fullmatch(what)]
    assert len(set(calls)) == len(calls) > 1


def test_small_outputs_are_kept_whole_and_random_ones_are_not(whole):
    (case,) = whole[0].cases
    assert {cell.length for cell in case.outputs} == set(range(5, 17))
    assert all(not cell.trial for cell in case.outputs)


def test_a_stop_among_the_cells_keeps_what_was_compared(whole):
    result, told, session = examined(CASE, lambda told: len(told) == 40)
    (case,) = result.cases
    assert (result.exit_code, result.outcome) == (130, "error")
    assert case.interrupted
    assert (case.outcome, whole[0].cases[0].outcome) == ("untested", "ok")
    assert 0 < case.done < case.cells
    assert 0 < len(case.findings) < len(whole[0].cases[0].findings)
    assert not any("probing" in what or "explaining" in what for what, *_ in told)
    assert session.pool.deaths == 0, "what was ended did not die"


def cells_are_done(told: Progress) -> bool:
    return any(done == total > 100 for _, done, total, _ in told)


@pytest.fixture(scope="module")
def kernel(
    few_random_inputs_at_first: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Interpreter]]:
    """Yield the kernel, where its file is found."""
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "otherwise.py").write_text(KERNEL, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield interpreters(["otherwise:convolution"], [], [], [])


@pytest.fixture(scope="module")
def whole_of_kernel(kernel: list[Interpreter]) -> tuple[Result, Progress, Session]:
    return examined(CASE, runtimes=kernel)


STAGES: dict[str, Stop] = {
    "a probe": lambda told: told[-1][0].endswith("probing"),
    "an explanation": lambda told: "explaining " in told[-1][0],
    "a comparison on random inputs": lambda told: "on random inputs" in told[-1][0],
    "random inputs": lambda told: cells_are_done(told) and "random input 9" in told[-1][0],
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stop_after_the_cells_keeps_every_comparison(stage: str, kernel, whole_of_kernel):
    complete, all_told, _ = whole_of_kernel
    assert any(STAGES[stage](all_told[:n]) for n in range(1, len(all_told))), "it never comes there"
    result, told, session = examined(CASE, STAGES[stage], runtimes=kernel)
    assert session.signal == signal.SIGINT
    assert len(told) < len(all_told), "nothing is run after it"
    assert (result.exit_code, session.pool.deaths) == (130, 0)
    (case,) = result.cases
    assert case.interrupted and not case.died
    assert case.done == case.cells
    verdicts = [f.verdict for f in complete.cases[0].findings]
    assert [f.verdict for f in case.findings] == verdicts
    assert [safe.longest for safe in case.safe_lengths] == [20]


def test_what_a_stop_cut_short_is_not_called_unexplained(kernel):
    result, _, _ = examined(CASE, STAGES["an explanation"], runtimes=kernel)
    reasons = {f.unasked for f in result.cases[0].findings if f.verdict == "rounding"}
    assert "not looked for: interrupted" in reasons
    assert all(f.why is None for f in result.cases[0].findings)


def test_sigterm_has_an_exit_code_of_its_own(kernel):
    result, _, _ = examined(CASE, lambda told: len(told) == 5, signal.SIGTERM, kernel)
    assert result.exit_code == 143


def test_a_stop_at_the_first_cell_leaves_what_had_come_in():
    result, _, _ = examined(CASE, lambda told: ", length" in told[-1][0])
    assert result.exit_code == 130
    (case,) = result.cases
    assert case.done < case.cells / 2, "only what had come in by then"
    assert len(case.findings) <= case.done


CELL = Cell(Runtime(interpreters(["tensorflow"], [], [], [])[0], Device("cpu")), "conv2d", 7, 1)
MADE = CaseResult(CASE, "ok", (CELL.runtime,), (), (), None, ())
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
    assert code("ok", signal=signal.SIGINT) == 130
    assert code("drift", signal=signal.SIGINT) == 130


def test_no_case_at_all_is_never_green():
    assert code() == 125


def test_every_exit_code_has_its_word():
    words = {0: "ok", 1: "drift", 125: "untested", 130: "error"}
    for outcome, number in itertools.product(("ok", "drift", "untested"), (0, signal.SIGINT)):
        result = Result((), (replace(MADE, outcome=outcome),), signal=number)
        assert result.outcome == words[result.exit_code]
