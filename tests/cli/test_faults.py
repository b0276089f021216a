"""Workers killed, Ctrl-C, closed streams: what was done is shown, and the exit code is right."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from program import COMMAND, PROGRESS, Ran, case_file, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are found through /proc")

LONG = """
filter: {normal: 1, shape: [3, 3, 16, 16]}
input: {normal: 1}
height: 24
lengths: [100, 1000]
devices: [cpu]
"""
"""A sweep of it takes minutes."""


def children(pid: int) -> list[int]:
    """Return the worker processes of a running convdiff; none of one that has ended."""
    pids: list[int] = []
    for thread in threads(pid):
        pids += map(int, text(thread / "children").split())
    return [child for child in pids if "worker/main.py" in commandline(child)]


def threads(pid: int) -> list[Path]:
    """Return the folders of a process's threads; none of one that has ended."""
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []


def text(file: Path) -> str:
    """Read a file of /proc; nothing of a process or thread that has ended."""
    try:
        return file.read_text()
    except OSError:
        return ""


def commandline(pid: int) -> str:
    return text(Path(f"/proc/{pid}/cmdline"))


def written(pid: int) -> int:
    """Return how many bytes a worker sent so far; its observations go through write()."""
    for line in text(Path(f"/proc/{pid}/io")).splitlines():
        if line.startswith("wchar:"):
            return int(line.split()[1])
    return 0


def busy_worker(pid: int, least: int) -> int:
    """Wait until a worker of this convdiff has sent so many bytes; return the worker."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in children(pid):
            if written(child) > least:
                return child
        time.sleep(0.02)
    raise AssertionError("no worker came to work")


def run_and(
    meanwhile: Callable[[int], object], *arguments: object, env: dict[str, str] | None = None
) -> tuple[Ran, list[int]]:
    """Run convdiff and do something to it; return what it left and the workers it had."""
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        seen: set[int] = set()
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.05):
                seen.update(children(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            meanwhile(process.pid)
            out, err = process.communicate(timeout=120)
        finally:
            stop.set()
            watcher.join()
            process.kill()
    return Ran(process.returncode, out, err), sorted(seen)


def without_progress(err: str) -> str:
    """Return stderr less its progress, told after ten seconds, which a busy machine may take."""
    return PROGRESS.sub("", err)


def gone(pids: list[int]) -> bool:
    """Return whether none of these workers runs any more, a moment later at the most."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not any("worker/main.py" in commandline(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_a_convdiff_that_has_ended_has_no_workers():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        assert children(process.pid) == []
        assert written(process.pid) == 0


@pytest.fixture(scope="module")
def killed(
    runs_framework: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ran, dict, list[int]]:
    folder = tmp_path_factory.mktemp("killed")
    path = folder / "report.json"
    case = case_file(folder, LONG)

    def kill(pid: int) -> None:
        os.kill(busy_worker(pid, 1_000_000), signal.SIGKILL)

    ran, workers = run_and(
        kill, "sweep", case, "--lengths", "100..115", "--no-explain", "--json", path
    )
    return ran, json.loads(path.read_text()), workers


def test_a_killed_worker_is_an_observation_and_the_sweep_goes_on(killed):
    ran, report, workers = killed
    assert ran.code in (1, 125)
    assert not without_progress(ran.err)
    assert "killed by SIGKILL" in ran.out
    assert len(workers) == 2, "a new worker goes on where the first died"
    comparisons = report["cases"][0]["comparisons"]
    assert report["cases"][0]["cells"]["done"] == report["cases"][0]["cells"]["asked"]
    compared = [c for c in comparisons if c["verdict"] != "untested"]
    assert len(compared) >= len(comparisons) - 16
    assert {c["axis"] for c in compared} == {"length", "reference", "exact"}


def test_the_cell_that_was_lost_is_named_with_the_reason(killed):
    ran, report, _ = killed
    (lost,) = report["cases"][0]["failures"]
    assert lost["reason"].startswith("worker killed by SIGKILL")
    assert lost["died"] is True
    assert lost["runtime"] == "tensorflow:cpu"
    (said,) = [line for line in ran.out.splitlines() if line.startswith("untested")]
    assert f"{lost['op']} T={lost['length']}" in said
    for comparison in report["cases"][0]["comparisons"]:
        if comparison["verdict"] == "untested":
            assert "SIGKILL" in comparison["reason"]


