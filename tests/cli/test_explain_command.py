"""`convdiff explain`: which output and element it looks at, what it draws, what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import KERNEL, Ran, case_file, convdiff, kernel_file

from convdiff.case.arrays import make_tensors
from convdiff.case.load import load_case
from convdiff.compare.exact import exact
from convdiff.numerics.array import Array
from convdiff.report.numbers import short

KERNELS = """
import numpy as np


def _terms(x, w):
    columns = x.shape[2] - w.shape[1] + 1
    return [x[:, :, t : t + columns] * w[0, t] for t in range(w.shape[1])]


def _chain(terms):
    total, *others = terms
    for term in others:
        total = total + term
    return total


def by_length(x, w, b):
    terms = _terms(x, w)
    if x.shape[2] % 4:
        return _chain(terms)
    return _chain([terms[0] + terms[1], terms[2] + terms[3], *terms[4:]])


def by_batch(x, w, b):
    terms = _terms(x, w)
    return _chain(terms if len(x) > 1 else terms[::-1])


def by_blocks(x, w, b):
    terms = _terms(x, w)
    if x.shape[2] % 4:
        return (terms[0] + terms[1]) + (terms[2] + (terms[3] + terms[4]))
    return terms[0] + (terms[1] + ((terms[2] + terms[3]) + terms[4]))


def chain(x, w, b):
    return _chain(_terms(x, w))

