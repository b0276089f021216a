"""Causes are proved on real TensorFlow, through the same workers that gave the bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import KERNEL, OTHER_ORDER, REPOSITORY, convdiff, kernel_file

import convdiff as package
from convdiff.diagnose.cause import explain_difference
from convdiff.diagnose.equal_orders import same_orders
from convdiff.order.geometry import Geometry
from convdiff.order.orders import orders_of as explain_kernel
from convdiff.order.replay.replay import Data
from convdiff.order.reveal.kernel import CallableKernel

pytestmark = pytest.mark.framework

CASES = REPOSITORY / "cases"
SEQUENTIAL = "(((((0+1)+2)+3)+4)+b)"
PAIRWISE = "((((0+1)+(2+3))+4)+b)"


def reported(path: Path, *arguments: object) -> dict[str, Any]:
    convdiff(*arguments, "--json", path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def origin(tf1_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("explained") / "tf1.json"
    return reported(path, "sweep", "--lengths", "7..9", "--python", tf1_python)


def between(report: dict[str, Any], axis: str, length: int) -> dict[str, Any]:
    (case,) = report["cases"]
    (found,) = [
        comparison
        for comparison in case["comparisons"]
        if comparison["axis"] == axis and comparison["candidate"]["length"] == length
    ]
    return dict(found["explanation"])


def orders(explanation: dict[str, Any], side: str) -> dict[str, int]:
    return {o["notation"]: o["elements"] for o in explanation["orders"] if o["side"] == side}


def test_the_origin_is_order_proved_on_every_element(origin: dict[str, Any]) -> None:
    found = between(origin, "length", 7)
    assert found["status"] == "proved"
    assert found["cause"] == ["order"]
    assert found["replayed"] == {"baseline": [5, 5], "candidate": [3, 3]}
    assert orders(found, "candidate") == {SEQUENTIAL: 3}
    assert orders(found, "baseline") == {PAIRWISE: 4, SEQUENTIAL: 1}


def test_the_origin_at_length_8_is_pairwise_throughout(origin: dict[str, Any]) -> None:
    found = between(origin, "reference", 8)
    assert orders(found, "candidate") == {PAIRWISE: 4}
    assert found["replayed"]["candidate"] == [4, 4]


def test_the_sums_part_where_the_first_four_taps_meet(origin: dict[str, Any]) -> None:
    parted = between(origin, "length", 7)["parted"]
    assert parted["index"] == [0, 0, 2, 0]
    assert parted["terms"] == ["(0,0,0)", "(0,1,0)", "(0,2,0)", "(0,3,0)"]
    assert np.float32(parted["baseline"]) != np.float32(parted["candidate"])


def test_length_8_is_proved_safe_and_length_7_is_not(origin: dict[str, Any]) -> None:
    (safe,) = origin["cases"][0]["safe_lengths"]
    assert safe["proved"] == [8]
    assert safe["unsafe"] == [7]


def in_pairs(folder: Path, *options: str) -> dict[str, Any]:
    """Run the built-in case on a kernel that adds in pairs, as NumPy's reference never does."""
    kernel_file(folder)
    asked = ("run", "--lengths", "9", "--device", "cpu", *KERNEL, *options)
    convdiff(*asked, "--json", "r.json", cwd=folder, env=OTHER_ORDER)
    return dict(json.loads((folder / "r.json").read_text()))


def test_no_explain_leaves_rounding_unexplained(tmp_path: Path) -> None:
    report = in_pairs(tmp_path, "--no-explain")
    comparison, _ = report["cases"][0]["comparisons"]
    assert comparison["verdict"] == "rounding"
    assert comparison["explanation"]["status"] == "unexplained"
    assert comparison["explanation"]["orders"] == []


def test_a_budget_too_small_ends_in_words_and_not_in_a_cause(tmp_path: Path) -> None:
    report = in_pairs(tmp_path, "--budget", "3")
    explanation = report["cases"][0]["comparisons"][0]["explanation"]
    assert explanation["status"] == "unexplained"
    assert explanation["cause"] == []


def test_explain_draws_an_element_with_its_partial_sums(tf1_python: str) -> None:
    ran = convdiff("explain", "--lengths", "9", "--index", "0,0,4,0", "--python", tf1_python)
    assert ran.code == 0
    assert "5 of 5 elements replayed bit for bit" in " ".join(ran.out.split())
    assert "aaaab" in ran.out.splitlines()
    drawn = ran.out.partition("element 0,0,4,0: its products and partial sums\n")[2].splitlines()
    assert drawn[0] == "exact 109.3101; conv2d 109.310104 (+7.63e-06 off)"
    assert drawn[1] == "order b"
    assert drawn[-1].split() == ["└", "bias", "0.0401", "109.310104"]


