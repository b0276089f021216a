"""`convdiff trace`: its options, its reports, its exit codes, and nets in run and sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from program import Ran, convdiff

pytestmark = pytest.mark.slow

NET = """
name: small
input: {normal: 1, seed: 1}
lengths: [8, 12]
layers:
  - conv2d: {filter: {normal: 1, shape: [1, 3, 2, 4], seed: 2}, bias: [1, 2, 3, 4], name: first}
  - relu
  - conv2d: {filter: {normal: 1, shape: [1, 3, 4, 4], seed: 3}, name: second}
  - sqrt: {name: root, from: relu_1}
  - tanh: {from: second}
"""
KERNELS = '''
import numpy as np


def loop(x, w, b, order):
    columns = x.shape[2] - w.shape[1] + 1
    y = np.float32(0)
    for j, c in order(list(np.ndindex(*w.shape[1:3]))):
        y = y + x[:, :, j : j + columns, c, None] * w[0, j, c]
    return y if b is None else y + b


def forwards(x, w, b):
    return loop(x, w, b, list)


def by_length(x, w, b):
    """Adds backwards where the input is long, in the second layer alone."""
    return loop(x, w, b, reversed if w.shape[2] == 4 and x.shape[2] > 6 else list)


def aborts(x, w, b):
    """Dies in the second layer, of a net whose input is 8 long."""
    import os

    if w.shape[2] == 4 and x.shape[2] == 6:
        os.abort()
    return forwards(x, w, b)


def hangs(x, w, b):
    import time

    time.sleep(100)


def dies(x, w, b):
    import os

    os._exit(7)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trace")
    (folder / "net.yaml").write_text(NET)
    (folder / "kernels.py").write_text(KERNELS)
    (folder / "case.yaml").write_text("filter: [1, 2]\ninput: {ramp: 1}\nlengths: 5\n")
    return folder


def ran(folder: Path, *arguments: str) -> Ran:
    return convdiff(*arguments, cwd=folder)


@pytest.fixture(scope="module")
def drifting(folder: Path) -> Ran:
    files = ("--markdown", "trace.md", "--json", "trace.json", "--keep", "kept")
    return ran(folder, "trace", "net.yaml", "--kernel", "kernels:by_length", *files)


def test_the_answer_comes_first_then_the_layers_then_the_proof(drifting: Ran):
    assert drifting.code == 1
    lines = drifting.out.splitlines()
    assert lines[0].startswith("DRIFT[rounding] small: second gives other bits, and nothing before")
    assert any(line.startswith("second") and "entered" in line for line in lines)
    assert any(line.startswith("tanh_1") and "carried" in line for line in lines)
    assert "looking  changed nothing" in drifting.out
    assert lines[-1] == "1 net: 1 drift (exit 1)"
    assert "convdiff trace net.yaml --lengths 8,12 --kernel kernels:by_length" in drifting.out


def test_lengths_are_the_nets_and_those_of_the_layer_alone_are_said_beside_them(drifting: Ran):
    text = " ".join(drifting.out.split())
    assert "alone, with its real input (6 long at 8, 10 long at 12), it gives the bits" in text
    orders = [line for line in drifting.out.splitlines() if line.startswith("  order")]
    assert sorted(line.split()[2] for line in orders) == ["12:", "8:"]


def test_a_drift_says_what_to_do_how_to_accept_it_and_what_says_more(drifting: Ran):
    assert "convdiff pad" not in drifting.out, "pad asks no kernels"
    assert "  accept expect: {length: {ulps: " in drifting.out
    assert "convdiff rule entered" in drifting.out


def test_a_worker_that_dies_is_named_with_its_run_and_how_to_repeat_it(folder: Path):
    found = ran(folder, "trace", "net.yaml", "--kernel", "kernels:aborts", "--lengths", "7..9,12")
    text = " ".join(found.out.split())
    assert found.code == 125
    died = "kernels:aborts:cpu, length 8: worker killed by SIGABRT"
    assert f"UNTESTED small: 1 of 3 not compared: {died}; the others do not differ" in text
    assert "T=8 / T=12 not compared" in text and "T=9 / T=12 — 0 of" in text
    assert "again convdiff trace net.yaml --lengths 8,12 --kernel kernels:aborts" in text


def test_of_time_that_was_too_short_it_says_that_nothing_was_compared(folder: Path):
    found = ran(folder, "trace", "net.yaml", "--kernel", "kernels:hangs", "--time", "2")
    assert found.code == 125
    assert found.out.startswith("UNTESTED small: nothing was compared: --time is over")


def test_a_layer_has_one_line_however_long_its_name(folder: Path):
    name = "a_block_of_a_net/with_a_name_as_models_have_them/second"
    (folder / "long.yaml").write_text(NET.replace("second", name))
    found = ran(folder, "trace", "long.yaml", "--kernel", "kernels:by_length")
    (folder / "long.yaml").unlink()  # other tests run the folder
    lines = [line for line in found.out.splitlines() if " entered   " in line]
    assert len(lines) == 1 and len(lines[0]) <= 80
    assert lines[0].startswith("a_block") and "…" in lines[0]
    assert name in found.out


def test_what_is_said_again_is_true(folder: Path, drifting: Ran):
    (again,) = [line for line in drifting.out.splitlines() if line.startswith("  again")]
    words = again.split()[1:]
    assert words[0] == "convdiff"
    assert ran(folder, *words[1:]).out.splitlines()[0] == drifting.out.splitlines()[0]


def test_the_json_report_has_all_layers_and_the_isolated_case(folder: Path, drifting: Ran):
    report: dict[str, Any] = json.loads((folder / "trace.json").read_text("utf-8"))
    assert report["exit_code"] == 1
    (pair,) = report["pairs"]
    assert [layer["status"] for layer in pair["layers"]] == [
        "untouched",
        "untouched",
        "entered",
        "untouched",
        "carried",
    ]
    (entry,) = report["entries"]
    assert entry["proved"]
    assert entry["case"]["name"] == "small/second"
    assert entry["case"]["comparisons"][0]["verdict"] == "rounding"
    assert set(pair["outputs"]) == {"root", "tanh_1"}


def test_the_markdown_report_has_the_same_answer(folder: Path, drifting: Ran):
    text = (folder / "trace.md").read_text("utf-8")
    assert text.startswith("## small: DRIFT")
    assert "| second | entered |" in text


def test_activations_are_kept_as_arrays(folder: Path, drifting: Ran):
    sides = [np.load(folder / "kept" / f"{side}.npz") for side in ("baseline", "candidate")]
    assert set(sides[0].files) == {"first", "relu_1", "second", "root", "tanh_1"}
    long, short = (side["second"] for side in sides)
    assert (long.shape[2], short.shape[2]) == (8, 4)
    assert (long[:, :, :4] != short).any()


def test_a_net_whose_layers_agree_is_ok(folder: Path):
    fine = ran(folder, "trace", "net.yaml", "--kernel", "kernels:forwards", "--framework", "numpy")
    assert fine.code == 0
    assert fine.out.startswith("OK small: 5 layers, the same bits whatever")


def test_layers_and_until_say_what_is_looked_at(folder: Path):
    kernel = ("--kernel", "kernels:by_length")
    found = ran(folder, "trace", "net.yaml", *kernel, "--layers", "first|tanh", "--json", "-")
    (pair,) = json.loads(found.out)["pairs"]
    statuses = {layer["name"]: layer["status"] for layer in pair["layers"]}
    assert statuses["second"] == "unseen"
    assert statuses["tanh_1"] == "entered"
    until = ran(folder, "trace", "net.yaml", *kernel, "--until", "relu_1")
    assert "the outputs have other bits, and no layer that was looked at has" in until.out


def test_run_and_sweep_trace_a_net(folder: Path, drifting: Ran):
    kernel = ("--kernel", "kernels:by_length")
    assert ran(folder, "run", "net.yaml", *kernel).out == drifting.out
    swept = ran(folder, "sweep", "net.yaml", *kernel, "--lengths", "6..9,12")
    assert swept.code == 1
    assert "T=6..8 / T=12" in swept.out
    assert "T=9 / T=12" in swept.out


@pytest.fixture(scope="module")
def among(folder: Path) -> Ran:
    """Run the folder: a case that is fine and a net that drifts."""
    files = ("--markdown", "run.md", "--json", "run.json", "--junit", "run.xml")
    return ran(folder, "run", ".", "--kernel", "kernels:by_length", "--github", *files)


def test_the_nets_of_a_folder_are_traced_and_counted(folder: Path, drifting: Ran, among: Ran):
    assert among.code == 1
    lines = among.out.splitlines()
    assert lines[0].startswith("OK case: ")
    assert "1 case: 1 ok; 1 net: 1 drift (exit 1)" in lines
    assert set(drifting.out.splitlines()[:-1]) <= set(lines)


def test_every_report_of_a_folder_has_its_nets(folder: Path, among: Ran):
    report = json.loads((folder / "run.json").read_text("utf-8"))
    alone = json.loads(
        ran(folder, "run", "net.yaml", "--kernel", "kernels:by_length", "--json", "-").out
    )
    assert report["exit_code"] == 1
    assert [case["name"] for case in report["cases"]] == ["case"]
    assert [net["net"]["name"] for net in report["nets"]] == ["small"]
    assert report["nets"][0]["pairs"] == alone["pairs"]
    suites = ElementTree.parse(folder / "run.xml").getroot().findall("testsuite")
    tests = {suite.get("name"): suite.findall("testcase") for suite in suites}
    (test,) = tests["small"]
    assert test.get("name") == "length T=8 against T=12, kernels:by_length:cpu"
    (failure,) = test.findall("failure")
    assert (failure.get("type"), failure.get("message")) == ("rounding", "enters at second")
    assert not any(one.findall("failure") for one in tests["case"])
    markdown = (folder / "run.md").read_text("utf-8")
    assert "| DRIFT | small | second gives other bits" in markdown
    assert "| second | entered |" in markdown
    (error,) = [line for line in among.out.splitlines() if line.startswith("::error")]
    assert error.startswith("::error file=net.yaml,line=8,col=5,title=small%3A DRIFT[rounding]::")


def test_a_net_is_in_no_recording_of_cases_and_that_is_said(folder: Path):
    saved = ran(folder, "run", ".", "--framework", "numpy", "--save", "cases.json")
    assert saved.code == 0
    assert "net.yaml: a net, not recorded here; its own: convdiff trace net.yaml " in saved.err
    shown = ran(folder, "show", "cases.json")
    assert "case" in shown.out and "small" not in shown.out


def test_a_net_alone_has_the_reports_of_a_run(folder: Path):
    arguments = ("--kernel", "kernels:by_length", "--junit", "net.xml", "--github")
    found = ran(folder, "trace", "net.yaml", *arguments)
    assert found.out.splitlines()[-1].startswith("::error file=net.yaml,line=8,col=5,")
    (suite,) = ElementTree.parse(folder / "net.xml").getroot().findall("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")


def test_a_net_that_could_not_be_tested_is_an_error_of_the_run(folder: Path):
    arguments = ("--kernel", "kernels:dies", "--junit", "died.xml", "--github")
    found = ran(folder, "run", "net.yaml", "net.yaml", *arguments)
    assert found.code == 125
    assert "2 nets: 2 untested (exit 125)" in found.out
    assert found.out.count("::warning file=net.yaml,line=1,col=1,title=small%3A UNTESTED::") == 2
    for suite in ElementTree.parse(folder / "died.xml").getroot().findall("testsuite"):
        assert suite.get("errors") == "1"


def test_a_net_beside_cases_is_what_the_gravest_of_them_is(folder: Path):
    fine = ran(folder, "run", ".", "--framework", "numpy")
    assert fine.code == 0
    assert "OK small: 5 layers, the same bits whatever the input length" in fine.out
    assert "1 case: 1 ok; 1 net: 1 ok (exit 0)" in fine.out
    whole = ran(folder, "run", "case.yaml", "net.yaml", "--kernel", "kernels:by_length", "-v")
    assert whole.code == 1
    assert "2 cases and nets: 1 ok, 1 drift (small)" in whole.out


def test_a_bad_net_of_a_folder_is_refused_with_the_bad_cases(tmp_path: Path):
    (tmp_path / "net.yaml").write_text("input: {ramp: 1}\nlengths: 5\nlayers: [rleu]\n")
    (tmp_path / "case.yaml").write_text("filtre: [1]\n")
    found = ran(tmp_path, "run", ".", "--framework", "numpy")
    assert found.code == 2
    assert "net.yaml:3:" in found.err and "case.yaml:1:" in found.err


def test_a_worker_that_dies_is_untested(folder: Path):
    found = ran(folder, "trace", "net.yaml", "--kernel", "kernels:dies")
    assert found.code == 125
    assert found.out.startswith("UNTESTED small: ")


REFUSED = {
    ("case.yaml",): "no net, since it has no 'layers'",
    ("net.yaml", "--until", "secnod"): "--until secnod: no such layer; did you mean second?",
    ("net.yaml", "--layers", "x"): "--layers x: no layer is called so; first, relu_1, second",
    ("net.yaml", "--layers", "("): "--layers (: no regular expression",
    ("net.yaml", "--lengths", "4"): "'small' at length 4: second: nothing is left",
    ("net.yaml", "--markdown", "none/x.md"): "the folder none does not exist",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_can_not_be_is_refused_in_a_line(folder: Path, arguments: tuple[str, ...]):
    found = ran(folder, "trace", *arguments, "--framework", "numpy")
    assert found.code == 2
    assert REFUSED[arguments] in found.err
    assert len(found.err.splitlines()) == 1


NOT_OF_NETS = {
    ("--save", "x.json"): "name a net's recording *.safetensors",
    ("--baseline", "x.json"): "name a net's recording *.safetensors",
    ("--baseline", "x.json", "--update-baseline"): "a net's baseline is recorded by --save FILE",
}


@pytest.mark.parametrize("option", NOT_OF_NETS, ids=" ".join)
def test_what_a_net_does_not_have_is_refused(folder: Path, option: tuple[str, ...]):
    found = ran(folder, "run", "net.yaml", *option)
    assert found.code == 2
    assert NOT_OF_NETS[option] in found.err


def test_one_run_is_nothing_to_compare(folder: Path):
    found = ran(folder, "trace", "net.yaml", "--lengths", "8", "--framework", "numpy")
    assert found.code == 125
    assert "nothing to compare" in found.out
