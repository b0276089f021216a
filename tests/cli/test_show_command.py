"""`convdiff show`: a recording as lines of text, for people and for `git diff`."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from program import COMMAND, convdiff, environment
from recordings import FINGERPRINT, case_of, recorded, recording, resealed, runtime, tensors_of
from recordings import saved as orders_of
from rich.console import Console

from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import Recording, SavedProbes
from convdiff.report.console.show import print_recording
from convdiff.report.show import MOST, lines


@pytest.fixture
def whole() -> Recording:
    """Two lengths of three outputs each, in simple numbers."""
    tensors = tensors_of((1, 2, 1, 1), (1, 1, 4, 1))
    tensors.filter_hwio.reshape(-1)[:] = 0.5, 2
    assert tensors.bias is not None
    tensors.bias[:] = -1
    tensors.input_nhwc.reshape(-1)[:] = 1, -2, 0.1, 3
    return recording(recorded("[0 1 b]", tensors, lengths=(3, 4)))


def shown(whole: Recording, *, show_all: bool = False) -> list[str]:
    return [one.label.text + one.text for one in lines(whole, show_all=show_all)]


def test_a_small_recording_in_full(whole: Recording):
    text = "\n".join(shown(whole))
    assert re.sub("sha256 [0-9a-f]{16}", "sha256 …", text) == (
        "one\n"
        "  filter    1×2×1×1 HWIO, float32, strides 1×1, dilations 1×1, groups 1\n"
        "            sha256 …\n"
        "  bias      1, sha256 …\n"
        "  input     1×1×4×1 NHWC, sha256 …\n"
        "  expect    bitwise along length, batch, channels, threads, repeat, baseline; "
        "rounding along device, runtime, reference\n"
        "  tensorflow:cpu  tensorflow 2.21.0, oneDNN on, CPU avx2, 2 threads, Python 3.11.7\n"
        "  probes    clean\n"
        "  order 1   [0 1 b]\n"
        "\n"
        "  conv2d T=3 batch 1\n"
        "    1×1×2×1 NHWC, sha256 …\n"
        "    order   1  2 of 2 elements\n"
        "    0,0,0,0  -4.50000000  -0x1.2000000000000p+2\n"
        "    0,0,1,0  -1.79999995  -0x1.cccccc0000000p+0\n"
        "\n"
        "  conv2d T=4 batch 1\n"
        "    1×1×3×1 NHWC, sha256 …\n"
        "    order   1  3 of 3 elements\n"
        "    0,0,0,0  -4.50000000  -0x1.2000000000000p+2\n"
        "    0,0,1,0  -1.79999995  -0x1.cccccc0000000p+0\n"
        "    0,0,2,0  5.05000019  0x1.4333340000000p+2"
    )


def test_a_changed_bit_changes_its_line_and_the_checksum(whole: Recording):
    before = shown(whole)
    (case,) = whole.cases.values()
    output = case.entries[1].output.copy()
    output[0, 0, 1, 0] = np.nextafter(output[0, 0, 1, 0], np.float32(9))
    entries = (case.entries[0], replace(case.entries[1], output=output))
    after = shown(recording(replace(case, entries=entries)))
    differing = [(was, now) for was, now in zip(before, after, strict=True) if was != now]
    assert len(differing) == 2
    assert "sha256" in differing[0][0]
    assert differing[1][0].startswith("    0,0,1,0  ")
    assert differing[1][1].startswith("    0,0,1,0  ")


def test_every_value_is_at_its_place(whole: Recording):
    tensors = tensors_of((2, 1, 1, 3), (2, 4, 5, 1))
    one = recorded("[0 1 b]", tensors)
    (entry,) = one.entries
    assert entry.output.shape == (2, 3, 5, 3)
    rows = [
        line.split() for line in shown(recording(one)) if re.match(r"    \d+,\d+,\d+,\d+ ", line)
    ]
    assert len(rows) == entry.output.size
    for index, decimal, exact in rows:
        value = entry.output[tuple(map(int, index.split(",")))]
        assert float.fromhex(exact) == value
        assert np.float32(decimal) == value


def test_orders_probes_runtimes_and_repeats_are_told():
    tensors = tensors_of((1, 3, 1, 2), (2, 1, 6, 1))
    at = runtime("gpu:0", TF_X="1")
    one = recorded("[0 1 2 b]", tensors, at=at)
    (entry,) = one.entries
    which = np.zeros((8, 2), np.int32)
    which[0], which[1:3] = -1, 1
    orders = orders_of(entry.output, "[0 1 2 b]", "[b 0 1 2]", which=which)
    orders = replace(orders, refusals=(("budget", "the budget of calls was spent"),))
    probes = SavedProbes({"narrowed": "10 bits", "flushes": "inputs"}, "shifted by 1")
    again = replace(entry, cell=replace(entry.cell, repeat=1), orders=None, probes=None)
    silent = replace(entry, cell=replace(entry.cell, batch=1), probes=SavedProbes({}, silent=True))
    silent = replace(silent, output=entry.output[:1], orders=None)
    told = replace(entry, orders=orders, probes=probes)
    whole = recording(
        replace(
            one,
            case=replace(case_of(tensors), lock_order=True),
            entries=(told, again, silent),
            fingerprints={at: FINGERPRINT, runtime(): FINGERPRINT},
        )
    )
    text = "\n".join(shown(whole))
    for line in (
        "rounding along device, runtime, reference; order locked",
        "  tensorflow:gpu:0[TF_X=1]  tensorflow 2.21.0",
        "  tensorflow:cpu  tensorflow 2.21.0",
        "  conv2d T=6 batch 2 tensorflow:gpu:0[TF_X=1]",
        "    probes  flushes: inputs; narrowed: 10 bits; fits: shifted by 1",
        "  order 1   [0 1 2 b]",
        "  order 2   [b 0 1 2]",
        "    order   1  10 of 16 elements",
        "    order   2  4 of 16 elements",
        "    order   none: budget: the budget of calls was spent",
        "  conv2d T=6 batch 2 run 2 tensorflow:gpu:0[TF_X=1]",
        "    probes  no answer",
    ):
        assert line in text


def test_many_values_are_cut_and_all_are_shown_where_asked_for():
    tensors = tensors_of((1, 1, 1, 1), (1, 1, MOST + 500, 1))
    whole = recording(recorded("(0+b)", tensors))
    few, all_ = shown(whole), shown(whole, show_all=True)
    assert few[-1] == "    … and 500 more values; --all shows them"
    assert all_[: len(few) - 1] == few[:-1]
    assert len(all_) == len(few) - 1 + 500
    assert all_[-1].startswith(f"    0,0,{MOST + 499},0  ")


def test_all_kinds_of_numbers_have_a_line():
    tensors = tensors_of((1, 1, 1, 1), (1, 1, 8, 1))
    raw = [0x80000000, 0x7F800000, 0xFF800000, 0x7FC00001, 0xFF800001, 1, 0x7F7FFFFF, 0]
    output = np.array(raw, np.uint32).view(np.float32).reshape(1, 1, 8, 1)
    one = recorded("(0+b)", tensors)
    odd = replace(one, entries=(replace(one.entries[0], output=output),))
    rows = [line.split() for line in shown(recording(odd))[-8:]]
    assert [row[2] for row in rows] == [
        "-0x0.0p+0",
        "inf",
        "-inf",
        "nan",
        "nan",
        "0x1.0000000000000p-149",
        "0x1.fffffe0000000p+127",
        "0x0.0p+0",
    ]


@pytest.mark.slow
def test_it_is_the_same_wherever_and_from_whichever_format(whole: Recording, tmp_path: Path):
    paths = [tmp_path / "one.json", tmp_path / "other" / "two.safetensors"]
    seen = set()
    for path, seed in zip(paths, "12", strict=True):
        path.parent.mkdir(exist_ok=True)
        write_recording(path, whole)
        elsewhere = {"PYTHONHASHSEED": seed, "COLUMNS": seed + "00", "TZ": "Asia/Tokyo"}
        ran = convdiff("show", path, env=elsewhere, cwd=path.parent)
        assert (ran.code, ran.err) == (0, "")
        seen.add(ran.out)
    assert seen == {"".join(f"{line}\n" for line in shown(whole))}


@pytest.mark.parametrize("said", ["\x1b[31mred", "two\nlines", "\r", "\u202e", "\u2028", "\ud800"])
def test_what_a_file_says_commands_no_terminal(said: str, whole: Recording, tmp_path: Path):
    """Names, settings, notations and traits are anybody's words, and each stays on its line."""
    path = tmp_path / "said.json"
    write_recording(path, whole)
    usual = len(shown(whole))

    def say(document: dict[str, object]) -> None:
        text = json.dumps(document)
        for was in ("one", "2.21.0", "TF_X", "[0 1 b]"):
            text = text.replace(f'"{was}"', json.dumps(was + said))
        document.update(json.loads(text))
        case = document["cases"][0]  # type: ignore[index]
        case["runtimes"][0]["settings"] = [["TF_X", said]]
        for cell in case["cells"]:
            cell["probes"]["traits"] = {said: said}

    resealed(path, say)
    found = shown(read_recording(path))
    assert len(found) == usual
    assert all(line.isprintable() for line in found)
    assert "".join(found).count("\N{REPLACEMENT CHARACTER}") >= 5


