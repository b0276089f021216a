"""The pool of workers: what a worker does wrong costs one cell, with its reason, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_cells import is_good, job, observe

from convdiff.lab.pool import DEATHS, NotPythonError, Pool
from convdiff.lab.process import INFORMS
from convdiff.plan.cell import NoBits

pytestmark = pytest.mark.slow


def is_running(pid: int) -> bool:
    """Return whether the process runs; a zombie that nobody reaps does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def test_cells_are_answered_in_order_with_the_prefix_they_ask_for(pool, fake):
    outcomes = observe(pool, fake(), ["conv2d", "conv2d", "conv2d"])
    assert all(is_good(outcome) for outcome in outcomes)


def test_the_cell_in_which_sigkill_strikes_is_lost_and_the_rest_run_on_a_new_worker(pool, fake):
    outcomes = observe(pool, fake(), ["conv2d", "pid", "kill", "pid", "conv2d"])
    assert is_good(outcomes[0]) and is_good(outcomes[4])
    lost = outcomes[2]
    assert isinstance(lost, NoBits) and lost.died
    assert lost.reason.startswith("worker killed by SIGKILL (out of memory?)")
    assert lost.reason.endswith("last said: about to be killed")
    assert outcomes[1].item() != outcomes[3].item(), "another process"
    assert not is_running(outcomes[1].item())


def test_a_worker_killed_from_outside_in_the_middle_of_a_sweep_costs_one_cell(pool, fake):
    outcomes = {}
    for _, cell, result, _ in pool.observe([job(fake(), ["pid", "nap", "conv2d", "conv2d"])]):
        outcomes[cell] = result
        if cell == 0:
            os.kill(result.item(), signal.SIGKILL)
    assert [isinstance(outcomes[n], NoBits) for n in range(4)] == [False, True, False, False]
    assert "SIGKILL" in outcomes[1].reason


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("segfault", "worker killed by SIGSEGV"),
        ("abort", "worker killed by SIGABRT; last said: second line / [31mlast line"),
        ("exit", "worker ended with status 3"),
        ("system_exit", "worker ended with status 4"),
    ],
)
def test_a_death_is_told_by_its_signal_or_status_and_last_words(pool, fake, op, words):
    lost, after = observe(pool, fake(), [op, "conv2d"])
    assert lost.died and lost.reason.startswith(words), lost.reason
    assert is_good(after)


@pytest.mark.parametrize(
    ("line", "informs"),
    [
        ("I0000 00:00:1795955571.956558   14391 cpu_feature_guard.cc:227] This TensorFlow", True),
        ("2026-11-29 12:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom", True),
        ("To enable the following instructions: AVX2 AVX512F FMA, in other operations", True),
        ("WARNING: All log messages before absl::InitializeLog() is called are written", True),
        ("F0000 00:00:1795955571.956558   14391 tensor_shape.cc:358] Check failed: 0 <= n", False),
        ("2026-11-29 12:00:00.123456: F tensorflow/core/framework/tensor_shape.cc:46]", False),
        ("*** Check failure stack trace: ***", True),
        ("@     0x7f4ce2bb34ad  pybind11::cpp_function::dispatcher()", True),
        ("E0000 00:00:1795955571.956558   14391 cuda.cc:1] failed call to cuInit", False),
        ("terminate called after throwing an instance of 'std::bad_alloc'", False),
        ("Incompatible shapes: I expected 3", False),
    ],
)
def test_last_words_are_those_that_say_why(line, informs):
    assert bool(INFORMS.match(line)) == informs


def test_a_worker_that_hangs_is_ended_at_the_timeout_and_the_rest_goes_on(patient, fake):
    pid, lost, after = observe(patient, fake(), ["pid", "hang", "conv2d"])
    assert lost.died and lost.reason.startswith("worker said nothing for 5 s")
    assert is_good(after)
    assert not is_running(pid.item())


@pytest.mark.parametrize("seconds", [10.0**7, 10.0**300, float("inf")])
def test_no_limit_is_too_far_away_to_wait_for(fake, seconds):
    with Pool(timeout=seconds) as pool:
        assert is_good(observe(pool, fake(), ["conv2d"])[0])


