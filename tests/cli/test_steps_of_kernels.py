"""What follows a convolution, in kernels of known order: proved, hidden, forgotten, misplaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from program import convdiff

pytestmark = pytest.mark.slow

KERNELS = '''
"""Kernels that do their step rightly, elsewhere, too early, or not at all."""

import numpy as np

LIMITS = {"relu": np.inf, "relu6": 6}


def products(x, w):
    columns = x.shape[2] - w.shape[1] + 1
    for j, c in np.ndindex(*w.shape[1:3]):
        yield x[:, :, j : j + columns, c, None] * w[0, j, c]


def summed(terms, total=None):
    for term in terms:
        total = term if total is None else total + term
    return total


def after(y, then, added):
    if then == "add":
        return y + added
    return np.clip(y, y.dtype.type(0), LIMITS[then]).astype(y.dtype) + 0 if then else y


def chain(x, w, b, then="", added=None):
    return after(summed(products(x, w)) + b, then, added)


def array_first(x, w, b, then="", added=None):
    return summed(products(x, w), added if then == "add" else None) + b


def array_before_bias(x, w, b, then="", added=None):
    y = summed(products(x, w))
    return (y + added if then == "add" else y) + b


def array_in_a_block(x, w, b, then="", added=None):
    terms = list(products(x, w))
    first, second = summed(terms[:5]), summed(terms[5:])
    return ((first + added if then == "add" else first) + second) + b


def forgets(x, w, b, then="", added=None):
    return chain(x, w, b)


def early(x, w, b, then="", added=None):
    return after(summed(products(x, w)), then, added) + b


def twice(x, w, b, then="", added=None):
    return chain(x, w, b, then, None if added is None else 2 * added)


def other_limit(x, w, b, then="", added=None):
    return chain(x, w, b, {"relu": "relu6", "relu6": "relu"}[then] if then else "")


def fused_otherwise(x, w, b, then="", added=None):
    terms = list(products(x, w))
    return after(summed(terms[::-1] if then else terms) + b, then, added)


def backwards(x, w, b, then="", added=None):
    return after(summed(list(products(x, w))[::-1]) + b, then, added)


def keeps_zero(x, w, b, then="", added=None):
    y = summed(products(x, w)) + b
    return np.where(y < 0, np.float32(0), y) if then else y


def drops_nan(x, w, b, then="", added=None):
    y = summed(products(x, w)) + b
    return np.where(y > 0, y, np.float32(0)) if then else y
'''
CASE = """
filter: {normal: 1.0, shape: [1, 3, 3, 4], seed: 1}
bias: {normal: 1.0, seed: 2}
input: {normal: 1.0, seed: 3}
lengths: 30
then: THEN
expect: {runtime: bitwise}
"""
ADD = "{add: {normal: 1.0, seed: 4}}"


def compared(folder: Path, case: str, *kernels: str, strict: bool = False) -> list[dict[str, Any]]:
    """Return how each kernel but the first compares with the first, as the JSON report says it."""
    (folder / "own.py").write_text(KERNELS, "utf-8")
    (folder / "case.yaml").write_text(case, "utf-8")
    options = [word for name in kernels for word in ("--kernel", f"own:{name}")]
    options += ["--strict"] if strict else []
    ran = convdiff("run", "case.yaml", *options, "--json", "-", "-q", cwd=folder)
    assert "Traceback" not in ran.err
    (found,) = json.loads(ran.out)["cases"]
    assert not found["failures"], found["failures"]
    rows = [one for one in found["comparisons"] if one["axis"] == "runtime"]
    return [one for one in rows if one["candidate"]["op"] == "conv2d"]


def test_an_array_that_joins_the_sum_elsewhere_is_proved_to_do_so(tmp_path: Path):
    names = ("array_first", "array_before_bias", "array_in_a_block")
    found = compared(tmp_path, CASE.replace("THEN", ADD), "chain", *names)
    words = ("the array first", "the array added before the bias", "of the first block")
    for one, word in zip(found, words, strict=True):
        why = one["explanation"]
        assert (one["verdict"], why["status"]) == ("rounding", "proved"), one
        assert "step" in " ".join(why["causes"])
        assert why["replayed"]["candidate"] == [112, 112]
        assert any(word in order["description"] for order in why["orders"]), why["orders"]
        assert one["step"]["differing"] == 0 or word == words[2]
    assert list(found[0]["explanation"]["causes"]) == ["step"]
    assert "without add both sides agree: add differs" in found[0]["evidence"]


@pytest.mark.parametrize("then", ["relu", "relu6"])
def test_a_step_that_is_misplaced_or_another_is_wrong_by_its_name(tmp_path: Path, then: str):
    names = ("forgets", "early", "other_limit")
    found = compared(tmp_path, CASE.replace("THEN", then), "chain", *names)
    other = {"relu": "relu6", "relu6": "relu"}[then]
    assert [one["fits"] for one in found] == [
        f"the step is missing: {then}",
        f"{then} is applied before the bias is added",
        f"{other} is applied, not {then}",
    ]
    assert {one["verdict"] for one in found} == {"wrong"}


def test_an_array_that_is_forgotten_or_added_twice_is_named(tmp_path: Path):
    found = compared(tmp_path, CASE.replace("THEN", ADD), "chain", "forgets", "twice")
    assert [one["verdict"] for one in found] == ["wrong", "wrong"]
    names = ["the step is missing: add", "what is added is added twice"]
    assert [one["fits"] for one in found] == names


def test_a_convolution_that_the_step_changes_is_told_from_one_that_differs(tmp_path: Path):
    found = compared(
        tmp_path, CASE.replace("THEN", "relu"), "chain", "fused_otherwise", "backwards"
    )
    for one in found:
        assert one["explanation"]["status"] == "proved"
        assert list(one["explanation"]["causes"]) == ["order"]
    changed, passed = found
    assert "without relu both sides agree: relu differs" in changed["evidence"]
    assert changed["step"]["fused"][0] == 0 < changed["step"]["fused"][1]
    step = passed["step"]
    assert step["fused"] == [0, 0] and step["made"] == 0
    assert step["differing"] == step["passed_on"] + step["hidden"]
    assert step["passed_on"] == passed["differing"] > 0 < step["hidden"]


def test_what_a_step_hides_is_said(tmp_path: Path):
    large = CASE.replace("THEN", "relu6").replace(
        "bias: {normal: 1.0, seed: 2}", "bias: [90, 90, 90, 90]"
    )
    (same,) = compared(tmp_path, large, "chain", "backwards")
    assert same["differing"] == 0 < same["step"]["differing"] == same["step"]["hidden"]
    assert any("relu6 hides all of them" in words for words in same["evidence"])
    assert same["verdict"] == "mistrusted"


def test_the_sign_of_a_zero_is_no_difference_but_under_strict(tmp_path: Path):
    zeros = """
