"""Real TensorFlows, recorded in processes of their own, then compared without any of them."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from machines import ZEN3, ZEN4, path_of
from program import KERNEL, OTHER_ORDER, REPOSITORY, Ran, convdiff, environment, kernel_file
from recordings import same

from convdiff.case.model import Allowance
from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.files import read_recording, write_recording

pytestmark = pytest.mark.framework

Report = dict[str, Any]

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
ON = {ONEDNN: "1"}
DILATED = REPOSITORY / "cases" / "depthwise_dilated.yaml"
VARIED = ("--lengths", "7..9", "--batch", "1,2", "--vary", f"{ONEDNN}=0,1")
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "5", "LC_ALL": "C"}
"""What may differ between two runs, and may not be seen in what they record."""
CAUSES = {"order", "fma", "order+fma"}

ALONE = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "torch", "jax") or "frameworks" in name:
            raise AssertionError(f"imports {name}")

def watch(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec", "socket.connect"):
        raise AssertionError(f"starts {arguments}")

sys.meta_path.insert(0, Forbidden())
sys.addaudithook(watch)
from convdiff.cli import main
main()
"""
"""The program in a process that can neither import a framework nor start another process."""


def alone(*arguments: object) -> Ran:
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def compared(*arguments: object, code: int) -> Report:
    """Compare two recordings from the files alone and return the JSON report."""
    ran = alone("compare", *arguments, "--json", "-")
    assert ran.err == ""
    assert ran.code == code
    report: Report = json.loads(ran.out, parse_constant=pytest.fail)
    assert report["exit_code"] == code
    return report


def test_the_process_that_may_start_nothing_notices_where_something_starts():
    """Proof that `alone` can fail."""
    assert "AssertionError: starts" in alone("run", "--lengths", "7").err


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Record with the TensorFlow here; what is varied twice, in other places."""
    folder, other = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    runs: dict[str, tuple[Path, tuple[object, ...], dict[str, str]]] = {
        "on": (folder / "on.safetensors", ("run",), ON),
        "varied": (folder / "varied.json", ("run", *VARIED), {}),
        "varied again": (other / "varied-again.json", ("run", *VARIED), ELSEWHERE),
        "dilated": (folder / "dilated.json", ("run", DILATED), {}),
    }

    def record(name: str) -> tuple[str, Path]:
        path, arguments, env = runs[name]
        ran = convdiff(*arguments, "--save", path, env=env, cwd=path.parent)
        assert ran.code == 0, ran.err
        assert re.search(rf"{path.name}: \d+ cells recorded", ran.err)
        return name, path

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(record, runs))


OTHERS = {
    "tf1": path_of(ZEN4, "origin_tensorflow_1.0.0"),
    "on": path_of(ZEN3, "origin_onednn_on"),
    "off": path_of(ZEN3, "origin_onednn_off"),
}
"""The built-in case as other versions and settings computed it on machines that recorded it."""


@pytest.fixture(scope="module")
def undilated(tf16_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record with TensorFlow 1.6.0, which ignores a depthwise convolution's dilation."""
    path = tmp_path_factory.mktemp("old") / "undilated.json"
    assert convdiff("run", DILATED, "--python", tf16_python, "--save", path).code == 1
    return path


def test_the_same_run_gives_the_same_bytes(recorded: dict[str, Path], tmp_path: Path):
    first, second = recorded["varied"], recorded["varied again"]
    assert first.read_bytes() == second.read_bytes()
    # In the other format too: it has nothing that this one lacks.
    others = []
    for path in (first, second):
        write_recording(tmp_path / "other.safetensors", read_recording(path))
        others.append((tmp_path / "other.safetensors").read_bytes())
    assert others[0] == others[1] != b""


