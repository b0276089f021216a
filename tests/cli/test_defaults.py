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


@pytest.mark.slow
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
        ("budget = true", "budget must be a whole number of calls"),
        ("budget = 1.5", "budget must be a whole number of calls"),
        ("budget = 0", "budget: 0 is not in the range"),
        ("timeout = inf", "timeout: inf is not a finite number"),
        ("timeout = nan", "timeout: nan is not a finite number"),
        ("device = 'cuda'", "device: unknown device 'cuda'"),
        ("device = ['cpu', 'tpu']", "device: unknown device 'tpu'"),
        ("color = 'red'", "'red' is not one of"),
    ],
)
def test_a_default_that_is_none_is_a_line(text: str, said: str, folder: Path):
    configured(folder, text)
    ran = convdiff("run", "case.yaml", "--framework", "numpy", cwd=folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert f"convdiff: {folder / 'pyproject.toml'}: [tool.convdiff]: " in ran.err
    assert said in ran.err and "--" not in ran.err


@pytest.mark.slow
def test_a_framework_that_is_none_is_said_to_stand_where_it_stands(folder: Path):
    configured(folder, "framework = ['numpy', 'numpi']")
    said = convdiff("explain", "case.yaml", cwd=folder).err
    assert f"{folder / 'pyproject.toml'}: [tool.convdiff]: framework: unknown" in said
    for value in ("numpi", "numpy:cuda", "numpi:cpu", ","):
        env = {"CONVDIFF_FRAMEWORK": value}
        ran = convdiff("sweep", "case.yaml", cwd=folder, env=env)
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert ran.err.startswith("convdiff: CONVDIFF_FRAMEWORK: "), ran.err
    typed = convdiff("run", "case.yaml", "--framework", "numpi", cwd=folder, env=env).err
    assert "'--framework'" in typed and "CONVDIFF" not in typed


def test_all_that_is_wrong_in_a_pyproject_is_told_at_once(folder: Path):
    configured(folder, "framwork = 'numpy'\ntimeout = 'long'\nbudget = true")
    ran = convdiff("run", "case.yaml", cwd=folder)
    assert ran.code == 2 and ran.err.endswith("\n3 errors\n")
    for word in ("framwork", "timeout", "budget"):
        assert word in ran.err


@pytest.mark.parametrize("body", ["python = '/bin/true'", "python = '/no'", "framework = 'numpi'"])
def test_what_is_wrong_with_a_named_runtime_is_no_option(body: str, folder: Path):
    (folder / "pyproject.toml").write_text(f"[tool.convdiff.runtimes.box]\n{body}\n", "utf-8")
    ran = convdiff("run", "case.yaml", "--runtime", "box", cwd=folder)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    table = f"{folder / 'pyproject.toml'}: [tool.convdiff.runtimes.box]: "
    assert ran.err.startswith(f"convdiff: {table}") and "--" not in ran.err


@pytest.mark.parametrize("option", ["--lenghts", "--lengt", "--lengthss", "--alll"])
def test_an_option_that_is_none_is_not_taken_for_one_that_help_hides(option: str):
    said = convdiff("run", option, "7").err
    assert "'--length'" not in said and "'--all'" not in said
    assert ("'--lengths'" in said) == ("len" in option)


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


@pytest.mark.slow
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
