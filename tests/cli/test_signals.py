"""Whatever signal comes, and whenever: what was done is shown, and said not to be all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from program import COMMAND, Ran, case_file, convdiff, environment

pytestmark = pytest.mark.slow

HOPELESS = """
filter: {normal: 1, shape: [3, 3, 32, 1], seed: 1}
input: {normal: 1, seed: 2}
height: 8
lengths: [9, 40]
expect: {reference: bitwise}
"""
"""Its differences are drift, and nothing explains them for a minute."""
KERNEL = ("--kernel", "signalling:convolution")
TERM, INT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
FIRST_CELLS, EXPLAINING = {"AT": "3", "STAY": "60"}, {"AT": "400"}
SENT: Mapping[str, tuple[signal.Signals, int, str, Mapping[str, str]]] = {
    "SIGTERM while a cell runs": (TERM, 143, "terminated", FIRST_CELLS),
    "SIGTERM while explaining": (TERM, 143, "terminated", EXPLAINING),
    "SIGINT while explaining": (INT, 130, "interrupted", EXPLAINING),
    "SIGHUP while explaining": (HUP, 129, "hung up", EXPLAINING),
}
REPORTS = {"--json": "r.json", "--junit": "r.xml", "--markdown": "r.md"}


def folder_for(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signals")
    shutil.copy(Path(__file__).parents[1] / "support" / "signalling.py", folder)
    case_file(folder, HOPELESS)
    case_file(folder, HOPELESS, "later.yaml")
    return folder


class Signalled:
    """A run that was sent a signal by its own worker, and the folder it ran in."""

    def __init__(self, name: str, folder: Path) -> None:
        number, self.code, self.word, at = SENT[name]
        self.folder = folder
        self.explaining = at is EXPLAINING
        reports = [word for option in REPORTS.items() for word in option]
        words = ["run", "case.yaml", "later.yaml", *KERNEL, *reports]
        self.ran = convdiff(*words, env={"SIGNAL": str(int(number)), **at}, cwd=folder)
        self.seconds = time.time() - (folder / "worker.pid").stat().st_mtime


@pytest.fixture(scope="module", params=SENT)
def signalled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Signalled:
    return Signalled(request.param, folder_for(tmp_path_factory))


def test_it_ends_soon_with_the_signals_exit_code(signalled: Signalled):
    assert signalled.ran.code == signalled.code
    assert signalled.seconds < 8, "a minute without a signal"
    assert signalled.ran.err == f"convdiff: {signalled.word}\n"


def test_what_was_done_is_shown(signalled: Signalled):
    *lines, last = signalled.ran.out.splitlines()
    outcome = "drift" if signalled.explaining else "untested"
    assert last == f"1 case: 1 {outcome}; 1 not begun (exit {signalled.code})"
    assert any(line.startswith("  interrupted: ") for line in lines)
    assert ("  why    " in signalled.ran.out) == signalled.explaining


def test_every_report_is_there_and_says_that_it_is_not_all(signalled: Signalled):
    report = json.loads((signalled.folder / "r.json").read_text())
    assert report["exit_code"] == signalled.code
    assert report["interrupted"] is True
    errors = ElementTree.parse(signalled.folder / "r.xml").getroot().iter("error")
    assert "interrupted" in [error.get("type") for error in errors]
    assert "**interrupted: what follows is what was done**" in (
        signalled.folder / "r.md"
    ).read_text("utf-8")


def test_nothing_is_left_behind(signalled: Signalled):
    worker = Path("/proc", (signalled.folder / "worker.pid").read_text(), "cmdline")
    assert not worker.exists() or b"worker/main.py" not in worker.read_bytes()
    names = {path.name for path in signalled.folder.iterdir()} - {"__pycache__"}
    own = {"signalling.py", "case.yaml", "later.yaml", "worker.pid"}
    assert names == own | set(REPORTS.values())


def test_explain_says_how_far_it_came(tmp_path_factory: pytest.TempPathFactory):
    folder = folder_for(tmp_path_factory)
    sent = {"SIGNAL": str(int(TERM)), "AT": "200"}
    ran = convdiff("explain", "case.yaml", *KERNEL, env=sent, cwd=folder)
    assert (ran.code, ran.err) == (143, "convdiff: terminated\n")
    assert ran.out == "UNTESTED  case: interrupted\n"


def test_nohup_is_heeded(tmp_path_factory: pytest.TempPathFactory):
    folder = folder_for(tmp_path_factory)
    words = ["run", "case.yaml", *KERNEL, "--lengths", "9", "--no-explain", "-q"]
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment({"SIGNAL": str(int(HUP)), "AT": "2"}),
        cwd=folder,
        preexec_fn=lambda: signal.signal(HUP, signal.SIG_IGN),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "worker.pid").exists(), "it was sent"
    assert Ran(done.returncode, done.stdout, done.stderr).code == 1
    assert done.stdout.splitlines()[-1] == "1 case: 1 drift (exit 1)"


@pytest.mark.parametrize("module", ["click", "difflib", "click.shell_completion"])
@pytest.mark.parametrize("closed", [False, True])
def test_ctrl_c_while_the_program_is_imported_is_a_line(module: str, closed: bool, tmp_path: Path):
    path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(exist_ok=True)
    if module.startswith("click."):
        path.parent.joinpath("__init__.py").write_text("import click.shell_completion")
    path.write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n")
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"
    command = ["sh", "-c", 'exec "$@" 2>&-' if closed else 'exec "$@"', "sh", *COMMAND, "doctor"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert (done.stdout, done.stderr) == ("", "" if closed else "convdiff: interrupted\n")


def test_little_is_imported_before_ctrl_c_is_heeded():
    """What is imported sooner ends with Python's own traceback."""
    script = "import sys; import convdiff; print({'typing', 're'} & {*sys.modules})"
    command = [COMMAND[0], "-S", "-c", script]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