def on_console(whole: Recording, width: int, *, colours: bool = False) -> str:
    """Return what a terminal of this width shows."""
    out = io.StringIO()
    system: Literal["256"] | None = "256" if colours else None
    console = Console(file=out, width=width, force_terminal=colours, color_system=system)
    print_recording(console, lines(whole, show_all=False), wrap=True)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_gets_lines_that_fit_and_no_word_is_lost_or_cut(whole: Recording, width: int):
    text = on_console(whole, width)
    assert max(map(len, text.splitlines())) <= width
    assert text.split() == " ".join(shown(whole)).split()
    assert (len(text.splitlines()) > len(shown(whole))) == (width < 119)


def test_colours_say_how_grave_what_was_probed_is(whole: Recording):
    (case,) = whole.cases.values()
    probes = SavedProbes({"narrowed": "10 bits", "integer_error": "off by 1"}, "shifted")
    entries = (replace(case.entries[0], probes=probes), case.entries[1])
    text = on_console(recording(replace(case, entries=entries)), 200, colours=True)
    assert "\x1b[1;38;5;196minteger_error: off by 1\x1b[0m" in text
    assert "\x1b[38;5;130mnarrowed: 10 bits\x1b[0m" in text
    assert "\x1b[1;38;5;196mfits: shifted\x1b[0m" in text
    assert "\x1b[38;5;28mclean\x1b[0m" in text
    assert text.splitlines()[-1].startswith("\x1b[2mcolours: ")


