"""The JSON report: its keys are a contract, its numbers are the bits."""

from __future__ import annotations

import json
import math
import os
import stat
import threading
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from program import Ran, convdiff

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
HEX = {"type": "string", "pattern": r"^(-?0x[01]\.[0-9a-f]+p[+-]\d+|-?inf|nan)$"}
INDEX = {"type": "array", "items": COUNT, "minItems": 4, "maxItems": 4}
AXIS = {
    "enum": [
        "length",
        "batch",
        "threads",
        "repeat",
        "baseline",
        "device",
        "runtime",
        "reference",
        "exact",
        "clean",
    ]
}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def rows(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def keys(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has at least these keys."""
    return {"type": "object", "required": list(properties), "properties": properties}


CELL = keys(
    runtime=TEXT,
    op={"enum": ["conv2d", "manual", "exact"]},
    length=COUNT,
    batch=COUNT,
    repeat=COUNT,
)
ELEMENT = keys(
    index=INDEX,
    baseline=NUMBER,
    candidate=NUMBER,
    baseline_hex=HEX,
    candidate_hex=HEX,
    abs=NUMBER,
    ulp=COUNT,
    exact=maybe(NUMBER),
)
REPLAYED = {"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}
EXPLANATION = keys(
    status={"enum": ["proved", "partial", "unexplained", "not_needed"]},
    cause=rows(TEXT),
    replayed=maybe(keys(baseline=maybe(REPLAYED), candidate=maybe(REPLAYED))),
    orders=rows(keys(side={"enum": ["baseline", "candidate"]}, elements={}, notation=TEXT)),
)
COMPARISON = keys(
    axis=AXIS,
    baseline=CELL,
    candidate=CELL,
    verdict={
        "enum": [
            "same",
            "rounding",
            "precision",
            "transform",
            "unstable",
            "wrong",
            "mistrusted",
            "untested",
        ]
    },
    allowed={"type": "boolean"},
    elements=COUNT,
    differing=COUNT,
    max_abs=maybe(NUMBER),
    max_ulp=maybe(COUNT),
    max_index=maybe(INDEX),
    bound_ratio=NUMBER,
    elements_shown=rows(ELEMENT),
    explanation=EXPLANATION,
)
ALLOWANCE = {
    "anyOf": [{"enum": ["bitwise", "rounding", "anything"]}, keys(ulps={"type": "integer"})]
}
SAFE = keys(runtime=TEXT, lengths=rows(COUNT), unsafe=rows(COUNT), rule=maybe(TEXT))
OUTCOME = {"enum": ["ok", "drift", "untested", "error"]}
SCHEMA = keys(
    schema_version={"const": 1},
    tool_version=TEXT,
    exit_code={"enum": [0, 1, 2, 125, 129, 130, 143]},
    outcome=OUTCOME,
    interrupted={"type": "boolean"},
    time_over={"type": "boolean"},
    not_begun=COUNT,
    runtimes=rows(
        keys(
            id=TEXT,
            framework=TEXT,
            version=maybe(TEXT),
            device=TEXT,
            available={"type": "boolean"},
            reason=maybe(TEXT),
            settings={"type": "object"},
            fingerprint={"type": "object"},
        )
    ),
    cases=rows(
        keys(
            name=TEXT,
            file=TEXT,
            outcome=OUTCOME,
            comparisons=rows(COMPARISON),
            safe_lengths=rows(SAFE),
            suggested_expect=maybe({"type": "object", "additionalProperties": ALLOWANCE}),
        )
    ),
)
"""DESIGN.md's contract, schema_version 1; other keys may come, these stay."""


def valid(report: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(report)


def test_the_contract_holds(report: dict[str, Any]):
    valid(report)


@pytest.mark.parametrize("key", ["outcome", "runtimes", "cases"])
def test_the_contract_can_be_broken(report: dict[str, Any], key: str):
    with pytest.raises(jsonschema.ValidationError):
        valid({name: value for name, value in report.items() if name != key})


def test_exit_code_and_outcome_are_those_of_the_run(drift: Ran, report: dict[str, Any]):
    assert (drift.code, report["exit_code"], report["outcome"]) == (1, 1, "drift")
    assert report["cases"][0]["outcome"] == "drift"
    assert report["cases"][0]["name"] == "many-elements"
    assert drift.err == ""


def test_runtimes_are_named_by_device_and_settings(report: dict[str, Any]):
    cpu = [r for r in report["runtimes"] if r["device"] == "cpu"]
    assert [r["id"] for r in cpu] == [
        "adding:convolution:cpu[ORDER=rows]",
        "adding:convolution:cpu[ORDER=pairs]",
    ]
    assert [r["settings"] for r in cpu] == [{"ORDER": "rows"}, {"ORDER": "pairs"}]
    assert [r["fingerprint"]["onednn"] for r in cpu] == [None, None]
    for runtime in report["runtimes"]:
        assert runtime["available"] or "gpu" in runtime["reason"]


def test_what_is_allowed_and_what_is_not(report: dict[str, Any]):
    comparisons = report["cases"][0]["comparisons"]
    drifted = [c for c in comparisons if not c["allowed"]]
    assert {c["axis"] for c in drifted} == {"runtime"}
    assert {c["verdict"] for c in drifted} == {"rounding"}
    for comparison in comparisons:
        same = comparison["verdict"] == "same"
        assert (comparison["differing"] == 0) == same
        assert (comparison["elements_shown"] == []) == same


def test_numbers_read_back_are_the_bits(report: dict[str, Any]):
    shown = [e for c in report["cases"][0]["comparisons"] for e in c["elements_shown"]]
    assert len(shown) > 20
    for element in shown:
        for side in ("baseline", "candidate"):
            wide = float.fromhex(element[f"{side}_hex"])
            single = np.float32(wide)
            assert float(single) == wide, "what is printed is a float32"
            assert np.float32(element[side]).tobytes() == single.tobytes()
        a, b = (np.float32(element[side]) for side in ("baseline", "candidate"))
        assert element["abs"] == abs(float(b) - float(a))
        steps = abs(int(a.view(np.int32)) - int(b.view(np.int32)))
        assert element["ulp"] == steps or float(a) * float(b) < 0


def test_the_worst_element_comes_first_and_is_the_maximum(report: dict[str, Any]):
    for comparison in report["cases"][0]["comparisons"]:
        sizes = [element["abs"] for element in comparison["elements_shown"]]
        if not sizes:
            continue
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] == comparison["max_abs"]
        assert comparison["elements_shown"][0]["index"] == comparison["max_index"]
        assert len(sizes) == min(10, comparison["differing"])


@pytest.mark.slow
def test_stdout_can_be_the_json_and_the_run_repeats(
    drifting_case: Path, vary: tuple[str, ...], folder: Path, report: dict[str, Any]
):
    ran = convdiff("run", drifting_case, *vary, "--json", "-", cwd=folder)
    assert ran.code == 1
    again = json.loads(ran.out)
    valid(again)
    assert again["cases"] == report["cases"]
    assert ran.err == ""


def test_the_file_is_whole_and_as_readable_as_any_other(report: dict[str, Any], folder: Path):
    path = folder / "report.json"
    assert [p.name for p in folder.iterdir() if "report" in p.name] == ["report.json"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert path.read_text("utf-8").endswith("}\n")


def nothing_run(path: Path, python: Path) -> Ran:
    """Write a report of a run that finds no framework, and so takes no time."""
    return convdiff("run", "--python", python, "--json", path)


def test_a_report_replaces_the_old_one_at_once(tmp_path: Path, bare_python: Path):
    path = tmp_path / "report.json"
    path.write_text("old")
    held = path.open()
    assert nothing_run(path, bare_python).code == 125
    assert held.read() == "old", "who reads the old report reads it to its end"
    valid(json.loads(path.read_text()))


def test_a_link_stays_a_link(tmp_path: Path, bare_python: Path):
    (tmp_path / "kept").mkdir()
    target, link = tmp_path / "kept" / "report.json", tmp_path / "latest.json"
    link.symlink_to(target)
    nothing_run(link, bare_python)
    assert link.is_symlink()
    valid(json.loads(target.read_text()))


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path, bare_python: Path):
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    nothing_run(path, bare_python)
    reader.join(10)
    assert stat.S_ISFIFO(path.stat().st_mode)
    valid(json.loads(read[0]))


@pytest.mark.framework
def test_what_is_no_number_is_text(tmp_path: Path):
    """In fp16 these sums overflow; JSON has no infinity."""
    case = tmp_path / "overflow.yaml"
    case.write_text(
        "filter: {ones: true, shape: [1, 5, 1, 1]}\ninput: {ramp: 60}\nlengths: [400]\n"
        "dtype: float16\ndevices: [cpu]\n"
    )
    ran = convdiff("run", case, "--framework", "numpy", "--json", "-")
    report = json.loads(ran.out, parse_constant=lambda name: pytest.fail(f"bare {name}"))
    valid(report)
    comparison, exact = report["cases"][0]["comparisons"]
    assert (comparison["axis"], exact["axis"]) == ("reference", "exact")
    assert comparison["elements"] == 396
    assert not math.isnan(comparison["bound_ratio"])