def strings(value: Any) -> Iterator[str]:
    """Yield every string in plain data, keys and numbers too."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    else:
        yield str(value)


def test_a_recording_says_nothing_of_where_or_when_it_was_made(recorded: dict[str, Path]):
    text = recorded["varied"].read_text("utf-8")
    document = json.loads(text)
    del document["values"]
    found = list(strings(document))
    assert len(found) > 500
    for one in found:
        assert not re.search(r"(^|[\s=:,])~?/\w", one), "an absolute path"
        assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", one), "a date"
        assert not re.fullmatch(r"1[6-9]\d{8}(\.\d+)?", one), "seconds since 1970"
    here = [sys.executable, sys.prefix, str(REPOSITORY), str(Path.home()), str(recorded["varied"])]
    here += [socket.gethostname(), os.environ.get("USER") or "(nobody)"]
    assert [word for word in here if len(word) > 1 and word in "\n".join(found)] == []


def test_a_recording_is_sorted_and_whole(recorded: dict[str, Path]):
    document = json.loads(recorded["varied"].read_text("utf-8"))
    values = document.pop("values")
    assert json.dumps(document) == json.dumps(document, sort_keys=True)
    assert list(values) == sorted(values)
    (case,) = document["cases"]
    cells = [(c["op"], c["length"], c["batch"], c["runtime"]) for c in case["cells"]]
    assert cells == sorted(cells)
    assert len(set(cells)) == 2 * 3 * 2 * 2  # operations, lengths, batches, settings
    assert [one["settings"] for one in case["runtimes"]] == [[[ONEDNN, "0"]], [[ONEDNN, "1"]]]
    assert all(len(cell["orders"]["orders"]) >= 1 for cell in case["cells"])
    assert all(cell["probes"]["silent"] is False for cell in case["cells"])


@pytest.fixture(params=["tf1-on", "tf1-off", "on-off", "off-tf1"])
def pair(request: pytest.FixtureRequest) -> list[Path]:
    """Return two recordings of the built-in case whose bits differ."""
    return [OTHERS[name] for name in request.param.split("-")]


def proved_rounding(report: Report) -> set[str]:
    """Assert that all that differs is proved, and return the causes."""
    (case,) = report["cases"]
    found = case["comparisons"]
    assert {(c["candidate"]["op"], c["candidate"]["length"]) for c in found} == {
        (op, length) for op in ("conv2d", "manual") for length in (7, 8, 9)
    }
    assert {c["axis"] for c in found} == {"baseline"}
    causes: set[str] = set()
    for comparison in found:
        if comparison["verdict"] == "same":
            continue
        assert comparison["verdict"] == "rounding"
        why = comparison["explanation"]
        assert (why["status"], why["unexplained"], why["confirmed"]) == ("proved", 0, True)
        assert all(done == of > 0 for done, of in why["replayed"].values())
        assert sum(why["causes"].values()) == comparison["differing"]
        assert set(why["cause"]) <= CAUSES
        causes |= set(why["cause"])
    return causes


def test_other_versions_and_settings_differ_by_rounding_proved_from_the_files(pair: list[Path]):
    report = compared(*pair, code=1)
    (case,) = report["cases"]
    assert case["outcome"] == "drift"
    assert proved_rounding(report)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_recorded_here_is_the_same_or_proved_beside_what_others_recorded(
    name: str, recorded: dict[str, Path]
):
    ran = alone("compare", OTHERS[name], recorded["on"], "--json", "-")
    causes = proved_rounding(json.loads(ran.out))
    assert ran.code == (1 if causes else 0)


@pytest.mark.parametrize(
    ("expect", "code"), [("rounding", 0), ("ulps:2", 0), ("ulps:0", 1), ("bitwise", 1)]
)
def test_what_may_differ_decides_the_exit_code(expect: str, code: int, pair: list[Path]):
    kind, _, ulps = expect.partition(":")
    asked = Asked(Allowance(kind, int(ulps or 0)))  # type: ignore[arg-type]
    a, b = (read_recording(path) for path in pair)
    result = compare_recordings(a, b, asked)
    assert result.exit_code == code
    assert len(result.cases[0].findings) == 6
    for finding in result.cases[0].findings:
        # Of multiply + reduce_sum, rounding is noted.
        noted = finding.comparison.candidate.is_reference
        assert finding.allowed is (code == 0 or finding.verdict == "same" or noted)
    if expect != "ulps:2":  # that one is asked of the program below
        return
    (case,) = compared(*pair, "--expect", expect, code=code)["cases"]
    assert {c["allowed"] for c in case["comparisons"]} == {True}


def test_a_recording_equals_itself_in_either_format(recorded: dict[str, Path], tmp_path: Path):
    path = recorded["varied"]
    other = tmp_path / "same.safetensors"
    write_recording(other, read_recording(path))
    assert same(read_recording(other), read_recording(path))
    for pair_ in ((path, path), (path, other), (path, recorded["varied again"])):
        # Each cell with its own, of the same settings, and not with another's.
        report = compared(*pair_, "--strict", code=0)
        (case,) = report["cases"]
        assert {c["verdict"] for c in case["comparisons"]} == {"same"}
        assert len(case["comparisons"]) == 24
        for comparison in case["comparisons"]:
            sides = [comparison[side] for side in ("baseline", "candidate")]
            settings = {re.findall(f"{ONEDNN}=.", side.pop("runtime"))[0] for side in sides}
            assert len(settings) == 1
            assert sides[0] == sides[1]


def test_a_wrong_convolution_is_wrong_from_the_files_alone(
    undilated: Path, recorded: dict[str, Path]
):
    for pair_ in ((undilated, recorded["dilated"]), (recorded["dilated"], undilated)):
        (case,) = compared(*pair_, "--expect", "rounding", code=1)["cases"]
        (conv,) = [c for c in case["comparisons"] if c["candidate"]["op"] == "conv2d"]
        assert (conv["verdict"], conv["allowed"]) == ("wrong", False)
        assert conv["fits"] == "the dilation is ignored"
        assert "shape (1, 7, 7, 2), expected (1, 5, 5, 2)" in conv["reason"]
        a, b = (read_recording(path) for path in pair_)
        for expect in (None, Allowance("ulps", 10**18)):
            assert compare_recordings(a, b, Asked(expect)).exit_code == 1


def test_the_report_has_the_keys_that_a_run_has(tmp_path: Path):
    """Whoever reads the one reads the other."""
    kernel_file(tmp_path)
    ran = convdiff("run", *KERNEL, "--json", "-", env=OTHER_ORDER, cwd=tmp_path)
    live = json.loads(ran.out)
    report = compared(OTHERS["on"], OTHERS["off"], code=1)
    assert set(report) == set(live)
    assert set(report["runtimes"][0]) == set(live["runtimes"][0])
    assert set(report["cases"][0]) == set(live["cases"][0])
    ours = [c for c in report["cases"][0]["comparisons"] if c["verdict"] == "rounding"]
    theirs = [c for c in live["cases"][0]["comparisons"] if c["verdict"] == "rounding"]
    assert set(ours[0]) == set(theirs[0])
    assert set(ours[0]["explanation"]) == set(theirs[0]["explanation"])
    assert set(ours[0]["elements_shown"][0]) == set(theirs[0]["elements_shown"][0])
    assert {r["id"] for r in report["runtimes"]} == {
        f"tensorflow:cpu[recorded={OTHERS[name].name}]" for name in ("on", "off")
    }
    assert all(r["available"] for r in report["runtimes"])


def test_machines_that_differ_are_named(recorded: dict[str, Path]):
    ran = alone("compare", OTHERS["tf1"], recorded["on"], "--json", "-")
    (case,) = json.loads(ran.out)["cases"]
    old = "origin_tensorflow_1.0.0.safetensors with tensorflow 1.0.0"
    assert any(
        note.startswith(f"{old}, on.safetensors with tensorflow 2.") for note in case["notes"]
    )
    (case,) = compared(OTHERS["on"], OTHERS["off"], code=1)["cases"]
    on, off = (f"origin_onednn_{name}.safetensors with oneDNN {name}" for name in ("on", "off"))
    assert f"{on}, {off}" in case["notes"]


def test_show_needs_no_framework_and_says_the_same_of_both_formats(
    recorded: dict[str, Path], tmp_path: Path
):
    path, other = recorded["varied"], tmp_path / "other.safetensors"
    write_recording(other, read_recording(path))
    shown = [alone("show", one) for one in (path, other, path)]
    assert {ran.code for ran in shown} == {0}
    assert shown[0].out == shown[1].out == shown[2].out != ""
    assert {ran.err for ran in shown} == {""}


def test_the_same_name_in_two_folders_is_two_recordings(tmp_path: Path):
    """Each is called by what tells them apart; taken for one, they would be equal."""
    paths = [tmp_path / folder / "one.json" for folder in ("there", "here")]
    for path, name in zip(paths, ("on", "off"), strict=True):
        path.parent.mkdir()
        write_recording(path, read_recording(OTHERS[name]))
    report = compared(*paths, code=1)
    assert {r["id"] for r in report["runtimes"]} == {
        f"tensorflow:cpu[recorded={path}]" for path in paths
    }
