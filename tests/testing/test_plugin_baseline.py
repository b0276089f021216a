"""Cases held against a baseline: no baseline, no entry and other bits are red."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from program import convdiff
from project import OK, Project, outcomes, section

from convdiff.recording.files import read_recording, write_recording
from convdiff.recording.model import Recording

pytestmark = pytest.mark.framework

ONE = """
name: one output
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [5]
"""


def change_a_bit(path: Path) -> None:
    """Change the last bit of each output in a recording, of which no order is known then."""
    recording = read_recording(path)
    ((name, case),) = recording.cases.items()
    changed = [
        replace(entry, output=np.nextafter(entry.output, np.float32(0)), orders=None)
        for entry in case.entries
    ]
    write_recording(path, Recording({name: replace(case, entries=tuple(changed))}))


def test_no_baseline_yet_is_not_green(project: Project):
    project.write(a_yaml=OK)
    ran = project.pytest("--convdiff-baseline", "recorded")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert ran.err == (
        "ERROR: no baseline at recorded; make one with: "
        "convdiff run CASES --baseline recorded --update-baseline\n\n"
    )


def test_what_is_expected_of_no_baseline_is_warned_of(project: Project):
    other = ONE.replace("one output", "other output")
    project.write(
        a_yaml=OK,
        one_yaml=f"{ONE}\nexpect:\n  order: locked\n",
        other_yaml=f"{other}\nexpect:\n  baseline: bitwise\n",
    )
    ran = project.pytest("--convdiff")
    assert outcomes(ran) == {"passed": 3, "warnings": 2}
    for file, name in (("one.yaml", "order: locked"), ("other.yaml", "baseline")):
        said = f"no --convdiff-baseline is given: nothing was held to `{name}` of its `expect`"
        assert said in ran.out and f"{file}:" in ran.out
    made = convdiff("run", ".", "--baseline", "held", "--update-baseline", cwd=project.folder)
    assert made.code == 0
    ran = project.pytest("--convdiff", "--convdiff-baseline", "held")
    assert outcomes(ran) == {"passed": 3}


def test_a_baseline_that_is_none_is_bad_usage(project: Project):
    project.write(a_yaml=OK, recorded_json="{}")
    ran = project.pytest("--convdiff-baseline", "recorded.json")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert ran.err.startswith("ERROR: recorded.json")


def test_recorded_bits_are_green_and_all_else_is_red(project: Project):
    project.write(a_yaml=OK, one_yaml=ONE, pytest_ini="[pytest]\nconvdiff_baseline = recorded\n")
    made = convdiff("run", ".", "--baseline", "recorded", "--update-baseline", cwd=project.folder)
    assert made.code == 0
    project.write(new_yaml=OK)
    ran = project.pytest("--convdiff-baseline", "recorded")
    assert "\nconvdiff: cases run in this interpreter, against the baseline recorded\n" in ran.out
    assert outcomes(ran) == {"failed": 1, "passed": 2}
    shown = section(ran, "new")
    assert shown[0].startswith("could not test: the baseline has no such entry")
    assert shown[-1] == "again: convdiff run new.yaml --baseline recorded"

    change_a_bit(project.folder / "recorded" / "one_output.json")
    project.write(a_yaml=OK.replace("seed: 3", "seed: 4"))
    ran = project.pytest("--convdiff", "one.yaml", "a.yaml")
    assert f"against the baseline {project.folder / 'recorded'}\n" in ran.out
    said = "\n".join(section(ran, "one output"))
    assert "DRIFT  one output: the bits are not those of" in said
    assert section(ran, "a")[0].startswith(
        "could not test: not the same inputs: sha256 of the input"
    )
