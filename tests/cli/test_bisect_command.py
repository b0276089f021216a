"""`convdiff bisect` over sizes and settings of kernels that change where their names say."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import Ran, convdiff

pytestmark = pytest.mark.slow

KERNELS = '''
"""Convolutions whose products are added forwards up to some size, and backwards above."""

import os

import numpy as np


def summed(x, w, b, backwards):
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    y = np.zeros((x.shape[0], rows, columns, w.shape[3]), x.dtype)
    taps = list(np.ndindex(*w.shape[:3]))
    for i, j, c in reversed(taps) if backwards else taps:
        y = y + x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
    return y if b is None else y + b


def product(x, w, b):
    return summed(x, w, b, x.size > 997)


def length(x, w, b):
    return summed(x, w, b, x.shape[2] > 30)


def batch(x, w, b):
    return summed(x, w, b, x.shape[0] > 5)


def hump(x, w, b):
    return summed(x, w, b, 20 < x.shape[2] < 30)


CALLS = []


def restless(x, w, b):
    """Another order at every other call; with ONE it is one order."""
    CALLS.append(1)
    return summed(x, w, b, len(CALLS) % 2 and os.environ.get("ONE") != "1")


def refusing(x, w, b):
    if 12 <= x.shape[2] <= 17:
        raise ValueError("not here")
    return summed(x, w, b, x.shape[2] > 14)


def variables(x, w, b):
    return summed(x, w, b, os.environ.get("ONE") == "1" and os.environ.get("TWO") == "2")
'''
CASE = """name: own
filter: {normal: 1, shape: [1, 3, 4, 2], seed: 1}
input: {normal: 1, seed: 2}
lengths: 9..400
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    (made / "own.py").write_text(KERNELS)
    (made / "own.yaml").write_text(CASE)
    return made


def bisected(folder: Path, kernel: str, *words: str) -> Ran:
    return convdiff("bisect", "own.yaml", "--kernel", f"own:{kernel}", *words, cwd=folder)


def test_a_product_of_sizes_is_found_from_the_length(folder: Path) -> None:
    ran = bisected(folder, "product")
    assert ran.code == 1, ran.err
    first, *rest = ran.out.splitlines()
    assert (
        first == "own: own:product:cpu gives other bits from length 250 on; 249 is the last before"
    )
    assert "  product  N·C·H·W above 997: 3 other shapes change there, too" in rest
    assert "  again    convdiff run own.yaml --kernel own:product --lengths 249,250" in rest
    why = " ".join(ran.out.split())
    assert "cause proved: order" in why
    assert "length 249 484 of 484" in why or "length 249" in why


def test_a_length_alone_is_no_product(folder: Path) -> None:
    ran = bisected(folder, "length")
    assert "from length 31 on; 30 is the last before" in ran.out
    assert "  product  none: W alone; 4 other shapes change at the same size" in ran.out


def test_images_and_channels_are_lines_too(folder: Path) -> None:
    ran = bisected(folder, "batch", "--lengths", "9", "--batch", "1..20")
    assert "from batch 6 on; 5 is the last before" in ran.out
    assert "none: N alone" in ran.out
    ran = bisected(folder, "product", "--lengths", "31", "--channels", "4..200")
    assert ran.code == 1, ran.err
    assert "from channels 33 on; 32 is the last before" in ran.out
    assert "N·C·H·W above 997" in ran.out or "N·C·H·W above a limit" in ran.out


def test_ends_are_named_and_verified(folder: Path) -> None:
    ran = bisected(folder, "length", "--good", "20", "--bad", "100")
    assert "length 31 is the first bad one, 30 the last good one" in ran.out
    ran = bisected(folder, "length", "--bad", "20", "--good", "100", "--find-fix")
    assert "length 31 is the first with the fix, 30 the last without" in ran.out
    ran = bisected(folder, "length", "--good", "100", "--bad", "20")
    assert ran.code == 2
    assert "--good comes after --bad; --find-fix looks for what made it good" in ran.err
    for ends in (["--good", "20", "--bad", "20"], ["--good", "400"]):
        ran = bisected(folder, "length", *ends)
        assert ran.code == 2
        assert f"--good and --bad: {ends[1]} is both ends" in ran.err
    ran = bisected(folder, "length", "--good", "40", "--bad", "100")
    assert ran.code == 125
    assert ran.out == "own: 40, taken for good, and 100, for bad, show the same\n"
    ran = bisected(folder, "length", "--good", "7")
    assert ran.code == 2
    assert "--good 7: none of the line, of 9 to 400" in ran.err


def test_what_is_passed_by_leaves_a_range(folder: Path) -> None:
    ran = bisected(folder, "length", "--good", "28", "--bad", "34", "--skip", "31", "--scan")
    assert "length 32 is the first bad one, 30 the last good one, or one of 31, not run" in ran.out
    assert "  not run  31" in ran.out
    assert "  product" not in ran.out


