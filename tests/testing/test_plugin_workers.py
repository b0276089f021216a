"""The plugin's workers: one set a pytest process, shared by its cases, gone when it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from program import Ran
from project import DRIFT, OK, Project, clean, outcomes

import convdiff.pipeline
from convdiff.lab.session import Session
from convdiff.testing.pytest_plugin import Cases

pytestmark = pytest.mark.framework

needs_proc = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="workers are found through /proc"
)

LONG = """
filter: {normal: 1, shape: [3, 3, 16, 16]}
input: {normal: 1}
height: 24
lengths: 100..1000
"""
"""It takes minutes."""


@pytest.fixture
def counted(project: Project) -> tuple[str, Path]:
    """Return an interpreter that writes a line whenever it is started, and the file."""
    path, starts = project.folder / "bin" / "python", project.folder / "starts"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\necho $$ >> "{starts}"\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return str(path), starts


def test_the_framework_is_imported_once_for_all_cases(project: Project, counted):
    project.write(a_yaml=OK, b_yaml=OK, c_yaml=DRIFT, d_yaml=OK)
    ran = project.pytest("--convdiff-python", counted[0])
    assert outcomes(ran) == {"failed": 1, "passed": 3}
    assert len(counted[1].read_text().split()) == 1


def test_what_the_workers_leave_is_no_warning(project: Project, bare_python: Path):
    """pytest exits with 1, after all, where warnings are errors."""
    project.write(a_yaml=OK, b_yaml=OK)
    ran = project.pytest("-W", "error", "--convdiff")
    assert (ran.code, ran.err) == (0, "")
    ran = project.pytest("-W", "error", "--convdiff-python", bare_python, env={"COLUMNS": "200"})
    assert outcomes(ran) == {"failed": 2}
    assert (ran.code, ran.err) == (1, "")


def test_no_worker_is_started_before_a_case_runs(project: Project, counted):
    project.write(a_yaml=OK)
    assert project.pytest("--convdiff-python", counted[0], "--collect-only").code == 0
    assert project.pytest("--convdiff-python", counted[0], "-k", "nothing").code == 5
    assert not counted[1].exists()


def test_with_xdist_each_process_has_its_own(project: Project, counted):
    pytest.importorskip("xdist")
    project.write(a_yaml=OK, b_yaml=OK, c_yaml=DRIFT, d_yaml=OK)
    plugins = ("-p", "xdist", "-n", "2", "--dist", "loadfile")
    ran = project.pytest(*plugins, "--convdiff-python", counted[0])
    assert outcomes(ran) == {"failed": 1, "passed": 3}
    assert "again: convdiff run c.yaml --lengths 7 --python" in ran.out
    assert len(counted[1].read_text().split()) == 2
    wrong = project.pytest(*plugins, "--convdiff-python", "nowhere")
    assert wrong.code == pytest.ExitCode.USAGE_ERROR


def below(pid: int) -> dict[int, str]:
    """Return the convdiff workers among a process's descendants, by their start times."""
    parents, workers = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
            if b"worker/main.py" in command:
                workers[int(folder.name)] = fields[19]

    def descends(child: int) -> bool:
        return child == pid or (child in parents and descends(parents[child]))

    return {child: start for child, start in workers.items() if descends(child)}


def alive(workers: dict[int, str]) -> list[int]:
    """Return which workers still run; what waits for init to bury it does not."""
    found = []
    for pid, start in workers.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found += [pid] if fields[19] == start and fields[0] != "Z" else []
    return found


