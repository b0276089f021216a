"""Whatever became of the streams, in whatever encoding and width: the exit code stays.

Of the product of all commands, streams, encodings and widths, as many rows are run as it takes for
any two values to meet.
"""

from __future__ import annotations

import ast
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from imports import sources
from pairwise import pairwise
from program import COMMAND, KERNEL, case_file, convdiff, environment, kernel_file
from soak import one_in

from convdiff.cli.streams import PLAIN

CASE = """
filter: {normal: 1, shape: [1, 5, 1, 1], seed: 1}
input: {normal: 1, seed: 2}
lengths: [20]
expect: {runtime: bitwise}
"""
OK = ("run", "case.yaml", *KERNEL)
TWO = ("--vary", "ORDER=rows,pairs")
COMMANDS = {
    "drift": (1, (*OK, *TWO)),
    "untested": (125, (*OK, "--require", "gpu", "-v")),
    "ok": (0, (*OK, "-q", "--save", "again.json")),
    "sweep": (1, ("sweep", "case.yaml", *KERNEL, *TWO, "--lengths", "18..20", "--color", "always")),
    "explain": (0, ("explain", "case.yaml", *KERNEL)),
    "compare": (1, ("compare", "a.json", "b.json", "-v")),
    "show": (0, ("show", "a.json")),
    "rule": (0, ("rule", "order")),
    "help": (0, ("run", "--help")),
    "bad usage": (2, ("run", "nosuch.yaml")),
    "bad option": (2, ("run", "--lenghts", "7")),
    "bad command": (2, ("nosuch",)),
}
"""By name: the exit code where all streams are read, and the words."""
STREAMS = ("read", "gone", "closed", "full")
ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
"""What makes a process write in each encoding."""
ROWS = pairwise(
    {
        "stdout": STREAMS,
        "command": list(COMMANDS),
        "stderr": STREAMS,
        "encoding": list(ENCODINGS),
        "stdin": ("null", "closed"),
        "width": (40, 80, 200),
    }
)
NUMBERS = {"stdin": 0, "stdout": 1, "stderr": 2}
COPIED = ("  again", "again:", "  accept")
"""Lines that are to be copied, and so are not broken, however narrow the terminal is."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    kernel_file(folder)
    case_file(folder, CASE)
    convdiff(*OK, "--save", "a.json", cwd=folder)
    convdiff(*OK, "--save", "b.json", cwd=folder, env={"ORDER": "pairs"})
    return folder


def written_to(stream: str, stack: ExitStack) -> int:
    """Return what a stream is opened as: a pipe that is read, or that nobody reads, or a disk."""
    if stream == "read":
        return subprocess.PIPE
    if stream == "full":
        return stack.enter_context(Path("/dev/full").open("w")).fileno()
    reading, writing = os.pipe()
    os.close(reading)
    stack.callback(os.close, writing)
    return writing


def closing(row: dict) -> Callable[[], None]:
    """Return what closes the streams of a child process that are to be closed in it."""
    numbers = [number for name, number in NUMBERS.items() if row[name] == "closed"]

    def close() -> None:
        for number in numbers:
            os.close(number)

    return close


def run(row: dict, folder: Path) -> subprocess.CompletedProcess[bytes]:
    env = environment({**ENCODINGS[row["encoding"]], "COLUMNS": str(row["width"])})
    with ExitStack() as stack:
        return subprocess.run(
            [*COMMAND, *COMMANDS[row["command"]][1]],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=written_to(row["stdout"], stack),
            stderr=written_to(row["stderr"], stack),
            preexec_fn=closing(row),
            timeout=60,
            check=False,
        )


def expected(row: dict) -> int:
    """Return the exit code: a full stdout that something was written to is no test."""
    code, _ = COMMANDS[row["command"]]
    silent = row["command"].startswith("bad")
    return 125 if row["stdout"] == "full" and not silent else code


def named(row: dict) -> str:
    return "-".join(str(value) for value in row.values())


@pytest.mark.slow
@one_in(3, "row", ROWS, ids=named)
def test_no_stream_changes_an_exit_code(row: dict, folder: Path):
    done = run(row, folder)
    assert done.returncode == expected(row)
    encoding = {"C": "ascii"}.get(row["encoding"], row["encoding"])
    out, err = (
        b"".join(filter(None, [text])).decode(encoding) for text in (done.stdout, done.stderr)
    )
    assert "Traceback" not in out + err
    assert "\\u" not in out + err, "what has a plain form is written in it"
    assert "?" not in out
    if row["encoding"] == "utf-8" and row["command"] not in ("show", "help"):
        # Plain forms are longer; a diff reads what `show` writes, and click wraps help.
        wide = [line for line in plain(out) if len(line) > row["width"]]
        assert [line for line in wide if not line.startswith(COPIED)] == []


def plain(text: str) -> list[str]:
    """Return lines without the codes of their colours."""
    for code in range(110):
        text = text.replace(f"\x1b[{code}m", "").replace(f"\x1b[1;{code}m", "")
    return text.splitlines()


def test_any_two_values_meet():
    """The selection is what its docstring says."""
    factors = {name: list(dict.fromkeys(row[name] for row in ROWS)) for name in ROWS[0]}
    for one, two in itertools.combinations(factors, 2):
        met = {(row[one], row[two]) for row in ROWS}
        assert met == set(itertools.product(factors[one], factors[two]))
    assert len(ROWS) < 80, "of thousands"


def test_a_case_on_a_closed_stdin_is_an_empty_one(folder: Path):
    row = {"stdin": "closed", "stdout": "read", "stderr": "read"}
    done = subprocess.run(
        [*COMMAND, "run", "-"],
        env=environment(),
        cwd=folder,
        capture_output=True,
        preexec_fn=closing(row),
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"convdiff: (stdin): the file is empty")


def spoken() -> Iterator[str]:
    """Yield the strings of this project's source that are no docstrings."""
    for path in sources().values():
        tree = ast.parse(path.read_text("utf-8"))
        documentation = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in documentation:
                yield str(node.value)


READ = {"\N{REPLACEMENT CHARACTER}", "\U00010000"}
"""What stands in patterns, and for what a user wrote that nobody can print."""


@pytest.mark.slow
def test_whatever_is_written_has_a_plain_form():
    used = {character for text in spoken() for character in text if character.isprintable()}
    assert sorted(used - set(map(chr, range(128))) - set(PLAIN) - READ) == []
    assert all(text.isascii() for text in PLAIN.values())


@pytest.mark.slow
def test_a_name_in_another_script_is_written_by_its_number(folder: Path):
    case_file(folder, f"name: 畳み込み\n{CASE}", "other.yaml")
    words = ("run", "other.yaml", *KERNEL, "-q")
    ran = convdiff(*words, cwd=folder, env={"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0
    assert "\\u7573\\u307f\\u8fbc\\u307f" in ran.out


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "told"), [("C", "\\u65e5 \\xe9"), ("C.UTF-8", "日 é")])
@one_in(2, "command", ["run", "sweep", "explain"])
def test_a_file_s_name_is_read_as_utf8_whatever_the_locale(
    locale: str, told: str, command: str, tmp_path: Path
):
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    text = "filter: [1, 2]\ninput: {ramp: 1}\nlengths: 3\n"
    tmp_path.joinpath("日 é.yaml").write_text(text, "utf-8")
    done = convdiff(command, "日 é.yaml", "--framework", "numpy", env=env, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert told in done.out and "udc" not in done.out
    missing = convdiff(command, "no日 é.yaml", env=env, cwd=tmp_path)
    assert missing.err == f"convdiff: no{told}.yaml: no such file\n"