def test_a_line_with_several_changes_is_scanned_or_warned_of(folder: Path) -> None:
    ran = bisected(folder, "hump", "--lengths", "9..60")
    assert ran.code == 0
    assert "gives the same bits at length 9 and 60" in ran.out
    assert "untried  50 sizes between; --scan tries all" in ran.out
    ran = bisected(folder, "hump", "--lengths", "9..60", "--scan")
    assert ran.code == 1
    assert "from length 21 on; 20 is the last before" in ran.out
    assert "from length 30 on; 29 is the last before" in ran.out
    assert "  product" not in ran.out


def test_what_differs_from_run_to_run_changes_at_no_size(folder: Path) -> None:
    ran = bisected(folder, "restless", "--lengths", "9..20")
    assert ran.code == 125
    assert "own:restless:cpu could not be run at two sizes" in ran.out
    assert "  skipped  9..20: two identical calls give other bits" in ran.out
    ran = bisected(folder, "restless", "--lengths", "9", "--good-env", "ONE=1", "--bad-env", "")
    assert ran.code == 125
    assert "one end could not be run: two identical calls give other bits" in ran.out


def test_sizes_that_fail_alike_have_one_line(folder: Path) -> None:
    ran = bisected(folder, "refusing", "--lengths", "9..20")
    assert ran.code == 1
    assert "from length 18 on; 11 is the last before, or one of 12, " in ran.out
    assert "  skipped  12..17: ValueError: not here\n" in ran.out


@pytest.mark.parametrize("words", [[], ["--lengths", "9", "--good-env", "A=1", "--bad-env", ""]])
def test_no_device_is_left_out_unsaid(folder: Path, words: list[str]) -> None:
    for mode in ("input_sliced", "no_such_mode"):
        ran = bisected(folder, "length", "--device", f"cpu,cpu+{mode}", *words)
        assert (ran.code, ran.out) == (2, "")
        assert "are bisected on one runtime" in ran.err
    (folder / "two.yaml").write_text(CASE + "devices: [cpu, cpu+input_sliced]\n")
    ran = convdiff("bisect", "two.yaml", "--kernel", "own:length", *words, cwd=folder)
    assert (ran.code, ran.out) == (2, "")
    assert "bisect: on one device, not cpu and cpu+input_sliced: name one with --dev" in ran.err


def test_verdicts_are_a_state_of_a_size_too(folder: Path) -> None:
    """Nine images are 997 numbers at another length than one: between them the batch drifts."""
    (folder / "nine.yaml").write_text(f"{CASE}batch: [1, 9]\n")
    words = ["nine.yaml", "--kernel", "own:product", "--lengths", "9..60", "--by", "verdict"]
    ran = convdiff("bisect", *words, cwd=folder)
    assert ran.code == 1, ran.err
    assert "shows something else from length 28 on; 27 is the last before" in ran.out
    assert "  length 27 no drift\n  length 28 batch: rounding, order\n" in ran.out
    ran = convdiff("bisect", *words, "--good", "9", "--bad", "60", cwd=folder)
    assert "length 28 is the first bad one, 27 the last good one" in ran.out
    ran = convdiff("bisect", *words, "--good", "30", cwd=folder)
    assert ran.code == 125
    assert ran.out == "own: 30 is taken for good, and shows batch: rounding, order\n"


def test_two_variables_that_matter_together_are_told_with_their_difference(folder: Path) -> None:
    ran = bisected(
        folder,
        "variables",
        "--lengths",
        "9",
        "--good-env",
        "A=1 ONE=0",
        "--bad-env",
        "ONE=1 TWO=2 B=3",
    )
    assert ran.code == 1, ran.err
    first = ran.out.splitlines()[0]
    assert first == (
        "own: ONE=0 → 1, TWO=(unset) → 2 changes the bits together; none of them alone"
    )
    why = " ".join(ran.out.split())
    assert "differ rounding; " in why
    assert "cause proved: order" in why
    assert "again convdiff bisect own.yaml --lengths 9 --kernel own:variables --good-env" in why


def test_variables_that_change_no_verdict_show_the_same(folder: Path) -> None:
    ends = ["--lengths", "9", "--good-env", "ONE=0", "--bad-env", "ONE=1 TWO=2"]
    ran = bisected(folder, "variables", *ends, "--by", "verdict")
    assert (ran.code, ran.out) == (0, "own: both environments show the same\n")


def test_a_model_is_told_how_a_layer_becomes_a_case(folder: Path) -> None:
    ran = convdiff("bisect", "model.onnx", "--requires", "onnxruntime==1.16..1.20", cwd=folder)
    assert ran.code == 2
    assert ran.err == (
        "convdiff: model.onnx: a model, and bisect runs one convolution; convdiff extract "
        "model.onnx --layer NAME -o case.yaml writes a case of one layer (convdiff inspect "
        "model.onnx lists them)\n"
    )


def test_two_kinds_at_once_are_refused(folder: Path) -> None:
    ran = bisected(folder, "length", "--good-env", "A=1", "--good", "9")
    assert ran.code == 2
    ran = convdiff("bisect", "own.yaml", "--lengths", "9", cwd=folder)
    assert "name the sizes of one axis, with --lengths, --batch or --channels" in ran.err
