"""`convdiff doctor` says what can be tested here; `convdiff schema` prints what a case may hold."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
from program import REPOSITORY, Ran, convdiff
from ruamel.yaml import YAML

from convdiff.lab.checkup import NO_ONEDNN, Checkup, check
from convdiff.lab.pool import Pool
from convdiff.report.checkup import lines
from convdiff.runtime.model import Interpreter

CAPS = ("ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "ATEN_CPU_CAPABILITY", "XLA_FLAGS")


@pytest.fixture(scope="module")
def old(tf1_python: str) -> Iterator[Ran]:
    """Yield all that is known of an environment with little in it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CAPS:
            patch.delenv(name, raising=False)
        yield convdiff("doctor", "-v", "--python", tf1_python)


@pytest.fixture(scope="module")
def with_onednn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, list[dict]]:
    """Return what it prints in colours where oneDNN is on, and the frameworks of its JSON."""
    path = tmp_path_factory.mktemp("doctor") / "doctor.json"
    ran = convdiff(
        "doctor", "--json", path, "--color", "always", env={"TF_ENABLE_ONEDNN_OPTS": "1"}
    )
    return ran, list(json.loads(path.read_text("utf-8"))["frameworks"])


def of_tensorflow(frameworks: list[dict]) -> dict:
    (one,) = (one for one in frameworks if one["framework"] == "tensorflow")
    return dict(one)


@pytest.mark.framework
def test_doctor_names_the_version(old: Ran):
    assert (old.code, old.err) == (0, "")
    assert re.search(r"^\s+version\s+1\.0\.0\b", old.out, re.MULTILINE)


@pytest.mark.framework
def test_doctor_names_the_version_and_the_isa_of_onednn_where_it_is_on(
    with_onednn: tuple[Ran, list[dict]],
):
    try:
        tensorflow = version("tensorflow")
    except ModuleNotFoundError:
        tensorflow = version("tensorflow-cpu")
    assert of_tensorflow(with_onednn[1])["version"].startswith(tensorflow)
    onednn = of_tensorflow(with_onednn[1])["onednn"]
    assert re.match(r"on, v\d+\.\d+\.\d+, (Intel |AArch64|64-bit|ARM)", onednn)


@pytest.mark.framework
def test_doctor_names_devices_python_and_settings(old: Ran):
    for row in ("devices    cpu", "python", "processor", "threads", "settings   none"):
        assert f"  {row}" in old.out


@pytest.mark.framework
def test_doctor_names_the_settings_in_force(with_onednn: tuple[Ran, list[dict]]):
    assert with_onednn[0].code == 0
    assert "TF_ENABLE_ONEDNN_OPTS=1" in of_tensorflow(with_onednn[1])["settings"]


@pytest.mark.framework
def test_doctor_says_where_onednn_is_off():
    """What it asks of TensorFlow alone: the other frameworks need not be imported for it."""
    off = Interpreter("tensorflow", sys.executable, None, (("TF_ENABLE_ONEDNN_OPTS", "0"),))
    with Pool(timeout=60) as pool:
        shown = "\n".join(line.text for line in lines(off, check(pool, off), whole=True))
    assert "TF_ENABLE_ONEDNN_OPTS=0" in shown
    assert re.search(r"^off$", shown, re.MULTILINE)


@pytest.mark.slow
def test_doctor_has_nothing_to_test_without_a_framework(bare_python: Path):
    ran = convdiff("doctor", "--python", bare_python)
    assert ran.code == 125
    assert "No module named" in ran.out
    assert "pip install" in ran.out
    assert ran.err == ""


@pytest.mark.framework
def test_doctor_has_a_line_a_framework_and_all_of_it_as_json(with_onednn: tuple[Ran, list[dict]]):
    ran, frameworks = with_onednn
    told = re.sub(r"\x1b\[[\d;]*m", "", ran.out).splitlines()
    assert [line.split()[0] for line in told] == [one["framework"] for one in frameworks]
    for line, one in zip(told, frameworks, strict=True):
        assert one["usable"] == ("threads" in line)
        if one["usable"]:
            assert one["version"].split(" (")[0] in line
            assert {"devices", "processor", "threads", "onednn"} <= set(one)


@pytest.mark.slow
def test_doctor_writes_its_json_to_a_file_beside_the_text(bare_python: Path, tmp_path: Path):
    path = tmp_path / "doctor.json"
    ran = convdiff("doctor", "--python", bare_python, "--json", path)
    assert ran.out == convdiff("doctor", "--python", bare_python).out
    frameworks = json.loads(path.read_text("utf-8"))["frameworks"]
    assert (
        frameworks
        == json.loads(convdiff("doctor", "--json", "-", "--python", bare_python).out)["frameworks"]
    )
    remedies = {one["framework"]: one["absent"] for one in frameworks}
    assert remedies["torch"].endswith(f"{bare_python} -m pip install numpy torch")
    assert remedies["tflite"].endswith(f"{bare_python} -m pip install numpy ai-edge-litert")
    assert remedies["numpy"].endswith(f"{bare_python} -m pip install numpy")


@pytest.mark.framework
def test_colours_of_doctor_are_how_usable_it_is(
    bare_python: Path, with_onednn: tuple[Ran, list[dict]]
):
    """Green is there, brown is absent; NO_COLOR and a pipe get none."""
    here, gone = "\x1b[38;5;28mnumpy", "\x1b[38;5;130mnumpy"
    assert here in with_onednn[0].out
    absent = convdiff("doctor", "--python", bare_python, "--color", "always").out
    assert gone in absent and here not in absent
    for options, env in ((["--color", "never"], {}), ([], {}), ([], {"NO_COLOR": "1"})):
        assert "\x1b" not in convdiff("doctor", "--python", bare_python, *options, env=env).out


def test_a_line_of_doctor_says_what_is_there_and_not_what_is_in_no_version():
    rows = (
        ("version", "2.21.0 (git 1; compiler 2, CPU)"),
        ("devices", "cpu (EPYC)"),
        ("oneDNN", "on, v3.7.3, Intel AVX-512"),
        ("threads", "2"),
    )
    one, other = Interpreter("tensorflow", "python"), Interpreter("jax", "python")
    found = {one: Checkup(True, rows), other: Checkup(True, (rows[0], ("oneDNN", NO_ONEDNN)))}
    texts = [line.text for pair in found.items() for line in lines(*pair, whole=False)]
    assert texts == ["2.21.0, cpu, oneDNN on, v3.7.3, threads 2", "2.21.0"]
    whole = [line.text for pair in found.items() for line in lines(*pair, whole=True)]
    assert NO_ONEDNN in whole and "on, v3.7.3, Intel AVX-512" in whole


@pytest.fixture(scope="module")
def schema() -> dict:
    ran = convdiff("schema")
    assert (ran.code, ran.err) == (0, "")
    return dict(json.loads(ran.out))


def test_the_schema_is_a_valid_schema(schema: dict):
    validator = jsonschema.validators.validator_for(schema, default=None)
    assert validator is not None, "it says which draft it is"
    validator.check_schema(schema)


@pytest.mark.slow
def test_the_schema_accepts_the_cases_of_the_repository_and_refuses_a_typo(schema: dict):
    cases = sorted((REPOSITORY / "cases").glob("*.yaml"))
    assert cases
    for path in cases:
        case = YAML(typ="safe").load(path)
        jsonschema.validate(case, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**case, "lenghts": 7}, schema)