def test_colours_are_for_those_who_ask_or_have_a_terminal(whole: Recording, tmp_path: Path):
    path = tmp_path / "one.json"
    write_recording(path, whole)
    assert "\x1b[1mone" in convdiff("show", path, "--color", "always").out
    assert "\x1b" not in convdiff("show", path).out
    assert on_console(whole, 80).count("\x1b") == 0


def test_what_cells_share_is_said_once_and_what_they_do_not_at_each(whole: Recording):
    (case,) = whole.cases.values()
    once = "\n".join(shown(whole))
    assert once.count("clean") == 1 and once.count("[0 1 b]") == 1
    others = [replace(one, cell=replace(one.cell, runtime=runtime("gpu"))) for one in case.entries]
    runtimes = {**case.fingerprints, runtime("gpu"): FINGERPRINT}
    both = replace(case, entries=(*case.entries, *others), fingerprints=runtimes)
    assert "  probes    clean  of tensorflow:cpu, tensorflow:gpu" in shown(recording(both))
    probes = SavedProbes({"narrowed": "10 bits"})
    first, second = case.entries
    told = shown(recording(replace(case, entries=(replace(first, probes=probes), second))))
    assert told.count("    probes  narrowed: 10 bits") == told.count("    probes  clean") == 1


@pytest.mark.slow
def test_show_into_head_ends_well(tmp_path: Path):
    """The reader goes away after a line: no traceback, and no other exit code."""
    tensors = tensors_of((1, 1, 1, 1), (1, 1, 60_000, 1))
    path = tmp_path / "large.safetensors"
    write_recording(path, recording(recorded("(0+b)", tensors)))
    done = subprocess.Popen(
        [*COMMAND, "show", "--all", path],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.stdout is not None and done.stderr is not None
    assert done.stdout.readline() == b"one\n"
    done.stdout.close()
    assert done.wait(60) == 0
    assert done.stderr.read() == b""
    done.stderr.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_git_shows_recordings_in_its_diffs_with_it(whole: Recording, tmp_path: Path):
    """As --help says: two lines, and `git diff` tells which value changed."""
    path = tmp_path / "baseline.safetensors"
    env = {
        **environment(),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(tmp_path),
    }

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", tmp_path, *arguments], env=env, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    (tmp_path / ".gitattributes").write_text("*.safetensors diff=convdiff\n")
    git("config", "diff.convdiff.textconv", f"{sys.executable} -m convdiff show")
    write_recording(path, whole)
    git("add", ".")
    (case,) = whole.cases.values()
    output = case.entries[0].output.copy()
    output[0, 0, 0, 0] = -4.25
    entries = (replace(case.entries[0], output=output), case.entries[1])
    write_recording(path, recording(replace(case, entries=entries)))
    changed = [line for line in git("diff").splitlines() if re.match(r"[+-] ", line)]
    assert len(changed) == 4  # the checksum and the value, before and after
    assert "-    0,0,0,0  -4.50000000  -0x1.2000000000000p+2" in changed
    assert "+    0,0,0,0  -4.25000000  -0x1.1000000000000p+2" in changed


def test_what_is_shown_can_be_read_again(whole: Recording, tmp_path: Path):
    """Showing changes nothing: the file is as it was."""
    path = tmp_path / "one.json"
    write_recording(path, whole)
    before = path.read_bytes()
    assert convdiff("show", path).code == 0
    assert path.read_bytes() == before
    assert list(read_recording(path).cases) == ["one"]