def busy(pid: int) -> bool:
    """Return whether a worker has sent a megabyte."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return False
    return int(next(line for line in lines if line.startswith("wchar")).split()[1]) > 1_000_000


def interrupted(
    project: Project, *arguments: str, workers: int, end: Callable[[int], None]
) -> tuple[Ran, list[int]]:
    """Run pytest, end it when its workers are busy, return what it left and who lives on."""
    with subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        env=clean({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + 90
            seen: dict[int, str] = {}
            while sum(map(busy, seen)) < workers:
                assert time.monotonic() < deadline, "the workers did not come to work"
                time.sleep(0.05)
                seen.update(below(process.pid))
            end(process.pid)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    deadline = time.monotonic() + 20
    while alive(seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    return Ran(process.returncode, out, err), alive(seen)


@needs_proc
def test_ctrl_c_ends_the_run_and_the_workers(project: Project):
    project.write(a_yaml=LONG, b_yaml=OK)
    ran, left = interrupted(
        project, "--convdiff", workers=1, end=lambda pid: os.kill(pid, signal.SIGINT)
    )
    assert ran.code == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in ran.out
    assert "Traceback" not in ran.out + ran.err
    assert not left


@needs_proc
def test_ctrl_c_ends_the_workers_of_all_xdist_processes(project: Project):
    pytest.importorskip("xdist")
    project.write(a_yaml=LONG, b_yaml=LONG)
    ran, left = interrupted(
        project,
        *("-p", "xdist", "-n", "2", "--convdiff"),
        workers=2,
        end=lambda pid: os.killpg(pid, signal.SIGINT),
    )
    assert ran.code == pytest.ExitCode.INTERRUPTED
    assert not left


@needs_proc
def test_workers_end_with_a_pytest_that_is_killed(project: Project):
    project.write(a_yaml=LONG)
    ran, left = interrupted(
        project, "--convdiff", workers=1, end=lambda pid: os.kill(pid, signal.SIGKILL)
    )
    assert ran.code == -signal.SIGKILL
    assert not left


@pytest.fixture
def cases() -> Iterator[Cases]:
    """Yield the hooks as they are for a plain --convdiff, outside of any pytest."""
    config: Any = SimpleNamespace(
        getoption=lambda name: None,
        getini=lambda name: [] if name == "convdiff_python" else "",
        inipath=None,
        invocation_params=SimpleNamespace(dir=Path.cwd()),
    )
    made = Cases(config)
    yield made
    made.close()


def examined(monkeypatch: pytest.MonkeyPatch, *outcomes: Any) -> list[Session]:
    """Let run() answer with each outcome, one after the other; return the sessions it gets."""
    sessions: list[Session] = []

    def run(_cases: Any, session: Session, _ask: Any) -> Any:
        sessions.append(session)
        outcome = outcomes[len(sessions) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome == "dies":
            session.pool._deaths[session.interpreters[0]] = 1
        return SimpleNamespace(interrupted=outcome == "interrupted", exit_code=0)

    monkeypatch.setattr(convdiff.pipeline, "run", run)
    monkeypatch.setattr("convdiff.case.arrays.refuse_too_big", lambda case: None)
    return sessions


def test_a_worker_that_died_of_one_case_does_not_cost_the_next(cases, monkeypatch):
    sessions = examined(monkeypatch, "ok", "dies", "ok", "ok")
    for _ in range(4):
        assert cases.failure(None) == ""
    assert sessions[0] is sessions[1] and sessions[2] is sessions[3]
    assert sessions[1] is not sessions[2]
    assert not sessions[1].pool._workers, "its workers have ended"


def test_what_breaks_in_the_middle_of_a_case_does_not_leave_its_workers_to_the_next(
    cases, monkeypatch
):
    sessions = examined(monkeypatch, ValueError("a bug"), "ok")
    with pytest.raises(ValueError, match="a bug"):
        cases.failure(None)
    assert cases.failure(None) == ""
    assert sessions[0] is not sessions[1]
    assert not sessions[0].pool._workers


def test_what_was_interrupted_is_no_result(cases, monkeypatch):
    examined(monkeypatch, "interrupted")
    with pytest.raises(KeyboardInterrupt):
        cases.failure(None)


def test_the_end_of_pytest_ends_the_workers(cases, monkeypatch):
    sessions = examined(monkeypatch, "ok")
    cases.failure(None)
    assert sessions[0].pool._workers
    cases.pytest_unconfigure()
    assert not sessions[0].pool._workers
