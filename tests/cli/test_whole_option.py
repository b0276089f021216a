"""A large reference is computed in part, which is said, and whole where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from convdiff.cli import convdiff
from convdiff.plan import sampled
from convdiff.worker import manual

CASE = """
filter: {normal: 1, shape: [3, 3, 4, 4], seed: 1}
input: {normal: 1, shape: [1, 20, 22, 4], seed: 2}
"""
OUTPUTS = 18 * 20 * 4


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    """Return what runs the case in a folder with a sample of 32 positions, and its exit code."""
    monkeypatch.setattr(sampled, "LARGE", 0)
    monkeypatch.setattr(manual, "CHUNK", 1)
    sampled._places.cache_clear()
    monkeypatch.chdir(tmp_path)
    Path("large.yaml").write_text(CASE, "utf-8")

    def ran(*options: str) -> tuple[int, str]:
        words = ["run", "large.yaml", "--framework", "numpy", "--device", "cpu", *options]
        done = CliRunner().invoke(convdiff, words)
        return done.exit_code, done.stdout

    yield ran
    sampled._places.cache_clear()


def rows(text: str) -> dict[str, Any]:
    (case,) = json.loads(text)["cases"]
    return {row["axis"]: row for row in case["comparisons"]}


@pytest.mark.slow
def test_it_is_said_where_a_reference_is_a_sample(run):
    code, text = run()
    said = " ".join(text.split())
    assert code == 0
    assert f"reference (at 128 of {OUTPUTS:,} outputs)" in said
    _, text = run("--json", "-")
    reference = rows(text)["reference"]
    assert (reference["elements"], reference["sampled_of"]) == (128, OUTPUTS)
    assert any("integer probe exact" in fact for fact in reference["evidence"])


def test_all_of_it_is_computed_where_that_is_asked_for(run):
    _, text = run("--whole", "--json", "-")
    reference = rows(text)["reference"]
    assert (reference["elements"], reference["sampled_of"]) == (OUTPUTS, None)


@pytest.mark.slow
def test_a_sample_is_not_recorded_and_not_missed(run):
    assert run("--baseline", "kept.json", "--update-baseline")[0] == 0
    code, text = run("--baseline", "kept.json", "--json", "-")
    assert code == 0
    (case,) = json.loads(text)["cases"]
    held = [row for row in case["comparisons"] if row["axis"] == "baseline"]
    assert [row["candidate"]["op"] for row in held if row["verdict"] != "untested"] == ["conv2d"]
    assert all(row["verdict"] == "same" for row in held)


@pytest.mark.slow
def test_a_recorded_whole_is_compared_where_the_sample_is(run):
    assert run("--whole", "--baseline", "kept.json", "--update-baseline")[0] == 0
    code, text = run("--baseline", "kept.json", "--json", "-")
    (case,) = json.loads(text)["cases"]
    held = {r["candidate"]["op"]: r for r in case["comparisons"] if r["axis"] == "baseline"}
    assert code == 0
    assert held["conv2d"]["sampled_of"] is None
    assert (held["manual"]["sampled_of"], held["manual"]["verdict"]) == (OUTPUTS, "same")


def test_its_orders_are_not_asked_for_in_part(run):
    code, text = run("--explain", "--json", "-")
    assert code == 0
    assert "--whole asks for all" in json.dumps(rows(text)["reference"])
