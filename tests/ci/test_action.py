"""The action and the workflow to copy: what they run is run here, as the runner would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from program import KERNEL, OTHER_ORDER, REPOSITORY, case_file, environment, kernel_file
from ruamel.yaml import YAML

from convdiff.case.arrays import make_tensors
from convdiff.case.load import load_case
from convdiff.recording.baseline import open_baseline
from convdiff.recording.same_problem import unlike

CASE = """
name: in-ci
filter: [-0.7313, -1.1043, 1.8492, 1.3007, -0.1033]
bias: [0.0401]
input: {ramp: 10.0}
lengths: [7, 9]
"""


def loaded(name: str) -> dict[str, Any]:
    return dict(YAML(typ="safe").load((REPOSITORY / name).read_text("utf-8")))


def script(step: str) -> str:
    """Return what a step of the action runs."""
    steps = loaded("action.yml")["runs"]["steps"]
    (found,) = [one["run"] for one in steps if one.get("name") == step]
    return str(found)


@pytest.fixture
def runner(tmp_path: Path):
    """Return a function that runs the action's main step with inputs, as a runner does."""
    case_file(tmp_path, CASE)
    kernel_file(tmp_path)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    inputs = loaded("action.yml")["inputs"]

    def run(changes: dict[str, str], **given: str) -> subprocess.CompletedProcess[str]:
        values = {name: str(one["default"]) for name, one in inputs.items()}
        values.update({"cases": "case.yaml", "python": sys.executable})
        values.update({"arguments": " ".join(KERNEL), **given})
        env = {name.upper(): value for name, value in values.items()}
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script("Run the cases")],
            cwd=tmp_path,
            env=environment({**env, "GITHUB_STEP_SUMMARY": str(summary), **changes}),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


@pytest.mark.slow
def test_the_actions_step_records_then_holds_then_fails_on_drift(runner, tmp_path: Path):
    made = runner({}, baseline="baseline", update="true")
    assert made.returncode == 0, made.stdout + made.stderr
    assert [path.name for path in (tmp_path / "baseline").iterdir()] == ["in-ci.json"]
    held = runner({}, baseline="baseline")
    assert held.returncode == 0, held.stdout + held.stderr
    assert "::error" not in held.stdout
    drifted = runner(OTHER_ORDER, baseline="baseline")
    assert drifted.returncode == 1
    assert "::error file=case.yaml,line=" in drifted.stdout
    reports = tmp_path / "convdiff-reports"
    assert {path.name for path in reports.iterdir()} == {
        "recording.safetensors",
        "report.json",
        "junit.xml",
        "summary.md",
    }
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("before\n")
    assert "in-ci" in summary
    assert "adding:convolution" in summary


@pytest.mark.slow
def test_the_actions_step_is_not_green_without_the_baseline_it_names(runner):
    done = runner({}, baseline="nowhere")
    assert done.returncode == 125
    assert "--update-baseline" in done.stderr


def test_the_actions_step_runs_no_case_that_nobody_named(runner, tmp_path: Path):
    done = runner({}, cases=" ")
    assert done.returncode == 2
    assert "::error::" in done.stdout
    assert not (tmp_path / "convdiff-reports").exists()


def test_the_install_step_names_what_is_there():
    text = script("Install convdiff")
    assert "$GITHUB_ACTION_PATH/constraints.txt" in text
    assert (REPOSITORY / "constraints.txt").is_file()


def test_the_projects_own_workflow_holds_cases_against_what_is_recorded_of_them():
    (job,) = loaded(".github/workflows/convdiff.yml")["jobs"].values()
    (step,) = [one for one in job["steps"] if one["uses"] == "./"]
    assert set(step["with"]) <= set(loaded("action.yml")["inputs"])
    baseline = open_baseline(REPOSITORY / step["with"]["baseline"])
    for name in step["with"]["cases"].split():
        case = load_case(REPOSITORY / name)
        found = baseline.find(case.name)
        assert found is not None, name
        recorded = found[1]
        tensors = make_tensors(case)
        size = (case.batches[-1], case.lengths[-1])
        assert unlike(recorded.case, recorded.tensors, case, tensors, *size) is None
        assert {entry.cell.length for entry in recorded.entries} == set(case.lengths)
    assert not baseline.unclaimed(recorded_names(step["with"]["cases"].split()))


def recorded_names(files: list[str]) -> list[str]:
    return [load_case(REPOSITORY / name).name for name in files]


def test_no_step_expands_inputs_inside_a_script():
    """An input that is text of a script would be run by it."""
    for step in loaded("action.yml")["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
