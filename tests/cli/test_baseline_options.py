"""`run --baseline`: green when the bits are those recorded, red when not, never green unheld."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program import KERNEL, OTHER_ORDER, Ran, bare_python, case_file, convdiff, kernel_file

pytestmark = pytest.mark.slow

__all__ = ["bare_python"]

CASE = """
name: held
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [7, 9]
"""
# Integers: every order gives the same bits, so that only the order itself can drift.
LOCKED = """
name: locked
filter: [1, 2, 4, 8, 16]
input: {integers: [-8, 8], seed: 1}
lengths: 9
expect: {order: locked}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two cases and their baseline, in `baseline/`."""
    folder = tmp_path_factory.mktemp("baseline")
    (folder / "cases").mkdir()
    case_file(folder / "cases", CASE, "held.yaml")
    case_file(folder / "cases", LOCKED, "locked.yaml")
    done = run(folder, "cases", "--baseline", "baseline", "--update-baseline")
    assert done.code == 0, done.out + done.err
    assert "baseline: 6 new, 0 changed" in done.err
    return folder


def run(folder: Path, *arguments: object, env: dict[str, str] | None = None) -> Ran:
    """Run cases with a kernel of our own, whose bits and order are the same on every machine."""
    kernel_file(folder)
    return convdiff("run", *arguments, *KERNEL, cwd=folder, env=env)


def report(done: Ran) -> dict[str, Any]:
    return dict(json.loads(done.out))


def copied(made: Path, folder: Path) -> Path:
    for file in (made / "baseline").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_folder_has_a_file_a_case_and_the_same_bits_are_green(made: Path):
    assert sorted(p.name for p in (made / "baseline").iterdir()) == ["held.json", "locked.json"]
    done = run(made, "cases", "--baseline", "baseline", "--json", "-")
    assert done.code == 0, done.out + done.err
    held, locked = report(done)["cases"]
    compared = [c for c in held["comparisons"] if c["axis"] == "baseline"]
    assert [(c["verdict"], c["candidate"]["length"]) for c in compared if c["order"] is None] == [
        ("same", 7),
        ("same", 9),
        ("same", 7),
        ("same", 9),
    ]
    assert held["notes"] == []
    kept = [c["order"] for c in locked["comparisons"] if c["candidate"]["op"] == "conv2d"]
    assert "kept" in kept


def test_other_bits_are_drift_and_the_cause_is_proved(made: Path):
    brief = run(made, "cases/held.yaml", "--baseline", "baseline", env=OTHER_ORDER)
    assert "  renew  the new bits are right from now on: --update-baseline" in brief.out
    done = run(made, "cases/held.yaml", "--baseline", "baseline", "-v", env=OTHER_ORDER)
    assert done.code == 1
    text = " ".join(done.out.split())
    assert "the bits are not those of held.json: rounding, proved: order" in text


def test_of_several_cases_it_is_said_once_how_to_renew_and_only_where_all_may_be(tmp_path: Path):
    for name in ("one", "two"):
        case_file(tmp_path, CASE.replace("held", name), f"{name}.yaml")
    held = ("one.yaml", "two.yaml", "--baseline", "baseline")
    assert run(tmp_path, *held, "--update-baseline").code == 0
    renew = "renew: the new bits are right from now on: --update-baseline\n"
    assert run(tmp_path, *held, env=OTHER_ORDER).out.count(renew) == 1
    two = CASE.replace("held", "two") + "expect: {reference: bitwise}\n"
    case_file(tmp_path, two, "two.yaml")
    mixed = run(tmp_path, *held, env=OTHER_ORDER)
    assert mixed.code == 1
    assert renew not in mixed.out


@pytest.mark.framework
def test_the_machine_is_said_first_and_what_it_changes_is_proved(tmp_path: Path):
    """Here the bits may be the same with oneDNN and without: that is the CPU's to say."""
    case = case_file(tmp_path, CASE)
    held = ("run", case, "--baseline", "baseline.json", "--device", "cpu")
    on, off = ({"TF_ENABLE_ONEDNN_OPTS": value} for value in "10")
    made = convdiff(*held, "--update-baseline", env=on, cwd=tmp_path)
    assert made.code == 0, made.out + made.err
    report = tmp_path / "report.json"
    done = convdiff(*held, "--json", report, env=off, cwd=tmp_path)
    assert done.out.splitlines()[0] == "note  recorded with oneDNN on, here oneDNN off"
    (found,) = json.loads(report.read_text())["cases"]
    compared = [c for c in found["comparisons"] if c["axis"] == "baseline"]
    differing = [c for c in compared if c["verdict"] != "same"]
    assert len(compared) == 4
    assert done.code == (1 if differing else 0)
    assert {c["verdict"] for c in differing} <= {"rounding"}
    assert {c["explanation"]["status"] for c in differing} <= {"proved"}


