"""What a shell completes, asked as bash and zsh ask it, and what `--version -v` says."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from program import convdiff, environment

from convdiff.report.rules import RULES
from convdiff.runtime.matrix import FRAMEWORKS

PROGRAM = "import sys; sys.argv[0] = 'convdiff'; from convdiff.cli import main; main()"
"""As the installed program is called: the name is a part of what shells ask with."""


def completed(folder: Path, line: str, shell: str = "bash") -> list[str]:
    """Return what stands for the last word of a line: in bash a kind and a value, in zsh three."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    asked["_CONVDIFF_COMPLETE"] = f"{shell}_complete"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment(), **asked},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a case, a recording, other files, and a folder with a case of its own."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "more").mkdir()
    for name in ("mine.yaml", "made.json", "main.c", ".hidden.yaml", "more/one.yml", "more/x.txt"):
        (folder / name).write_text("", "utf-8")
    text = '[tool.convdiff.runtimes.older]\npython = "python3"\nframework = "numpy"\n'
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("convdiff ru", ["run", "rule", "runtimes"]),
        ("convdiff run --framework t", ["tensorflow", "tflite", "torch"]),
        ("convdiff sweep --framework torch,t", ["torch,tensorflow", "torch,tflite"]),
        ("convdiff explain --framework numpy,jax,op", ["numpy,jax,openvino"]),
        ("convdiff run --device ", ["cpu", "gpu"]),
        ("convdiff run --require cpu,", ["cpu,gpu"]),
        ("convdiff run --runtime o", ["older"]),
        ("convdiff rule narrowed-", [name for name in RULES if name.startswith("narrowed-")]),
        ("convdiff run m", ["mine.yaml", "more/"]),
        ("convdiff sweep more/", ["more/one.yml"]),
        ("convdiff explain .h", [".hidden.yaml"]),
        ("convdiff show m", ["made.json", "more/"]),
        ("convdiff run --baseline m", ["made.json", "more/"]),
        ("convdiff compare made.json --expect r", ["rounding"]),
        ("convdiff compare made.json made.json --case m", ["mine.yaml", "more/"]),
        ("convdiff show --color n", ["never"]),
    ],
)
def test_a_shell_completes_what_is_known(folder: Path, line: str, values: list[str]):
    assert completed(folder, line) == [f"plain,{value}" for value in values]


def test_where_nothing_is_known_the_shell_looks_for_files(folder: Path):
    assert completed(folder, "convdiff run nowhere/") == ["file,nowhere/"]
    assert completed(folder, "convdiff show main") == ["file,main"]


def test_zsh_is_told_the_same(folder: Path):
    lines = completed(folder, "convdiff run --framework t", "zsh")
    assert lines[:2] == ["plain", "tensorflow"] and "torch" in lines


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_of_the_help_gives_a_script(shell: str, tmp_path: Path):
    assert "_CONVDIFF_COMPLETE=bash_source convdiff" in convdiff("--help").out
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**environment(), "_CONVDIFF_COMPLETE": f"{shell}_source"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "_convdiff_completion" in done.stdout


@pytest.mark.parametrize("words", [("--version", "-v"), ("-v", "--version")])
def test_the_version_tells_python_platform_and_frameworks(words: tuple[str, ...]):
    ran = convdiff(*words)
    rows = dict(line.split(maxsplit=1) for line in ran.out.splitlines()[1:])
    assert (ran.code, ran.err) == (0, "")
    assert rows["python"] == f"{platform.python_version()} ({sys.executable})"
    assert rows["platform"] == platform.platform()
    assert list(rows)[2:] == list(FRAMEWORKS)
    assert rows["numpy"] == f"{importlib.metadata.version('numpy')} (numpy)"


def test_a_framework_that_is_not_installed_is_said_not_to_be(tmp_path: Path):
    """Asked of a Python that sees only what convdiff itself needs."""
    script = (
        "import importlib.metadata as m\n"
        "m.packages_distributions = lambda: {'torch': ['torch']}\n"
        "m.version = lambda name: '9.9'\n"
        "from convdiff.cli.version import version_lines\n"
        "import json; print(json.dumps(list(version_lines(verbose=True))))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = json.loads(out)
    assert "torch        9.9 (torch)" in lines and "jax          not here" in lines


def test_the_version_alone_is_a_line_and_v_alone_is_no_command():
    assert convdiff("--version").out.splitlines() == [
        f"convdiff, version {importlib.metadata.version('convdiff')}"
    ]
    ran = convdiff("-v")
    assert (ran.code, ran.out) == (2, "") and "-v goes with --version" in ran.err