filter: [[[[-1.0]]]]
bias: [0.0]
input: [0.0, 1.0, 2.0, -3.0]
then: relu
expect: {runtime: bitwise}
"""
    zeros = zeros.replace("bias: [0.0]", "bias: [-0.0]")
    (same,) = compared(tmp_path, zeros, "chain", "keeps_zero")
    assert same["differing"] == 0
    (strict,) = compared(tmp_path, zeros, "chain", "keeps_zero", strict=True)
    assert strict["differing"] == 1 and strict["verdict"] == "rounding"
    (cause,) = strict["explanation"]["causes"]  # where the sum starts tells zeros apart, too
    assert cause.split("+")[-1] == "step"


def test_nan_that_a_relu_drops_is_told_and_no_bug(tmp_path: Path):
    data = CASE.replace("THEN", "relu").replace(
        "bias: {normal: 1.0, seed: 2}", "bias: [1, .nan, 1, 1]"
    )
    (one,) = compared(tmp_path, data, "chain", "drops_nan")
    assert one["verdict"] == "precision", one["evidence"]
    why = one["explanation"]
    assert (why["status"], list(why["causes"])) == ("proved", ["step"])
    assert any("takes NaN for one of its limits" in words for words in one["evidence"])
    (lost,) = compared(tmp_path, data.replace("then: relu", "then: " + ADD), "chain", "forgets")
    assert lost["verdict"] == "wrong"


def test_a_kernel_without_the_parameter_refuses_the_step(tmp_path: Path):
    (tmp_path / "bare.py").write_text("def plain(x, w, b):\n    return x[..., :1]\n", "utf-8")
    (tmp_path / "case.yaml").write_text(CASE.replace("THEN", "relu"), "utf-8")
    ran = convdiff("run", "case.yaml", "--kernel", "bare:plain", cwd=tmp_path)
    assert ran.code == 125 and "bare:plain takes no then" in " ".join(ran.out.split())


@pytest.mark.parametrize("then", ["relu", ADD])
def test_what_is_allowed_is_told_with_its_proof_where_that_is_asked_for(tmp_path: Path, then: str):
    (tmp_path / "own.py").write_text(KERNELS, "utf-8")
    case = CASE.replace("THEN", then).replace("bitwise", "rounding")
    (tmp_path / "case.yaml").write_text(case, "utf-8")
    kernels = ("--kernel", "own:chain", "--kernel", "own:backwards")
    asked = convdiff("run", "case.yaml", *kernels, "--explain", cwd=tmp_path)
    assert asked.code == 0 and asked.out.startswith("OK case: runtime rounding")
    lines = asked.out.splitlines()
    (at,) = [n for n, one in enumerate(lines) if one.startswith("allowed  runtime: own:backwards")]
    proof = "\n".join(lines[at:])
    assert "  why    proved, NumPy replays every bit: another order" in proof
    assert "  order  own:chain:cpu: all of" in proof and "  right  no bug" in proof
    assert "allowed" not in convdiff("run", "case.yaml", *kernels, cwd=tmp_path).out