def test_no_worker_outlives_the_run(killed):
    assert gone(killed[2])


ENDED = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


@pytest.fixture(scope="module", params=list(ENDED), ids=lambda number: number.name)
def ended_by(request: pytest.FixtureRequest) -> signal.Signals:
    return signal.Signals(request.param)


@pytest.fixture(scope="module")
def interrupted(
    runs_framework: None, tmp_path_factory: pytest.TempPathFactory, ended_by: signal.Signals
) -> tuple[Ran, dict, list[int]]:
    folder = tmp_path_factory.mktemp("interrupted")
    path = folder / "report.json"

    def interrupt(pid: int) -> None:
        busy_worker(pid, 30_000_000)
        os.kill(pid, ended_by)

    ran, workers = run_and(
        interrupt, "sweep", case_file(folder, LONG), "--lengths", "100..1000", "--json", path
    )
    return ran, json.loads(path.read_text()), workers


def test_a_signal_ends_it_with_its_exit_code_and_without_a_traceback(interrupted, ended_by):
    ran, report, _ = interrupted
    code, word = ENDED[ended_by]
    assert ran.code == report["exit_code"] == code
    assert ran.err.splitlines()[-1] == f"convdiff: {word}"
    assert "Traceback" not in ran.err


def test_a_signal_shows_what_was_done(interrupted):
    ran, report, _ = interrupted
    cells = report["cases"][0]["cells"]
    assert 0 < cells["done"] < cells["asked"]
    assert f"{cells['done']:,} of {cells['asked']:,} cells" in ran.out
    comparisons = report["cases"][0]["comparisons"]
    assert comparisons
    assert "length, against T=1000" in ran.out
    assert all(c["elements"] for c in comparisons)


def test_a_signal_leaves_no_worker_behind(interrupted):
    _, _, workers = interrupted
    assert workers
    assert gone(workers)


@pytest.mark.framework
def test_ctrl_c_during_the_frameworks_import_says_so():
    def interrupt(pid: int) -> None:
        while not children(pid):
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(pid, signal.SIGINT)

    ran, workers = run_and(interrupt, "run")
    assert ran.code == 130
    assert ran.err.splitlines() == ["convdiff: interrupted"]
    assert gone(workers)


def shell(line: str, *arguments: object) -> Ran:
    """Run `convdiff run ARGUMENTS` in bash, with whatever is redirected in `line`."""
    program = shlex.join([*COMMAND, "run", *map(str, arguments)])
    done = subprocess.run(
        ["bash", "-c", line.replace("CONVDIFF", program)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_a_reader_that_goes_away_changes_no_verdict():
    ran = shell(
        "CONVDIFF | head -1; exit ${PIPESTATUS[0]}", "--framework", "numpy", "--lengths", "7,8"
    )
    assert (ran.code, without_progress(ran.err)) == (0, "")
    assert len(ran.out.splitlines()) == 1


@pytest.mark.slow
def test_a_reader_that_was_never_there_changes_no_verdict(bare_python: Path):
    ran = shell("CONVDIFF | true; exit ${PIPESTATUS[0]}", "--python", bare_python)
    assert (ran.code, ran.out) == (125, "")
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_closed_streams_change_no_verdict(bare_python: Path):
    ran = shell("CONVDIFF <&- >&-", "--python", bare_python)
    assert (ran.code, ran.out) == (125, "")
    assert all("is required" in line for line in ran.err.splitlines())
    ran = shell("CONVDIFF 2>&-", "--python", bare_python)
    assert (ran.code, ran.err) == (125, "")
    assert "  again  convdiff run" in ran.out


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_no_drift(bare_python: Path):
    assert shell("CONVDIFF > /dev/full", "--python", bare_python) == Ran(
        125, "", "convdiff: [Errno 28] No space left on device\n"
    )
