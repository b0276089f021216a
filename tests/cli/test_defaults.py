"""Options that stand in a pyproject.toml or the environment, and words that are nearly right."""

from __future__ import annotations

from pathlib import Path

import pytest
from program import case_file, convdiff

CASE = """
filter: {normal: 1, shape: [1, 3, 1, 1], seed: 1}
input: {normal: 1, seed: 2}
lengths: [9]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    case_file(tmp_path, CASE)
    return tmp_path


def configured(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.convdiff]\n{text}\n", "utf-8")


def test_a_framework_of_the_pyproject_is_run_and_not_called_unnamed(folder: Path):
    configured(folder, 'framework = ["numpy"]')
    ran = convdiff("run", "case.yaml", cwd=folder)
    assert ran.code == 0
    assert "numpy:cpu" in ran.out and "by default" not in ran.out


def test_the_environment_goes_before_the_pyproject_and_the_command_line_before_both(folder: Path):
    configured(folder, 'framework = "nosuch"')
    env = {"CONVDIFF_FRAMEWORK": "numpy"}
    assert "numpy:cpu" in convdiff("run", "case.yaml", cwd=folder, env=env).out
    env = {"CONVDIFF_FRAMEWORK": "nosuch"}
    assert (
        "numpy:cpu" in convdiff("run", "case.yaml", "--framework", "numpy", cwd=folder, env=env).out
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("framwork = 'numpy'", "did you mean framework?"),
        ("framework = 3", "framework must be a name"),
        ("timeout = 'long'", "timeout must be a number of seconds"),
        ("budget = true", "budget must be a number of calls"),
        ("color = 'red'", "'red' is not one of"),
    ],
)
def test_a_default_that_is_none_is_a_line(text: str, said: str, folder: Path):
    configured(folder, text)
    ran = convdiff("run", "case.yaml", "--framework", "numpy", cwd=folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("rnu",), "run"),
        (("swep",), "sweep"),
        (("run", "--device", "cuda"), "gpu"),
        (("run", "--device", "cuda:0"), "gpu"),
        (("run", "--framework", "torch:cuda"), "torch:gpu"),
        (("run", "--framework", "tensorflow:cuda"), "tensorflow:gpu"),
        (("run", "--framework", "jax:cpux"), "jax:cpu"),
        (("run", "--color", "alway"), "always"),
        (("explain", "--op", "manul"), "manual"),
        (("compare", "a", "b", "--expect", "roundng"), "rounding"),
        (("run", "--python", "ths"), "this"),
        (("run", "--framework", "pytorch"), "torch"),
        (("run", "--framework", "tf"), "tensorflow"),
        (("run", "--framework", "onnxruntim"), "onnxruntime"),
        (("rule", "roundin"), "rounding"),
    ],
)
def test_a_word_that_is_nearly_right_gets_the_right_one(words: tuple[str, ...], meant: str):
    ran = convdiff(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"did you mean {meant}?" in ran.err


def test_rule_tells_of_every_verdict_cause_and_refusal():
    from convdiff.diagnose.verdicts import VERDICTS
    from convdiff.order.counterfactual import Part
    from convdiff.order.reveal.refusal import KINDS

    names = {*VERDICTS, *KINDS, *(part.value.replace(" ", "-") for part in Part)}
    listed = convdiff("rule").out.replace(",", " ").split()
    assert names <= set(listed)
    for name in ("rounding", "bias position", "zero_sign", "wrong/shifted", "Order"):
        ran = convdiff("rule", name)
        assert ran.code == 0 and "docs/" in ran.out
        assert max(map(len, ran.out.splitlines())) <= 80