def test_a_worker_that_stops_reading_does_not_block_the_parent(patient, fake):
    interpreter = fake()
    [pid] = observe(patient, interpreter, ["pid"])
    os.kill(pid.item(), signal.SIGSTOP)
    big = {"x": np.ones((1, 1, 4_000_000, 1), np.float32), "w": np.ones((1, 1, 1, 1), np.float32)}
    outcomes = [result for _, _, result, _ in patient.observe([job(interpreter, ["a", "b"], big)])]
    assert outcomes[0].reason.startswith("worker read nothing for 5 s")
    assert is_good(outcomes[1])
    assert ends_within(pid.item(), 5)


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ("garbage", "worker sent garbage (not a frame"),
        ("no_header", "worker sent garbage (a header without arrays"),
        ("false_shape", "worker sent garbage (a payload shorter than its header says"),
        ("no_dtype", "worker sent garbage (damaged arrays"),
        ("objects", "worker sent garbage (an impossible array: object [1]"),
        ("negative", "worker sent garbage (an impossible array: float32 [-1]"),
        ("stale", "worker sent garbage (a reply that answers nothing"),
        ("empty", "worker sent garbage (a reply that answers nothing"),
        ("half_a_frame", "worker ended with status 0"),
        ("endless_frame", "worker sent garbage (a frame of 18446744073709551615 bytes)"),
    ],
)
def test_garbage_on_the_pipe_costs_the_cell_and_no_traceback(patient, fake, op, words):
    lost, after = observe(patient, fake(), [op, "conv2d"])
    assert isinstance(lost, NoBits) and lost.died
    assert lost.reason.startswith(words), lost.reason
    assert is_good(after)


def test_a_worker_that_closes_its_pipe_is_ended(pool, fake):
    pid, lost, after = observe(pool, fake(), ["pid", "close", "conv2d"])
    assert lost.reason.startswith("worker closed its pipe")
    assert is_good(after) and not is_running(pid.item())


def test_a_refusal_is_no_death(pool, fake):
    before, refused, after = observe(pool, fake(), ["pid", "refuse", "pid"])
    assert refused == NoBits("ValueError: this shape is not mine", died=False)
    assert before.item() == after.item(), "the same worker goes on"


def test_an_interpreter_that_keeps_dying_is_given_up_and_every_cell_has_a_reason(pool, fake):
    outcomes = observe(pool, fake(), ["exit"] * (DEATHS + 3))
    assert all(isinstance(outcome, NoBits) and outcome.died for outcome in outcomes)
    assert [outcome.reason.startswith("given up after 3 deaths") for outcome in outcomes] == [
        *[False] * DEATHS,
        *[True] * 3,
    ]


def test_chatter_on_stdout_does_not_reach_the_wire_and_is_kept_in_the_log(pool, fake):
    interpreter = fake()
    outcomes = observe(pool, interpreter, ["chatter", "conv2d"])
    assert all(is_good(outcome) for outcome in outcomes)
    assert pool.log(interpreter).split("\n")[:3] == ["printed", "written", "by a child"]


def test_settings_and_threads_are_there_before_the_framework_is_opened(pool, fake, monkeypatch):
    monkeypatch.setenv("TF_FROM_THE_SHELL", "kept")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = pool.fingerprint(fake(threads=3, TF_ENABLE_ONEDNN_OPTS="0"))
    assert found["threads"] == 3
    environment = found["environment"]
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert environment["TF_FROM_THE_SHELL"] == "kept"
    assert environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "3"
    assert pool.fingerprint(fake())["environment"]["OMP_NUM_THREADS"] == "7"


def test_several_interpreters_run_at_once(pool, fake, tmp_path):
    folder = tmp_path / "meeting"
    folder.mkdir()
    interpreters = [fake(FAKE_MEET=str(folder), NUMBER=str(n)) for n in range(2)]
    jobs = [job(interpreter, ["meet", "pid"]) for interpreter in interpreters]
    outcomes = {(number, cell): result for number, cell, result, _ in pool.observe(jobs)}
    assert is_good(outcomes[0, 0]) and is_good(outcomes[1, 0]), "each waited for the other"
    assert outcomes[0, 1].item() != outcomes[1, 1].item()


def test_two_jobs_of_one_interpreter_share_its_worker(pool, fake):
    interpreter = fake()
    jobs = [job(interpreter, ["pid"]), job(interpreter, ["pid", "pid"])]
    pids = {result.item() for _, _, result, _ in pool.observe(jobs)}
    assert len(pids) == 1


def test_starting_a_worker_does_not_wait_for_its_framework(pool, fake):
    interpreter = fake(FAKE_OPEN="slow")
    started = time.monotonic()
    pool.start(interpreter)
    assert time.monotonic() - started < 0.5
    assert pool.fingerprint(interpreter)["framework"] == "fake"
    assert time.monotonic() - started > 0.6


def test_one_worker_that_dies_leaves_the_others_alone(pool, fake):
    jobs = [job(fake(), ["pid", "pid"]), job(fake(NUMBER="2"), ["kill", "kill", "kill", "kill"])]
    outcomes = {(number, cell): result for number, cell, result, _ in pool.observe(jobs)}
    assert outcomes[0, 0].item() == outcomes[0, 1].item()
    assert all(outcomes[1, cell].died for cell in range(4))