def test_what_a_case_allows_of_its_baseline_is_green(made: Path, tmp_path: Path):
    case = case_file(tmp_path, CASE + "expect: {baseline: rounding}\n")
    done = run(tmp_path, case, "--baseline", made / "baseline", env=OTHER_ORDER)
    assert done.code == 0, done.out
    case = case_file(tmp_path, CASE + "expect: {baseline: {ulps: 1}}\n")
    assert run(tmp_path, case, "--baseline", made / "baseline", env=OTHER_ORDER).code == 1


def test_a_locked_order_is_drift_though_the_bits_are_the_same(made: Path):
    done = run(made, "cases/locked.yaml", "--baseline", "baseline", "--json", "-", env=OTHER_ORDER)
    assert done.code == 1
    (case,) = report(done)["cases"]
    (conv,) = [
        c
        for c in case["comparisons"]
        if c["axis"] == "baseline" and c["candidate"]["op"] == "conv2d"
    ]
    assert (conv["verdict"], conv["differing"], conv["order"]) == ("same", 0, "changed")
    assert not conv["allowed"]
    text = run(made, "cases/locked.yaml", "--baseline", "baseline", env=OTHER_ORDER).out
    assert "the summation order is locked and changed" in " ".join(text.split())
    assert "((((0+1)+2)+3)+4)" in text  # what was recorded, and what is now:
    assert "(((0+1)+(2+3))+4)" in text


def test_a_locked_order_that_is_not_proved_is_not_green(made: Path):
    done = run(made, "cases/locked.yaml", "--baseline", "baseline", "--no-explain")
    assert done.code == 125
    assert "could not be proved" in " ".join(done.out.split())


def test_without_the_lock_the_same_bits_in_another_order_are_green(made: Path, tmp_path: Path):
    case = case_file(tmp_path, LOCKED.replace("locked}", "anything}"))
    assert run(tmp_path, case, "--baseline", made / "baseline", env=OTHER_ORDER).code == 0


@pytest.mark.parametrize(
    ("expect", "named"),
    [
        ("{order: locked}", "`order: locked`"),
        ("{baseline: {ulps: 2}}", "`baseline`"),
        ("{baseline: bitwise, length: bitwise}", "`baseline`"),
        ("{order: locked, baseline_reference: bitwise}", "`order: locked`, `baseline_reference`"),
        ("{length: bitwise, order: anything}", ""),
    ],
)
def test_what_is_expected_of_no_baseline_is_noted(tmp_path: Path, expect: str, named: str):
    case = case_file(tmp_path, f"{CASE}expect: {expect}\n")
    done = run(tmp_path, case, "--json", "report.json")
    assert done.code == 0, "cases are shared by runs with and without a baseline"
    (found,) = json.loads((tmp_path / "report.json").read_text())["cases"]
    said = f"no --baseline is given: nothing was held to {named} of its `expect`"
    assert found["notes"] == ([said] if named else [])
    assert ("nothing was held" in done.out) == bool(named)
    for options in (("--update-baseline",), ()):
        done = run(tmp_path, case, "--baseline", "made.json", *options)
        assert done.code == 0 and "nothing was held" not in done.out


def test_no_baseline_is_not_green_and_says_how_to_make_one(tmp_path: Path):
    case = case_file(tmp_path, CASE)
    for name in ("none.json", "none"):
        done = run(tmp_path, case, "--baseline", name)
        assert (done.code, done.out) == (125, "")
        assert done.err.startswith(f"convdiff: no baseline at {name}; to make one")
        assert "--update-baseline" in done.err


def test_what_the_baseline_lacks_is_not_green_until_it_is_added(made: Path, tmp_path: Path):
    folder = copied(made, tmp_path)
    before = (folder / "held.json").read_bytes()
    arguments = (made / "cases" / "held.yaml", "--baseline", folder, "--lengths", "7,11")
    done = run(tmp_path, *arguments)
    assert done.code == 125
    assert "no such entry; --add-to-baseline" in " ".join(done.out.split())
    assert (folder / "held.json").read_bytes() == before
    added = run(tmp_path, *arguments, "--add-to-baseline")
    assert added.code == 0, added.out
    assert "2 new" in added.err
    assert run(tmp_path, *arguments).code == 0
    assert run(tmp_path, made / "cases" / "held.yaml", "--baseline", folder).code == 0


IMAGES = CASE.replace("lengths: [7, 9]", "").replace("{ramp: 10.0}", "{file: x.npy}")