"""
CASE = """
filter: {normal: 1.0, shape: [1, TAPS, 1, 1], seed: 1}
input: {normal: 1.0, seed: 3}
lengths: [60, 63]
batch: 2
"""


def explain(folder: Path, kernel: str, *options: object, taps: int = 5, columns: int = 80) -> Ran:
    (folder / "own.py").write_text(KERNELS)
    case = case_file(folder, CASE.replace("TAPS", str(taps)))
    named = ["--kernel", f"own:{kernel}"]
    return convdiff("explain", case, *named, *options, cwd=folder, env={"COLUMNS": str(columns)})


def told(folder: Path, kernel: str, *options: object, taps: int = 5) -> dict[str, Any]:
    ran = explain(folder, kernel, "--json", "-", *options, taps=taps)
    assert ran.code == 0, ran.err
    report: dict[str, Any] = json.loads(ran.out)
    return report


@pytest.mark.slow
def test_two_lengths_stand_beside_each_other_with_the_first_sum_that_differs(tmp_path: Path):
    ran = explain(tmp_path, "by_length", "--lengths", 60, "--against", 63)
    assert ran.code == 0, ran.err
    assert "length 60 against length 63: " in ran.out
    assert "proved: order (another order of the same products)" in ran.out
    lines = ran.out.splitlines()
    (titles,) = [line for line in lines if line.count(", order a") == 2]
    assert titles.split("  ")[0] == "length 63, order a"
    assert ran.out.count("◀") == 3  # a mark in each tree, and what it means
    assert max(map(len, lines)) <= 80


@pytest.mark.slow
def test_two_trees_without_room_stand_below_each_other(tmp_path: Path):
    ran = explain(tmp_path, "by_length", "--lengths", "60", "--against", "63", columns=60)
    assert ran.out.count(", order a\n") == 2
    assert ran.out.count("◀") == 3  # a mark in each tree, and what it means


def own(folder: Path) -> tuple[dict[str, Any], Array, Array]:
    """Return the kernels, and the input and filter of the case."""
    kernels: dict[str, Any] = {}
    exec(KERNELS, kernels)
    tensors = make_tensors(load_case(folder / "case.yaml"))
    return kernels, tensors.input_nhwc, tensors.filter_hwio


def test_the_element_is_the_first_that_differs(tmp_path: Path):
    report = told(tmp_path, "by_length", "--lengths", "60", "--against", "63")
    baseline, candidate = report["outputs"]
    assert (baseline["length"], candidate["length"]) == (63, 60)
    kernels, x, w = own(tmp_path)
    longer, shorter = (kernels["by_length"](x[:, :, :length], w, None) for length in (63, 60))
    first = np.argwhere(longer[:, :, :56] != shorter)[0].tolist()
    assert baseline["element"]["index"] == candidate["element"]["index"] == first
    assert baseline["element"]["why"] == "the first that differs"
    assert baseline["element"]["sums"][-1]["value"] == longer[tuple(first)]
    assert report["comparison"]["causes"] == {"order": report["comparison"]["differing"]}


def under(element: dict[str, Any], node: int) -> set[int]:
    """Return the terms that a node adds."""
    adds = {one["node"]: one["adds"] for one in element["sums"]}
    if node not in adds:
        return {node}
    return set().union(*(under(element, part) for part in adds[node]))


@pytest.mark.slow
def test_the_sums_that_part_are_of_the_same_terms_in_either_tree(tmp_path: Path):
    told(tmp_path, "by_blocks")  # writes the case
    kernels, x, w = own(tmp_path)
    terms = kernels["_terms"](x, w)
    place = np.argwhere((terms[2] + terms[3]) + terms[4] != terms[2] + (terms[3] + terms[4]))[0]
    at = ["--index", ",".join(map(str, place.tolist()))]
    lengths = ["--lengths", "60", "--against", "63"]
    elements = [one["element"] for one in told(tmp_path, "by_blocks", *lengths, *at)["outputs"]]
    parts = [element["parts"] for element in elements]
    assert parts[0] != parts[1]
    assert [under(*one) for one in zip(elements, parts, strict=True)] == [{2, 3, 4}, {2, 3, 4}]
    sums = [
        {one["node"]: one["value"] for one in element["sums"]}[node]
        for element, node in zip(elements, parts, strict=True)
    ]
    assert sums[0] != sums[1]


@pytest.mark.slow
def test_two_batches_are_two_outputs(tmp_path: Path):
    ran = explain(tmp_path, "by_batch", "--batch", "1,2")
    assert ran.code == 0, ran.err
    assert "batch 1 against batch 2: " in ran.out
    assert "at length 63, batch 1: 59 of 59 elements" in " ".join(ran.out.split())


@pytest.mark.slow
def test_one_output_is_drawn_where_it_is_farthest_from_exact(tmp_path: Path):
    element = told(tmp_path, "chain")["outputs"][0]["element"]
    case = load_case(tmp_path / "case.yaml")
    kernels, x, w = own(tmp_path)
    output = kernels["chain"](x, w, None).astype(np.float64)
    error = np.abs(output - exact(case.conv, make_tensors(case)))
    assert error[tuple(element["index"])] == error.max() > 0
    assert element["why"] == f"the farthest from exact, by {error.max():.3g}"


@pytest.mark.slow
def test_an_element_that_is_asked_for_is_drawn(tmp_path: Path):
    element = told(tmp_path, "chain", "--index", "1,0,8,0")["outputs"][0]["element"]
    assert (element["index"], element["why"]) == ([1, 0, 8, 0], "asked for")


def test_products_stand_at_leaves_and_partial_sums_at_nodes(tmp_path: Path):
    element = told(tmp_path, "chain")["outputs"][0]["element"]
    values = {one["node"]: one["value"] for one in (*element["terms"], *element["sums"])}
    for one in element["sums"]:
        adding = [values[node] for node in one["adds"]]
        assert one["value"] == pytest.approx(sum(adding), rel=1e-6, abs=1e-6)
    assert [one["name"] for one in element["terms"]][:2] == ["(0,0,0)", "(0,1,0)"]


@pytest.mark.slow
def test_of_a_large_order_the_last_sums_are_drawn_and_all_on_demand(tmp_path: Path):
    few = explain(tmp_path, "chain", "--lengths", "63", taps=50).out
    assert "20 terms are not drawn" not in few
    assert "├ … 19 terms" in few
    assert "19 of 50 terms are not drawn; --all, or --depth N" in few
    deep = explain(tmp_path, "chain", "--depth", "3", taps=50).out
    assert "├ … 47 terms" in deep
    assert "47 of 50 terms are not drawn" in deep
    whole = explain(tmp_path, "chain", "--all", taps=50).out
    assert "not drawn" not in whole
    assert all(f" {tap} (0,{tap},0) " in whole for tap in range(50))


def test_a_sum_that_is_not_drawn_is_marked_where_it_hides(tmp_path: Path):
    ran = explain(
        tmp_path, "by_length", "--lengths", "60", "--against", "63", "--depth", "1", taps=9
    )
    assert "◀ the first sum of the same terms that differs" in ran.out
    assert "or what hides it" in ran.out


@pytest.mark.slow
def test_the_numbers_are_those_of_a_run_of_the_case(tmp_path: Path):
    at = ["--index", "0,0,3,0"]
    values = [
        told(tmp_path, "chain", *at, "--lengths", length)["outputs"][0]["element"]["terms"]
        for length in ("60", "63")
    ]
    assert values[0] == values[1]


def test_orders_say_which_elements_have_them(tmp_path: Path):
    (output,) = told(tmp_path, "chain")["outputs"]
    (order,) = output["orders"]
    assert order["notation"] == "((((0+1)+2)+3)+4)"
    assert order["elements"] == 118
    assert order["runs"] == [[0, 118]]
    assert output["replayed"] == [118, 118]


@pytest.mark.slow
def test_the_tree_is_written_for_graphviz(tmp_path: Path):
    path = tmp_path / "trees.dot"
    ran = explain(tmp_path, "by_length", "--lengths", "60", "--against", "63", "--dot", path)
    assert ran.code == 0, ran.err
    text = path.read_text("utf-8")
    assert text.startswith("digraph explain {\n")
    assert text.endswith("}\n")
    assert text.count("{") == text.count("}")
    assert text.count("subgraph cluster_") == 2
    assert text.count("color=red") == 2
    assert text.count(" -> ") == 2 * 8  # five leaves and four sums, less the root
    at = " (own kernel), conv2d at length"
    assert all(f'label="own:by_length:cpu{at} {T}, batch 2\\nelement ' in text for T in (60, 63))


@pytest.mark.slow
def test_the_element_has_its_exact_value_and_each_sides_error(tmp_path: Path):
    ran = explain(
        tmp_path, "by_length", "--lengths", "60,63", "--index", "1,0,8,0", "--json", "found.json"
    )
    report = json.loads((tmp_path / "found.json").read_text("utf-8"))
    case = load_case(tmp_path / "case.yaml")
    kernels, x, w = own(tmp_path)
    right = float(exact(case.conv, make_tensors(case))[1, 0, 8, 0])
    said = f"exact {short(right, 'float32')}"
    for length, output in zip((63, 60), report["outputs"], strict=True):
        value = float(kernels["by_length"](x[:, :, :length], w, None)[1, 0, 8, 0])
        told = output["element"]
        assert (told["output"], told["exact"], told["error"]) == (value, right, value - right)
        off = f"{value - right:+.3g} off" if value != right else "correctly rounded"
        said += f"; length {length} {short(value, 'float32')} ({off})"
    assert said in " ".join(ran.out.split())


@pytest.mark.slow
def test_what_is_not_finite_is_no_error(tmp_path: Path):
    case = case_file(tmp_path, "filter: [1, 2]\ninput: [1, .nan, 2, .inf, 3, 4]\n")
    (tmp_path / "own.py").write_text(KERNELS)
    words = ("explain", case, "--kernel", "own:chain", "--json", "-", "--index")
    for index, value in (("0,0,1,0", "nan"), ("0,0,2,0", "inf")):
        ran = convdiff(*words, index, cwd=tmp_path)
        told = json.loads(ran.out)["outputs"][0]["element"]
        assert (told["output"], told["exact"], told["error"]) == (value, value, "nan")


@pytest.mark.slow
def test_json_and_text_come_of_one_call(tmp_path: Path):
    path = tmp_path / "found.json"
    ran = explain(tmp_path, "chain", "--json", path)
    assert ran.out.startswith("PROVED")
    report = json.loads(path.read_text("utf-8"))
    assert report["schema_version"] == 1
    assert report["comparison"] is None


@pytest.mark.slow
def test_length_is_an_older_name_of_lengths_and_two_of_them_are_against(tmp_path: Path):
    assert explain(tmp_path, "chain", "--length", "60").out == (
        explain(tmp_path, "chain", "--lengths", "60").out
    )
    both = explain(tmp_path, "by_length", "--lengths", "60,63")
    assert both.code == 0
    assert both.out == explain(tmp_path, "by_length", "--lengths", "60", "--against", "63").out


@pytest.mark.slow
def test_two_settings_are_two_outputs(tmp_path: Path):
    kernel_file(tmp_path)
    case = case_file(tmp_path, CASE.replace("TAPS", "5"))
    ran = convdiff("explain", case, *KERNEL, "--vary", "ORDER=rows,pairs", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "proved: order (another order of the same products)" in ran.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--all", "--depth", "2"], "--all draws every level: it goes without --depth"),
        (["--lengths", "60", "--against", "60"], "--against 60: the length itself"),
        (["--against", "3"], "length 3 is below the width 5"),
        (["--against", "60", "--batch", "1,2"], "4 are asked for"),
        (["--against", "60", "--index", "0,0,57,0"], "outside of the output, 2×1×56×1 NHWC"),
        (["--json", "nowhere/found.json"], "--json nowhere/found.json: the folder nowhere does"),
        (["--dot", "nowhere/tree.dot"], "--dot nowhere/tree.dot: the folder nowhere does"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(tmp_path: Path, options: list[str], said: str):
    ran = explain(tmp_path, "chain", *options)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") <= 4 and "Traceback" not in ran.err


def test_what_is_not_there_has_no_tree(tmp_path: Path):
    path = tmp_path / "tree.dot"
    case = case_file(tmp_path, CASE.replace("TAPS", "5"))
    options = ["--kernel", "nobody:home", "--dot", path, "--json", "-"]
    ran = convdiff("explain", case, *options, cwd=tmp_path)
    assert ran.code == 125
    assert "no proven order" in path.read_text("utf-8")
    (output,) = json.loads(ran.out)["outputs"]
    assert output["status"] == "untested"
    assert output["element"] is None


@pytest.mark.slow
def test_a_side_that_is_there_is_drawn_where_the_other_is_not(tmp_path: Path):
    ran = explain(tmp_path, "chain", "--kernel", "nobody:home")
    assert ran.code == 125
    assert "own:chain:cpu, order a" in ran.out
    assert "UNTESTED" in ran.out
