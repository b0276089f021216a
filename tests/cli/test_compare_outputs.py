"""`compare A.npy B.npy --case CASE`: outputs that someone else computed, judged by their bits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import case_file, convdiff

from convdiff.case.arrays import Tensors, make_input, make_tensors
from convdiff.case.load import load_case
from convdiff.case.model import Allowance, Case
from convdiff.compare.exact import exact
from convdiff.compare.fp64 import plain_fp64
from convdiff.compare.other_ops import other_ops
from convdiff.comparing import Asked, compare_outputs
from convdiff.diagnose.verdict import Finding
from convdiff.errors import CaseError
from convdiff.recording.outputs import Output, read_output
from convdiff.result import Result

Array = Any

SHAPES = "filter: {{normal: 1, shape: {w}, seed: 1}}\ninput: {{normal: 1, shape: {x}, seed: 2}}\n"
NHWC = SHAPES.format(w=[3, 3, 4, 8], x=[2, 9, 11, 4]) + "bias: {normal: 1, seed: 3}\nbatch: 2\n"
NCHW = (
    SHAPES.format(w=[8, 4, 3, 3], x=[2, 4, 9, 11])
    + "bias: {normal: 1, seed: 3}\nbatch: 2\nlayout: nchw\n"
)


def in_order(case: Case, tensors: Tensors) -> Array:
    """Return the convolution in fp32, tap by tap in order, every sum rounded. NHWC."""
    windows = case.conv.windows(tensors.input_nhwc)
    taps = windows.reshape(*windows.shape[:3], -1)
    weights = tensors.filter_hwio.reshape(-1, case.conv.channels_out)
    total = np.zeros((*taps.shape[:3], weights.shape[1]), np.float32)
    for tap, weight in enumerate(weights):
        total = total + taps[..., tap, None] * weight
    return total if tensors.bias is None else total + tensors.bias


def narrowed(array: Array) -> Array:
    return array.astype(ml_dtypes.bfloat16).astype(np.float32)


def on(case: Case, tensors: Tensors, **changes: Any) -> Array:
    """Return the correctly rounded convolution of other arrays."""
    return exact(case.conv, replace(tensors, **changes))


def with_one(output: Array, value: float) -> Array:
    changed = output.copy()
    changed[0, 1, 2, 3] = value
    return changed


def padded(case: Case, tensors: Tensors) -> Array:
    """Return SAME's output."""
    name, padded = next(iter(other_ops(case.conv, tensors.input_nhwc.shape)))
    result = padded(tensors)
    assert "SAME" in name
    return result.astype(np.float32)


Side = Callable[[Case, Tensors], Array]
SIDES: Mapping[str, Side] = {
    "exact": lambda case, data: exact(case.conv, data),
    "in order": in_order,
    "bf16 inputs and weights": lambda case, data: on(
        case,
        data,
        input_nhwc=narrowed(data.input_nhwc),
        filter_hwio=narrowed(data.filter_hwio),
    ),
    "bf16 weights": lambda case, data: on(case, data, filter_hwio=narrowed(data.filter_hwio)),
    "fp16 output": lambda case, data: exact(case.conv, data).astype(np.float16).astype(np.float32),
    "all bf16": lambda case, data: narrowed(
        on(
            case,
            data,
            input_nhwc=narrowed(data.input_nhwc),
            filter_hwio=narrowed(data.filter_hwio),
            bias=narrowed(data.bias),
        )
    ),
    "flipped": lambda case, data: on(
        case, data, filter_hwio=np.ascontiguousarray(data.filter_hwio[::-1, ::-1])
    ),
    "no bias": lambda case, data: on(case, data, bias=None),
    "channel left out": lambda case, data: on(
        case, data, input_nhwc=data.input_nhwc * np.array([1, 1, 0, 1], np.float32)
    ),
    "one off": lambda case, data: with_one(exact(case.conv, data), 1000.0),
    "one slightly off": lambda case, data: with_one(
        exact(case.conv, data), float(exact(case.conv, data)[0, 1, 2, 3]) * 1.01 + 0.01
    ),
    "one NaN": lambda case, data: with_one(exact(case.conv, data), float("nan")),
    "SAME": padded,
}
VERDICTS = {
    "exact": "rounding",
    "in order": "same",
    "bf16 inputs and weights": "precision",
    "bf16 weights": "precision",
    "fp16 output": "precision",
    "all bf16": "precision",
    "flipped": "wrong",
    "no bias": "wrong",
    "channel left out": "wrong",
    "one off": "wrong",
    "one slightly off": "wrong",
    "one NaN": "wrong",
    "SAME": "wrong",
}
"""Against sums in order."""
WORDS = {
    "bf16 inputs and weights": "its numbers fit inputs and weights of 8 bits (bfloat16)",
    "bf16 weights": "its numbers fit weights of 8 bits (bfloat16)",
    "fp16 output": "its numbers fit an output of 11 bits (TF32 or float16)",
    "all bf16": "and an output of 8 bits (bfloat16)",
    "flipped": "it fits: the filter is flipped",
    "no bias": "it fits: the bias is missing",
    "channel left out": "it fits: input channel 2 is left out",
    "one off": "sums in fewer bits may look like this, too",
    "one slightly off": "more than any order of summation can give",
    "one NaN": "1 element(s) are NaN or infinite",
    "SAME": "it fits: the padding is SAME",
    "exact": "not probed: two files have no kernel to ask",
    "in order": "",
}