BLOCKED = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def two_blocks(x, w, b):
    windows = sliding_window_view(x, w.shape[:2], (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    taps = windows.reshape(*windows.shape[:3], -1, 1)
    weights = w.reshape(-1, w.shape[3])
    sums = []
    for first in (0, 288):
        total = taps[..., first, :] * weights[first]
        for tap in range(first + 1, first + 288):
            total = total + taps[..., tap, :] * weights[tap]
        sums.append(total)
    return sums[0] + sums[1]
"""


def test_explain_tells_a_large_order_as_a_loop_nest(tmp_path: Path) -> None:
    """The kernel is ours: TensorFlow's blocks are others on each CPU."""
    (tmp_path / "blocked.py").write_text(BLOCKED, "utf-8")
    case = CASES / "winograd.yaml"
    ran = convdiff("explain", case, "--kernel", "blocked:two_blocks", cwd=tmp_path)
    assert ran.code == 0
    assert "[[0..287] [288..575]]" in ran.out
    assert "2 blocks of 288 taps (kh, kw, cin order)" in " ".join(ran.out.split())


def test_explain_tells_what_tensorflow_does_here() -> None:
    ran = convdiff("explain", CASES / "winograd.yaml", "--vary", "TF_ENABLE_ONEDNN_OPTS=0")
    assert ran.code == 0
    assert "57,600 of 57,600 elements replayed bit for bit" in " ".join(ran.out.split())
    assert "fused multiply-adds" in " ".join(ran.out.split()) or "rounded products" in ran.out


def test_explain_refuses_winograd_in_words(tf1_python: str) -> None:
    case = CASES / "winograd.yaml"
    vary = ("--vary", "TF_USE_DEEP_CONV2D=1")
    ran = convdiff("explain", case, "--python", tf1_python, *vary)
    assert ran.code == 125
    assert ran.out.startswith("UNEXPLAINED")
    assert "transform:" in ran.out
    assert "0 of 57,600" in ran.out


def test_explain_outside_of_the_output_is_bad_usage() -> None:
    ran = convdiff("explain", "--lengths", "9", "--index", "0,0,5,0")
    assert ran.code == 2
    assert "outside of the output, 1×1×5×1 NHWC" in ran.err


def sequential(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """Add the products of a 1×k filter left to right, each rounded, then the bias."""
    width = x.shape[2] - w.shape[1] + 1
    total = np.zeros((1, 1, width, w.shape[3]), np.float32)
    for tap in range(w.shape[1]):
        term = x[:, :, tap : tap + width] * w[0, tap]
        total = total + term if tap else term
    return total if b is None else total + b


def backwards(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """Add the same products right to left."""
    return sequential(x[:, :, ::-1], w[:, ::-1], b)[:, :, ::-1]


def numbers(taps: int = 5, length: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 1, length, 1), dtype=np.float32)
    w = rng.standard_normal((1, taps, 1, 2), dtype=np.float32)
    return x, w, rng.standard_normal(2, dtype=np.float32)


def test_ones_own_kernel_is_explained_without_a_case_file() -> None:
    x, w, b = numbers()
    found = package.explain(sequential, x, w, b)
    assert found.status == "proved"
    assert found.replayed == (16, 16)
    (only,) = found.orders
    assert package.notation(only.order.tree) == SEQUENTIAL
    assert package.parsed(SEQUENTIAL) == only.order.tree
    assert "chain of rounded products" in package.described(only.order.tree, w.shape)


def test_the_api_refuses_what_is_no_convolution() -> None:
    x, w, b = numbers()
    with pytest.raises(ValueError, match="both need 4"):
        package.explain(sequential, x[0], w, b)
    with pytest.raises(ValueError, match="b has shape"):
        package.explain(sequential, x, w, np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="returned shape"):
        package.explain(lambda x, w, b: x, x, w, b)
    with pytest.raises(ValueError, match="int64"):
        package.explain(sequential, x.astype(np.int64), w, b)


def explained(fn: Any, data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Any:
    x, w, b = data
    geometry = Geometry(x.shape, w.shape, True)  # type: ignore[arg-type]
    return explain_kernel(CallableKernel(fn, geometry), Data(x, w, b))


def test_equal_orders_are_told_from_equal_bits() -> None:
    data = numbers()
    one, other = explained(sequential, data), explained(backwards, data)
    assert same_orders(one, one)
    assert not same_orders(one, other)


def test_a_cause_is_named_for_each_differing_pair_and_for_no_other() -> None:
    data = numbers()
    one, other = explained(sequential, data), explained(backwards, data)
    outputs = sequential(*data), backwards(*data)
    count = int(np.count_nonzero(outputs[0] != outputs[1]))
    assert count
    found = explain_difference(one, other, outputs, None, strict=False)
    assert found.status == "proved"
    assert found.causes == {"order": count}


def test_a_side_without_an_order_leaves_no_cause() -> None:
    data = numbers()
    rng = np.random.default_rng(0)

    def random_order(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        return sequential(x, w, b) * np.float32(1 + 2**-20 * rng.integers(2))

    one, other = explained(sequential, data), explained(random_order, data)
    found = explain_difference(
        one, other, (sequential(*data), random_order(*data) * 2), None, strict=False
    )
    assert found.status == "unexplained"
    assert not found.causes
    assert {refusal.kind for refusal in found.refusals} == {"unstable"}
