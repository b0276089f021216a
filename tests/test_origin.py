"""The question the project began with: the first outputs change with the input's length."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from program import REPOSITORY, Ran, convdiff

pytestmark = pytest.mark.framework

CASE = REPOSITORY / "cases" / "variable_padding.yaml"

BITS = {
    "60.87010574": 0x42737AFD,
    "72.98010254": 0x4291F5D0,
    "72.98009491": 0x4291F5CF,
    "85.09010315": 0x42AA2E22,
    "85.09008789": 0x42AA2E20,
    "97.20009613": 0x42C26673,
    "109.31010437": 0x42DA9EC6,
}
"""The decimals of the question, and the float32 that each of them is."""

OUTPUTS = {
    7: ["60.87010574", "72.98010254", "85.09010315"],
    8: ["60.87010574", "72.98009491", "85.09008789", "97.20009613"],
    9: ["60.87010574", "72.98009491", "85.09008789", "97.20009613", "109.31010437"],
}


def bits(value: float | str) -> int:
    """Return the bits of a number as float32; a hexadecimal float must be one exactly."""
    number = float.fromhex(value) if isinstance(value, str) else value
    packed = struct.pack("<f", number)
    if isinstance(value, str):
        assert struct.unpack("<f", packed)[0] == number, f"{value} is no float32"
    return int(struct.unpack("<I", packed)[0])


def outputs(text: str, name: str) -> dict[int, list[str]]:
    """Read `y(7) = 1.5, 2.5` lines."""
    lines = re.findall(rf"^{name}\((\d+)\) = (.+)$", text, re.MULTILINE)
    return {int(length): values.split(", ") for length, values in lines}


@pytest.fixture(scope="module")
def on_tf1(tf1_python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, dict[str, Any]]:
    path = tmp_path_factory.mktemp("origin") / "report.json"
    ran = convdiff("run", CASE, "-v", "--python", tf1_python, "--json", path)
    return ran, json.loads(path.read_text())


def of_axis(report: dict[str, Any], axis: str) -> list[dict[str, Any]]:
    (case,) = report["cases"]
    return [comparison for comparison in case["comparisons"] if comparison["axis"] == axis]


def test_the_decimals_of_the_question_are_these_float32():
    for decimal, expected in BITS.items():
        assert bits(float(decimal)) == expected


def test_tf1_prints_the_questioners_numbers(on_tf1):
    ran, _ = on_tf1
    assert outputs(ran.out, "y") == OUTPUTS


def test_what_tf1_prints_has_the_questioners_bits(on_tf1):
    ran, _ = on_tf1
    for length, values in outputs(ran.out, "y").items():
        assert [bits(float(v)) for v in values] == [BITS[v] for v in OUTPUTS[length]]


def test_tf1_multiply_and_reduce_sum_agrees_between_lengths(on_tf1):
    manual = outputs(on_tf1[0].out, "manual")
    assert manual[7] == manual[8][:3] == manual[9][:3]


def test_tf1_drifts_with_the_differences_of_the_question(on_tf1):
    ran, report = on_tf1
    assert ran.code == report["exit_code"] == 1
    assert report["outcome"] == "drift"
    assert ran.err == ""
    assert "7.62939453e-06" in ran.out
    assert "1.52587891e-05" in ran.out
    seven, eight = of_axis(report, "length")
    assert (seven["candidate"]["length"], eight["candidate"]["length"]) == (7, 8)
    assert seven["baseline"]["length"] == eight["baseline"]["length"] == 9
    assert (seven["verdict"], seven["allowed"]) == ("rounding", False)
    assert (seven["elements"], seven["differing"], seven["max_ulp"]) == (3, 2, 2)
    assert seven["max_index"] == [0, 0, 2, 0]
    assert seven["max_abs"] == 2.0**-16  # 1.52587891e-05
    assert [shown["abs"] for shown in seven["elements_shown"]] == [2.0**-16, 2.0**-17]
    assert (eight["verdict"], eight["allowed"], eight["differing"]) == ("same", True, 0)


def test_the_json_of_tf1_carries_the_same_bits(on_tf1):
    _, report = on_tf1
    seen = set()
    for comparison in of_axis(report, "length") + of_axis(report, "reference"):
        for side in ("baseline", "candidate"):
            cell = comparison[side]
            if cell["op"] != "conv2d":
                continue
            for shown in comparison["elements_shown"]:
                place = (cell["length"], shown["index"][2])
                expected = OUTPUTS[place[0]][place[1]]
                assert bits(shown[f"{side}_hex"]) == bits(shown[side]) == BITS[expected], place
                seen.add(place)
    # All that differ from a partner: T = 7 against 9, and 8 and 9 against multiply + reduce_sum.
    assert seen == {(7, 1), (7, 2), (9, 1), (9, 2), (8, 1), (8, 2), (8, 3), (9, 3), (9, 4)}


def test_the_fingerprint_says_tf1(on_tf1):
    ran, report = on_tf1
    runtime = next(r for r in report["runtimes"] if r["available"])
    assert (runtime["id"], runtime["version"]) == ("tensorflow:cpu", "1.0.0")
    assert "tensorflow 1.0.0" in ran.out


def test_the_safe_lengths_of_tf1_are_the_multiples_of_four(tf1_python: str, tmp_path: Path):
    path = tmp_path / "report.json"
    ran = convdiff("sweep", "--lengths", "5..64", "--python", tf1_python, "--json", path)
    assert ran.code == 1
    assert "T ≡ 0 mod 4" in ran.out
    (safe,) = json.loads(path.read_text())["cases"][0]["safe_lengths"]
    assert safe["rule"] == "T ≡ 0 mod 4"
    assert safe["lengths"] == list(range(8, 65, 4))
    assert safe["unsafe"] == [length for length in range(5, 64) if length % 4]
    assert safe["untested"] == []
    # At T = 5 the ramp happens to agree: one input proves little, random ones show it.
    five = of_axis(json.loads(path.read_text()), "length")[0]
    assert (five["candidate"]["length"], five["verdict"]) == (5, "same")


def test_todays_tensorflow_is_the_same_at_all_lengths_or_its_rounding_is_proved(tmp_path: Path):
    """That it is the same is asserted of two machines, in test_recorded_tickets.py."""
    path = tmp_path / "report.json"
    ran = convdiff("run", CASE, "-v", "--json", path)
    report = json.loads(path.read_text())
    compared = of_axis(report, "length")
    assert [(c["candidate"]["length"], c["elements"]) for c in compared] == [(7, 3), (8, 4)]
    same = {c["candidate"]["length"] for c in compared if c["verdict"] == "same"}
    for comparison in compared:
        if comparison["verdict"] != "same":
            assert comparison["verdict"] == "rounding"
            assert comparison["explanation"]["status"] == "proved"
    assert ran.code == report["exit_code"] == (0 if same == {7, 8} else 1)
    seen = outputs(ran.out, "y")
    for length in (7, 8):
        assert (seen[length] == seen[9][: length - 4]) == (length in same)


def test_the_safe_lengths_without_onednn_are_those_without_drift(tmp_path: Path):
    path = tmp_path / "report.json"
    options = ("--lengths", "5..20", "--device", "cpu", "--json", path)
    ran = convdiff("sweep", *options, env={"TF_ENABLE_ONEDNN_OPTS": "0"})
    report = json.loads(path.read_text())
    assert report["runtimes"][0]["fingerprint"]["onednn"] is False
    drifting = {c["candidate"]["length"] for c in of_axis(report, "length") if not c["allowed"]}
    for safe in report["cases"][0]["safe_lengths"]:
        assert drifting <= set(safe["unsafe"])
        assert sorted([*safe["lengths"], *safe["unsafe"], *safe["untested"]]) == list(range(5, 21))
        assert safe["rule"] in ran.out