def saved(folder: Path, case: Case, name: str, output: Array) -> Output:
    """Write an NHWC output as the case has its arrays."""
    path = folder / f"{name}.npy"
    np.save(path, output.transpose(0, 3, 1, 2) if case.layout == "nchw" else output)
    return Output(path.name, path)


def judged(folder: Path, text: str, a: str, b: str, **asked: Any) -> Result:
    case = load_case(case_file(folder, text))
    tensors = make_tensors(case)
    one, other = (saved(folder, case, side, SIDES[side](case, tensors)) for side in (a, b))
    return compare_outputs(case, one, other, Asked(**asked))


def only(result: Result) -> Finding:
    """Return what is found of one output against the other."""
    (case,) = result.cases
    (finding,) = [one for one in case.findings if one.comparison.axis == "baseline"]
    return finding


@pytest.mark.slow
@pytest.mark.parametrize("text", [NHWC, NCHW], ids=["nhwc", "nchw"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_each_is_called_by_what_it_is(tmp_path, text, side, turned):
    pair = (side, "in order") if turned else ("in order", side)
    result = judged(tmp_path, text, *pair)
    finding = only(result)
    assert finding.verdict == VERDICTS[side], finding
    assert result.exit_code == (0 if finding.verdict == "same" else 1)
    assert any(WORDS[side] in str(getattr(one, "fact", one)) for one in (*finding.evidence, ""))


@pytest.mark.parametrize("side", SIDES)
def test_rounding_alone_may_be_allowed(tmp_path, side):
    """And nothing that is more than rounding, which nobody could prove to be that."""
    result = judged(tmp_path, NHWC, "in order", side, expect=Allowance("rounding"))
    assert (result.exit_code == 0) == (VERDICTS[side] in ("same", "rounding"))


@pytest.mark.parametrize("side", ["flipped", "no bias", "channel left out"])
def test_two_that_share_a_mistake_and_round_otherwise_are_wrong(tmp_path, side):
    case = load_case(case_file(tmp_path, NHWC))
    output = SIDES[side](case, make_tensors(case))
    one = saved(tmp_path, case, "one", output)
    other = saved(tmp_path, case, "other", np.nextafter(output, np.float32(0)))
    assert only(compare_outputs(case, one, other, Asked())).verdict == "wrong"


def test_what_a_case_expects_of_its_baseline_holds(tmp_path):
    text = NHWC + "expect: {baseline: rounding}\n"
    assert judged(tmp_path, text, "in order", "exact").exit_code == 0
    assert judged(tmp_path, text, "in order", "exact", expect=Allowance("bitwise")).exit_code == 1


def test_the_longest_length_of_the_largest_batch_is_what_is_asked_for(tmp_path):
    """The input is longer, and its batch larger, than the case runs."""
    text = SHAPES.format(w=[1, 3, 2, 4], x=[3, 1, 20, 2]) + "batch: [1, 2]\nlengths: 7..9\n"
    case = load_case(case_file(tmp_path, text))
    given = make_input(case.input, "float32")
    whole = exact(case.conv, replace(make_tensors(case), input_nhwc=given))
    assert whole.shape == (3, 1, 18, 4)
    fits = saved(tmp_path, case, "fits", whole[:2, :, :7])
    assert compare_outputs(case, fits, replace(fits, name="again"), Asked()).exit_code == 0
    for name, output in (("whole", whole), ("one", whole[:1, :, :7]), ("short", whole[:2, :, :6])):
        with pytest.raises(CaseError, match=r"the case's is 2×1×7×4 NHWC \(at batch 2 and length"):
            compare_outputs(case, fits, saved(tmp_path, case, name, output), Asked())


@pytest.mark.parametrize(("text", "other"), [(NHWC, "NCHW"), (NCHW, "NHWC")], ids=["nhwc", "nchw"])
def test_an_output_that_lies_the_other_way_is_told(tmp_path, text, other):
    case = load_case(case_file(tmp_path, text))
    output = exact(case.conv, make_tensors(case))
    path = tmp_path / "y.npy"
    np.save(path, output if case.layout == "nchw" else output.transpose(0, 3, 1, 2))
    with pytest.raises(CaseError, match=rf"y\.npy: .*: this looks like {other} \(`layout"):
        read_output(case, Output("y.npy", path))


def test_1d_outputs_are_ncl(tmp_path):
    text = SHAPES.format(w=[8, 4, 3], x=[1, 4, 11]) + "layout: nchw\n"
    case = load_case(case_file(tmp_path, text))
    output = exact(case.conv, make_tensors(case))
    np.save(tmp_path / "y.npy", output[:, 0].transpose(0, 2, 1))
    assert np.array_equal(read_output(case, Output("y.npy", tmp_path / "y.npy")), output)


@pytest.mark.parametrize(
    ("dtype", "stored", "held"),
    [
        ("float32", np.float32, True),
        ("float32", np.float64, True),
        ("float32", np.float16, False),
        ("float16", np.float32, True),
        ("float16", np.float64, True),
        ("bfloat16", np.float32, True),
        ("bfloat16", np.float16, False),
        ("float64", np.float64, True),
        ("float64", np.float32, False),
        ("float32", np.int64, True),
    ],
)
def test_a_wider_dtype_may_carry_an_output_and_a_narrower_one_may_not(
    tmp_path, dtype, stored, held
):
    text = "filter: [1, 2]\ninput: [1, 2, 3]\ndtype: " + dtype
    case = load_case(case_file(tmp_path, text))
    np.save(tmp_path / "y.npy", np.array([5, 8], stored))
    output = Output("y.npy", tmp_path / "y.npy")
    if held:
        found = read_output(case, output)
        assert (found.dtype.name, found.ravel().tolist()) == (dtype, [5, 8])
    else:
        with pytest.raises(
            CaseError, match=f"y.npy: the output is .*; its key is `dtype: {dtype}`"
        ):
            read_output(case, output)


def test_values_that_the_dtype_has_not_are_not_rounded_to_it(tmp_path):
    """Else a float64 output would be called equal to its rounding."""
    case = load_case(case_file(tmp_path, "filter: [1, 2]\ninput: [1, 2, 3]\n"))
    for value in (5 + 2.0**-40, 1e300):
        np.save(tmp_path / "y.npy", np.array([value, 8.0]))
        with pytest.raises(CaseError, match="float64, but the case computes in float32"):
            read_output(case, Output("y.npy", tmp_path / "y.npy"))
    for value in (np.nan, np.inf, -0.0):
        np.save(tmp_path / "y.npy", np.array([value, 8.0]))
        assert read_output(case, Output("y.npy", tmp_path / "y.npy")).shape == (1, 1, 2, 1)


# As a command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a case, and outputs of it in several files."""
    case = load_case(case_file(tmp_path, NCHW))
    tensors = make_tensors(case)
    arrays = {side: SIDES[side](case, tensors) for side in ("exact", "in order", "flipped")}
    for side, array in arrays.items():
        saved(tmp_path, case, side.replace(" ", "_"), array)
    (tmp_path / "there").mkdir()
    saved(tmp_path / "there", case, "exact", arrays["exact"])
    turned = {side.replace(" ", "_"): array.transpose(0, 3, 1, 2) for side, array in arrays.items()}
    np.savez(tmp_path / "all.npz", **turned)
    return tmp_path


CASE = ("--case", "case.yaml")


def test_the_report_is_that_of_two_recordings(folder):
    ran = convdiff(
        "compare", "exact.npy", "flipped.npy", *CASE, "-v", "--json", "r.json", cwd=folder
    )
    assert (ran.code, ran.err) == (1, "")
    assert "DRIFT  case: the bits are not those of exact.npy: wrong" in ran.out
    assert "#2 flipped.npy" in ran.out
    assert "computed elsewhere: nothing is known of it but its bits" in ran.out
    assert "right exact.npy is closer to the exact result" in " ".join(ran.out.split())
    assert "again: convdiff compare exact.npy flipped.npy --case case.yaml" in ran.out
    report = json.loads((folder / "r.json").read_text())
    assert [one["id"] for one in report["runtimes"]] == ["exact.npy", "flipped.npy"]
    comparison = report["cases"][0]["comparisons"][0]
    assert (comparison["axis"], comparison["verdict"]) == ("baseline", "wrong")


def test_rounding_is_drift_unless_it_is_expected(folder):
    pair = ("exact.npy", "in_order.npy", *CASE, "-v")
    ran = convdiff("compare", *pair, cwd=folder)
    assert (ran.code, "expect: {baseline: rounding}" in " ".join(ran.out.split())) == (1, True)
    words = " ".join(ran.out.split())
    assert "not looked for: two files have no kernel to ask" in words
    assert convdiff("compare", *pair, "--expect", "rounding", cwd=folder).code == 0


def test_members_of_an_archive_are_outputs_too(folder):
    ran = convdiff("compare", "all.npz#exact", "all.npz#flipped", *CASE, cwd=folder)
    assert ran.code == 1
    assert "#1 all.npz#exact" in ran.out
    assert convdiff("compare", "all.npz#exact", "exact.npy", *CASE, cwd=folder).code == 0


def test_files_of_one_name_are_told_apart_by_their_folders(folder):
    ran = convdiff("compare", "exact.npy", "there/exact.npy", *CASE, "-v", cwd=folder)
    assert (ran.code, "#2 there/exact.npy" in ran.out) == (0, True)
    ran = convdiff("compare", "exact.npy", "exact.npy", *CASE, "-v", cwd=folder)
    assert (ran.code, "#2 exact.npy again" in ran.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("exact.npy", "gone.npy", *CASE), "gone.npy does not exist"),
        (("exact.npy", "case.yaml", *CASE), "case.yaml: --case compares two outputs, *.npy or"),
        (("exact.npy", "all.npz", *CASE), "all.npz holds exact, in_order, flipped; name one as"),
        (("exact.npy", "flipped.npy", "--case", "exact.npy"), "exact.npy: a NumPy array, no case;"),
        (("exact.npy", "flipped.npy", "--case", "gone.yaml"), "gone.yaml: no such file"),
        (("exact.npy", "flipped.npy", *CASE, "--explain"), "files have no orders to replay"),
        (("exact.npy", "flipped.npy"), "exact.npy: a NumPy array, no recording;"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_can_not_be_compared_is_one_line(folder, arguments, words):
    ran = convdiff("compare", *arguments, cwd=folder)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    assert words in ran.err


# Drawn: no bug is called rounding or precision, and no rounding a bug


@st.composite
def drawn_tensors(draw: st.DrawFn) -> Tensors:
    """Draw filter and input of a convolution."""
    kh, kw, cin, cout = (draw(st.integers(1, most)) for most in (3, 4, 6, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.standard_normal((kh, kw, cin, cout)).astype(np.float32)
    x = rng.standard_normal((1, kh + 4, kw + 6, cin)).astype(np.float32)
    return Tensors(weights, None, x)


@pytest.mark.slow
@settings(max_examples=25)
@given(tensors=drawn_tensors(), data=st.data())
def test_a_tap_that_is_changed_is_never_precision_or_rounding(tmp_path_factory, tensors, data):
    """A weight that is off by a hundredth to all of itself, in one output channel."""
    folder = tmp_path_factory.mktemp("drawn")
    tap = tuple(data.draw(st.integers(0, extent - 1)) for extent in tensors.filter_hwio.shape)
    tensors.filter_hwio[tap] += np.copysign(np.float32(1), tensors.filter_hwio[tap])
    np.save(folder / "w.npy", tensors.filter_hwio)
    np.save(folder / "x.npy", tensors.input_nhwc)
    case = load_case(case_file(folder, "filter: {file: w.npy}\ninput: {file: x.npy}\n"))
    right = saved(folder, case, "right", in_order(case, tensors))
    weights = tensors.filter_hwio.copy()
    weights[tap] *= np.float32(1 - data.draw(st.sampled_from([0.01, 0.1, 0.5, 1.0, 2.0])))
    broken = plain_fp64(case.conv, replace(tensors, filter_hwio=weights)).astype(np.float32)
    other = saved(folder, case, "other", broken)
    assert only(compare_outputs(case, right, other, Asked())).verdict == "wrong"
    rounded = saved(folder, case, "rounded", exact(case.conv, tensors))
    assert only(compare_outputs(case, right, rounded, Asked())).verdict in ("same", "rounding")


@pytest.mark.parametrize("side", [side for side in SIDES if side != "one slightly off"])
def test_two_that_are_equal_and_off_the_exact_result_are_no_green(tmp_path, side):
    case = load_case(case_file(tmp_path, NHWC))
    one = saved(tmp_path, case, "one", SIDES[side](case, make_tensors(case)))
    result = compare_outputs(case, one, replace(one, name="again"), Asked())
    right = VERDICTS[side] in ("same", "rounding")
    assert (result.exit_code == 0) == right
    verdicts = {f.verdict for f in result.cases[0].findings if f.comparison.axis == "exact"}
    assert verdicts <= ({"same", "rounding"} if right else {VERDICTS[side]})


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_an_output_of_any_layout_is_said_to_be_taken_for_the_cases_own(layout: str, tmp_path: Path):
    shapes = {"nhwc": ([3, 3, 4, 8], [1, 10, 10, 4]), "nchw": ([8, 4, 3, 3], [1, 4, 10, 10])}
    w, x = shapes[layout]
    text = SHAPES.format(w=w, x=x) + f"layout: {layout}\n"
    (tmp_path / "case.yaml").write_text(text, "utf-8")
    case = load_case(tmp_path / "case.yaml")
    y = exact(case.conv, make_tensors(case))
    own, turned = (y, y.transpose(0, 3, 1, 2)) if layout == "nhwc" else (y.transpose(0, 3, 1, 2), y)
    np.save(tmp_path / "own.npy", own)
    np.save(tmp_path / "turned.npy", turned)
    other = {"nhwc": "nchw", "nchw": "nhwc"}[layout]
    asked = ("compare", "own.npy", "turned.npy", "--case", "case.yaml")
    ran = convdiff(*asked, cwd=tmp_path)
    said = " ".join(ran.out.split())
    for file in ("own.npy", "turned.npy"):
        assert f"{file} is taken for {layout.upper()}, as the case's arrays" in said
    assert f"--layout {other}" in said and ran.code == 1
    ran = convdiff("compare", "own.npy", "own.npy", "--case", "case.yaml", cwd=tmp_path)
    assert ran.code == 0
    asked = ("compare", "turned.npy", "turned.npy", "--case", "case.yaml", "--layout", other)
    ran = convdiff(*asked, "-v", cwd=tmp_path)
    assert ran.code == 0 and "is taken for" not in ran.out, ran.out
    asked = ("compare", "own.npy", "turned.npy", "--case", "case.yaml", "--layout", other)
    ran = convdiff(*asked, cwd=tmp_path)
    assert f"--case case.yaml --layout {other}" in " ".join(ran.out.split())


def test_an_output_whose_shape_says_how_it_lies_is_not_noted(tmp_path: Path):
    (tmp_path / "case.yaml").write_text(NHWC, "utf-8")
    case = load_case(tmp_path / "case.yaml")
    np.save(tmp_path / "y.npy", exact(case.conv, make_tensors(case)).transpose(0, 3, 1, 2))
    asked = ("compare", "y.npy", "y.npy", "--case", "case.yaml")
    refused = convdiff(*asked, cwd=tmp_path)
    assert refused.code == 2 and "else --layout nchw" in " ".join(refused.err.split())
    ran = convdiff(*asked, "--layout", "nchw", cwd=tmp_path)
    assert ran.code == 0 and "is taken for" not in ran.out, ran.out
    alone = convdiff("compare", "a.json", "b.json", "--layout", "nchw", cwd=tmp_path)
    assert alone.code == 2 and "it goes with --case" in alone.err
