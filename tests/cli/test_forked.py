"""What is forked ends, prints and reads as a process of its own does, and leaves nothing behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from forked import Server, same_start
from program import COMMAND, Ran, case_file, convdiff, environment

pytestmark = pytest.mark.slow

NUMPY = ("run", "case.yaml", "--framework", "numpy")
CASE = "filter: [1.5, -0.25]\ninput: {normal: 1, seed: 3}\nlengths: [4, 6]\n"


def plain(*arguments: str, env: dict[str, str], cwd: Path) -> Ran:
    """Run the program in a Python that starts for it."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ((*NUMPY, "-v", "--color", "always"), {"COLUMNS": "60"}),
        ((*NUMPY, "--device", "gpu", "--json", "-"), {}),
        (("frobnicate",), {}),
        ((), {}),
    ],
    ids=["drawn", "untested", "bad usage", "help"],
)
def test_it_is_what_a_process_of_its_own_is(
    arguments: tuple[str, ...], env: dict[str, str], tmp_path: Path
):
    case_file(tmp_path, CASE)
    forked = convdiff(*arguments, env=env, cwd=tmp_path)
    assert forked == plain(*arguments, env=env, cwd=tmp_path)
    assert forked.out or forked.err


def test_nothing_is_left_of_the_run_before(tmp_path: Path):
    case_file(tmp_path, CASE)
    before = convdiff(*NUMPY, cwd=tmp_path)
    coloured = convdiff(*NUMPY, "--color", "always", env={"COLUMNS": "40"}, cwd=tmp_path)
    assert convdiff(*NUMPY).code == 2, "in another folder there is no such case"
    assert convdiff(*NUMPY, cwd=tmp_path) == before != coloured


def test_what_python_reads_as_it_starts_is_not_taken_from_another():
    base = {"PATH": "/bin", "COLUMNS": "80"}
    assert same_start(base, {**base, "COLUMNS": "40", "NO_COLOR": "1"})
    for name in ("PYTHONPATH", "PYTHONIOENCODING", "LC_ALL", "OMP_NUM_THREADS"):
        assert not same_start(base, {**base, name: "1"})
        assert not same_start({**base, name: "1"}, base)


def test_one_that_takes_too_long_ends_the_server_and_is_told(tmp_path: Path):
    path = tmp_path / "slow.py"
    path.write_text("import time\n\ndef conv(x, w, b):\n    time.sleep(60)\n")
    case_file(tmp_path, CASE)
    server = Server(environment())
    with pytest.raises(TimeoutError):
        server.run(
            ["run", "case.yaml", "--kernel", "slow:conv"], environment(), str(tmp_path), timeout=1
        )
    assert server.closed