@pytest.mark.parametrize(
    ("mode", "words", "died"),
    [
        ("raise", "ImportError: libsomething.so.1: cannot open shared object file", False),
        (
            "die",
            "worker killed by SIGKILL (out of memory?); last said: cannot load libcudart",
            True,
        ),
        ("hang", "worker said nothing for 5 s", True),
    ],
)
def test_a_framework_that_cannot_be_opened_is_a_failure_with_its_reason(
    patient, fake, mode, words, died
):
    interpreter = fake(FAKE_OPEN=mode)
    found = patient.fingerprint(interpreter)
    assert found == NoBits(words, died)
    assert observe(patient, interpreter, ["conv2d", "conv2d"]) == [found, found]


def test_an_interpreter_that_once_answered_is_python_even_if_it_dies_at_its_next_start(
    pool, fake, tmp_path
):
    interpreter = fake(FAKE_OPEN="second_start_dies", FAKE_FLAG=str(tmp_path / "flag"))
    lost, after, last = observe(pool, interpreter, ["kill", "conv2d", "conv2d"])
    assert "SIGKILL" in lost.reason
    assert after.reason.startswith("worker ended with status 7") and last == after


def test_leaving_the_pool_ends_its_workers(fake):
    with Pool(timeout=60) as pool:
        idle = pool.fingerprint(fake())["pid"]
        starting = fake(FAKE_OPEN="hang")
        pool.start(starting)
        assert is_running(idle)
    assert ends_within(idle, 5)


SCRIPT = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
from convdiff.runtime.model import Interpreter
from convdiff.lab.pool import Pool
from fake_cells import job
interpreter = Interpreter("tensorflow", {program!r})
with Pool(60) as pool:
    for _, cell, result, _ in pool.observe([job(interpreter, ["pid", "nap", "pid"])]):
        {action}
"""


def run_as_parent(fake, action: str) -> tuple[int, str]:
    """Run a parent of its own session with this action at each outcome; return status, stdout."""
    script = SCRIPT.format(
        tests=str(Path(__file__).parent.parent / "support"), program=fake().python, action=action
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        start_new_session=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def test_ctrl_c_reaches_the_parent_and_not_the_workers(fake):
    # A terminal sends SIGINT to the whole foreground group. The parent here ignores it.
    action = (
        "signal.signal(signal.SIGINT, lambda *_: print('interrupted')); "
        "cell or os.killpg(0, signal.SIGINT); print(getattr(result, 'reason', result.size))"
    )
    status, said = run_as_parent(fake, action)
    assert status == 0
    assert said.split() == ["interrupted", "1", "4", "1"], "every cell was still answered"


def test_workers_end_when_the_parent_is_killed(fake):
    action = "print(result.item(), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    status, said = run_as_parent(fake, action)
    assert status == -signal.SIGKILL
    assert ends_within(int(said), 10)


@pytest.mark.parametrize("program", ["/bin/true", "/bin/false", "/bin/cat"])
@pytest.mark.parametrize("started", [False, True])
def test_a_program_that_is_no_python_is_called_that(pool, fake, program, started):
    interpreter = type(fake())("tensorflow", program)
    with pytest.raises(NotPythonError, match=f"--python {program}: not a Python 3.6 or later"):
        if started:
            pool.start(interpreter)
            time.sleep(0.1)
        pool.fingerprint(interpreter)


def test_a_program_that_ends_before_it_is_written_to_is_no_python_either(fake):
    interpreter = type(fake())("tensorflow", "/bin/true")
    for _ in range(20):  # whether its pipe is still open when it is first written to is a race
        with Pool(timeout=5) as pool, pytest.raises(NotPythonError):
            pool.start(interpreter)
            pool.fingerprint(interpreter)


def test_a_text_file_that_is_executable_is_no_python(pool, fake, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"\x00\x01 notes")
    path.chmod(0o755)
    with pytest.raises(NotPythonError, match="Exec format error"):
        pool.fingerprint(type(fake())("tensorflow", str(path)))


def test_a_script_whose_interpreter_is_gone_is_no_python(pool, fake, tmp_path):
    path = tmp_path / "python"
    path.write_text("#!/nowhere/python3\n")
    path.chmod(0o755)
    with pytest.raises(NotPythonError, match="No such file or directory"):
        pool.fingerprint(type(fake())("tensorflow", str(path)))


def test_a_program_that_says_something_else_is_no_python(pool, fake, tmp_path):
    path = tmp_path / "parrot"
    path.write_text("#!/bin/sh\necho hello, I am a parrot > /proc/self/fd/$3\nsleep 60\n")
    path.chmod(0o755)
    with pytest.raises(NotPythonError, match="garbage"):
        pool.fingerprint(type(fake())("tensorflow", str(path)))


def test_a_silent_program_is_no_python_after_the_timeout(patient, fake, tmp_path):
    path = tmp_path / "silent"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)
    with pytest.raises(NotPythonError, match="said nothing for 5 s"):
        patient.fingerprint(type(fake())("tensorflow", str(path)))
