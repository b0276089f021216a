"""What a user does wrong costs exit code 2 and an error on stderr, and nothing is run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from program import COMMAND, case_file, convdiff, environment, errors_told, one_error

pytestmark = pytest.mark.slow

GOOD = "filter: [1, 2, 3]\ninput: {ramp: 1}\nlengths: 7..9\n"

BAD_CASES = {
    "unknown key": (GOOD + "lenght: 8\n", ":4:1:", "lenght"),
    "wrong type": (GOOD.replace("7..9", "soon"), ":3:10:", "lengths"),
    "below the filter": (GOOD.replace("7..9", "2"), ":3:10:", "2"),
    "bias of the wrong size": (GOOD + "bias: [1, 2]\n", ":4:7:", "bias"),
    "empty": ("", "", ""),
    "not YAML": ("filter: [1, 2\nlengths: }", ":2:", ""),
    "unknown device": (GOOD + "device: tpu\n", ":4:9:", "tpu"),
    "no mapping": ("- 1\n- 2\n", "", ""),
}

BAD_OPTIONS = {
    "unknown device": (["run", "--device", "tpu"], ["'tpu'", "cpu"]),
    "unknown framework": (["run", "--framework", "caffe"], ["'caffe'", "tensorflow"]),
    "no interpreter": (["run", "--python", "/nowhere/python"], ["/nowhere/python"]),
    "a folder for an interpreter": (["run", "--python", "/tmp"], ["/tmp", "bin/python"]),
    "a program that is no Python": (["run", "--python", "/bin/ls"], ["/bin/ls", "Python 3.6"]),
    "a program that says nothing": (
        ["run", "--python", "/bin/true"],
        ["/bin/true", "ended without a word", "../env/bin/python"],
    ),
    "lengths that are none": (["run", "--lengths", "some"], ["'some'", "7..20"]),
    "length below the filter": (["sweep", "--lengths", "2..9"], ["2", "5"]),
    "a batch too large": (["sweep", "--batch", "9" * 20], ["--batch", "9" * 20, "too large"]),
    "batch 0": (["sweep", "--batch", "0"], ["1 or more"]),
    "vary without values": (["sweep", "--vary", "TF_X"], ["'TF_X'", "NAME=A,B"]),
    "a day that is none": (["run", "--exclude-newer", "2020-13-01"], ["2020-13-01", "2019-06-30"]),
    "no time": (["run", "--timeout", "0"], ["--timeout"]),
    **{
        f"{option} {number}": (["run", option, number], [option, "not a finite number"])
        for option in ("--timeout", "--explain-up-to")
        for number in ("nan", "inf", "1e999")
    },
    "no number of calls": (["explain", "--budget", "nan"], ["--budget", "'nan'"]),
    "a wait that is none": (["doctor", "--timeout", "NaN"], ["--timeout", "not a finite number"]),
    "a length beyond all": (["explain", "--against", "9" * 400], ["--against", "1<=x<=10000"]),
    "an index of a digit that is none": (["explain", "--index", "²,0,0,0"], ["'²,0,0,0'", "n,h,w"]),
    "missing case": (["run", "nowhere.yaml"], ["nowhere.yaml"]),
    "a folder without cases": (["run", "/proc/self/fd"], ["no .yaml"]),
    "json into nowhere": (["run", "--json", "/nowhere/report.json"], ["/nowhere"]),
    "json into a folder": (["run", "--json", "/tmp"], ["/tmp"]),
    "junit into nowhere": (["run", "--junit", "/nowhere/j.xml"], ["--junit", "/nowhere"]),
    "markdown into nowhere": (["sweep", "--markdown", "/nowhere/m"], ["--markdown", "/nowhere"]),
    "junit on stdout": (["run", "--junit", "-"], ["--junit", "--json"]),
    "two reports in a file": (
        ["run", "--json", "/tmp/one", "--markdown", "/tmp/../tmp/one"],
        ["--json", "--markdown", "/tmp/../tmp/one"],
    ),
    "unknown option": (["run", "--lengts", "7"], ["--lengts", "convdiff run --help"]),
    "unknown command": (["frobnicate"], ["frobnicate", "convdiff --help"]),
    "two cases to sweep": (["sweep", "a.yaml", "b.yaml"], ["b.yaml"]),
}


@pytest.mark.parametrize("kind", BAD_CASES)
def test_a_bad_case_is_an_error_at_its_place(kind: str, tmp_path: Path):
    text, place, named = BAD_CASES[kind]
    path = case_file(tmp_path, text)
    ran = convdiff("run", path)
    line = one_error(ran.err)
    assert (ran.code, ran.out) == (2, "")
    assert line.removeprefix("convdiff: ").startswith(f"{path}{place}")
    assert line.startswith("convdiff: ") == (not ran.err.count("^")), "of what has a line, no word"
    assert named in line


@pytest.mark.parametrize("kind", BAD_OPTIONS)
def test_a_bad_option_is_one_line_that_names_it(kind: str):
    arguments, named = BAD_OPTIONS[kind]
    ran = convdiff(*arguments)
    line = one_error(ran.err)
    assert (ran.code, ran.out) == (2, "")
    for word in named:
        assert word in line


def test_all_errors_of_all_files_are_told_at_once(tmp_path: Path):
    bad = GOOD.replace("7..9", "2") + "bias: [1, 2]\nexpect: {length: no}\n"
    case_file(tmp_path, bad, "a.yaml")
    case_file(tmp_path, GOOD, "b.yaml")
    case_file(tmp_path, "filter: [\n", "c.yaml")
    ran = convdiff("run", "a.yaml", "b.yaml", "c.yaml", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    *heads, count = errors_told(ran.err)
    places = ["a.yaml:3:10", "a.yaml:4:7", "a.yaml:5:18", "c.yaml:2:1"]
    assert [head.split(": ")[0] for head in heads] == places
    assert count == "4 errors"
    assert ran.err.splitlines()[1:3] == ["  lengths: 2", "           ^"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_the_caret_stands_right_in_every_encoding(tmp_path: Path, encoding: str):
    path = case_file(tmp_path, GOOD + "{source: 'γ ≤ 1…', oops: 1}\n".replace("{", "expect: {"))
    command, env = [*COMMAND, "run", path], environment({"PYTHONIOENCODING": encoding})
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == 2
    *_, shown, caret, _ = done.stderr.decode(encoding).splitlines()
    assert shown[caret.index("^") :].startswith("oops: 1}")


def test_cases_that_are_too_big_are_told_together_before_any_is_run(tmp_path: Path):
    huge = "filter: {ones: true, shape: [1, 1, 99999, 99999]}\ninput: {ones: true}\nlengths: 9\n"
    for name in ("a.yaml", "b.yaml"):
        case_file(tmp_path, huge, name)
    ran = convdiff("run", ".", "--framework", "numpy", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    first, second, count = errors_told(ran.err)
    assert first.startswith("convdiff: a.yaml: too big")
    assert second.startswith("convdiff: b.yaml: too big")
    assert count == "2 errors"


def test_a_case_from_stdin_is_told_likewise(tmp_path: Path):
    command = [*COMMAND, "run", "-"]
    text = GOOD + "oops: 1\n"
    done = subprocess.run(
        command, input=text, env=environment(), capture_output=True, text=True, check=False
    )
    assert one_error(done.stderr).startswith("(stdin):4:1: unknown key 'oops'")
    assert done.stderr.splitlines()[1:] == ["  oops: 1", "  ^"]


@pytest.mark.parametrize("command", [("run", "-"), ("sweep", "-"), ("explain", "-")])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD.encode() + b"oops: \xff\n", "(stdin):4:7: not UTF-8 text"),
        (GOOD.encode() + b"oops: 1\n", "(stdin):4:1: unknown key 'oops'"),
        (b"", "convdiff: (stdin): the file is empty"),
        (b"#" * (10 * 2**20 + 1), "convdiff: (stdin): over 10 MB"),
    ],
)
def test_whatever_stdin_holds_is_a_case_or_a_line(command, data, said):
    done = subprocess.run(
        [*COMMAND, *command], input=data, env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert one_error(done.stderr.decode()).startswith(said)


def test_a_case_from_stdin_is_explained():
    command = [*COMMAND, "explain", "-", "--framework", "numpy"]
    done = subprocess.run(
        command, input=GOOD, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "stdin" in done.stdout


@pytest.mark.parametrize("option", ["--json", "--dot"])
def test_a_file_that_fails_at_the_end_costs_no_explanation(option: str, tmp_path: Path):
    other = {"--json": "--dot", "--dot": "--json"}[option]
    files = (option, "/proc/report", other, tmp_path / "other")
    ran = convdiff("explain", "--framework", "numpy", *files)
    assert ran.code == 2
    assert one_error(ran.err).startswith(f"convdiff: {option} /proc/report: ")
    assert "numpy" in ran.out
    assert (tmp_path / "other").read_text("utf-8")


def test_one_bad_case_among_good_ones_runs_none(tmp_path: Path):
    case_file(tmp_path, GOOD, "a.yaml")
    case_file(tmp_path, GOOD + "oops: 1\n", "b.yaml")
    ran = convdiff("run", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "b.yaml:4:1" in one_error(ran.err)


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_run(tmp_path: Path):
    target = tmp_path / "file" / "report.json"
    (tmp_path / "file").write_text("in the way")
    ran = convdiff("run", "--json", target, env={"PATH": "/nowhere"})
    assert (ran.code, ran.out) == (2, "")
    assert str(target) in one_error(ran.err)


NOTHING = ("--framework", "numpy", "--device", "gpu")
"""What to run where nothing can be run, quickly."""


def test_a_report_that_fails_at_the_end_costs_one_line_and_not_the_text(tmp_path: Path):
    """A folder that takes no files is found out when the file is made."""
    ran = convdiff("run", "--json", "/proc/report.json", *NOTHING)
    assert ran.code == 2
    assert "/proc/report.json" in one_error(ran.err)
    assert "untested" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_fails_at_the_end_costs_no_other(tmp_path: Path):
    files = ("--json", "/proc/report.json", "--junit", tmp_path / "junit.xml")
    ran = convdiff("run", *files, *NOTHING, "--github")
    assert ran.code == 2
    assert "--json /proc/report.json" in one_error(ran.err)
    assert "<testsuites" in (tmp_path / "junit.xml").read_text("utf-8")
    assert "\n::warning " in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["junit.xml"]