@pytest.mark.parametrize("part", ["batch: 1", "lengths: 7", "batch: 1\nlengths: 7"])
def test_a_baseline_of_fewer_images_is_not_green_until_they_are_added(tmp_path: Path, part: str):
    """As one is that was made before a given array's images were all run."""
    x = np.random.default_rng(1).standard_normal((2, 1, 9, 1)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    case = case_file(tmp_path, f"{IMAGES}\n{part}\n")
    held = (case, "--baseline", "old.json")
    assert run(tmp_path, *held, "--update-baseline").code == 0
    case_file(tmp_path, IMAGES)
    done = run(tmp_path, *held, "--json", "report.json")
    assert done.code == 125, done.out + done.err
    assert "no such entry; --add-to-baseline" in " ".join(done.out.split())
    (found,) = json.loads((tmp_path / "report.json").read_text())["cases"]
    assert len(found["unclaimed"]) == 2, "of the convolution and of multiply + reduce_sum"
    added = run(tmp_path, *held, "--add-to-baseline")
    assert added.code == 0 and "2 new" in added.err, added.out + added.err
    assert run(tmp_path, *held).code == 0
    case_file(tmp_path, f"{IMAGES}\n{part}\n")
    assert run(tmp_path, *held).code == 0, "what was recorded before is there, too"


def test_adding_never_changes_what_is_there(made: Path, tmp_path: Path):
    folder = copied(made, tmp_path)
    before = (folder / "held.json").read_bytes()
    arguments = (made / "cases" / "held.yaml", "--baseline", folder)
    done = run(tmp_path, *arguments, "--add-to-baseline", env=OTHER_ORDER)
    assert done.code == 1
    assert "0 new" in done.err
    assert (folder / "held.json").read_bytes() == before


def test_updating_records_what_is_now_and_is_green_then(made: Path, tmp_path: Path):
    folder = copied(made, tmp_path)
    arguments = (made / "cases" / "held.yaml", "--baseline", folder)
    updated = run(tmp_path, *arguments, "--update-baseline", env=OTHER_ORDER)
    assert updated.code == 0
    assert "0 new, 2 changed" in updated.err
    assert run(tmp_path, *arguments, env=OTHER_ORDER).code == 0
    assert run(tmp_path, *arguments).code == 1


def test_other_inputs_are_refused_and_not_compared(made: Path, tmp_path: Path):
    case = case_file(tmp_path, CASE.replace("0.0401", "0.0402"))
    done = run(tmp_path, case, "--baseline", made / "baseline", "--json", "-")
    assert done.code == 125
    (found,) = report(done)["cases"]
    reasons = {c["reason"] for c in found["comparisons"] if c["axis"] == "baseline"}
    (reason,) = reasons
    assert reason.startswith("not the same inputs: sha256 of the bias ")
    assert not any(c["elements"] for c in found["comparisons"] if c["axis"] == "baseline")


def test_entries_that_no_case_claims_are_named_and_kept(made: Path, tmp_path: Path):
    folder = tmp_path / "fewer"
    folder.mkdir()
    case_file(folder, CASE.replace("[7, 9]", "[7, 8]"), "held.yaml")
    baseline = copied(made, tmp_path)
    done = run(tmp_path, folder, "--baseline", baseline, "--add-to-baseline", "--json", "-")
    assert done.code == 0, done.out
    assert (
        "2 entries that it does not ask for: adding:convolution:cpu conv2d T=9 batch 1" in done.err
    )
    assert "cases that no file claims: locked" in done.err
    found = report(done)
    assert found["unclaimed"] == ["locked"]
    assert found["cases"][0]["unclaimed"] == [
        "adding:convolution:cpu conv2d T=9 batch 1",
        "adding:convolution:cpu manual T=9 batch 1",
    ]
    held = json.loads((baseline / "held.json").read_text())
    assert {cell["length"] for cell in held["cases"][0]["cells"]} == {7, 8, 9}


def test_a_runtime_that_is_not_there_fails_nothing(made: Path, tmp_path: Path, bare_python: Path):
    arguments = ("--baseline", made / "baseline", "--python", bare_python)
    done = run(made, "cases/held.yaml", *arguments)
    assert done.code == 125  # nothing was run: never green
    assert (made / "baseline" / "held.json").exists()
    before = (made / "baseline" / "held.json").read_bytes()
    done = run(made, "cases/held.yaml", *arguments, "--update-baseline")
    assert "left as it was" in done.err
    assert (made / "baseline" / "held.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--update-baseline",), "need --baseline"),
        (("--add-to-baseline",), "need --baseline"),
        (("--baseline", "x", "--update-baseline", "--add-to-baseline"), "not both"),
        (("--save", "x.txt"), "*.json or *.safetensors"),
        (("--save", "nowhere/x.json"), "does not exist"),
        (("--save", "x.json", "--json", "x.json"), "the same file"),
    ],
)
def test_bad_usage_is_one_line_before_any_work(tmp_path: Path, arguments, said: str):
    done = run(tmp_path, *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_two_cases_of_one_name_can_t_be_recorded(tmp_path: Path):
    case_file(tmp_path, CASE, "a.yaml")
    case_file(tmp_path, CASE, "b.yaml")
    done = run(tmp_path, tmp_path, "--save", tmp_path / "x.json")
    assert done.code == 2
    assert "two cases are called 'held'" in done.err


def test_a_damaged_baseline_is_one_line(made: Path, tmp_path: Path):
    folder = copied(made, tmp_path)
    text = (folder / "held.json").read_text()
    (folder / "held.json").write_text(text.replace('"length": 7', '"length": 8', 1))
    done = run(tmp_path, made / "cases" / "held.yaml", "--baseline", folder)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "checksum" in done.err
