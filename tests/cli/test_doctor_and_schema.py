"""`convdiff doctor` says what can be tested here; `convdiff schema` prints what a case may hold."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
from program import REPOSITORY, Ran, convdiff
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def here() -> Ran:
    return convdiff("doctor")


def test_doctor_names_the_version_and_the_isa_of_onednn(here: Ran):
    try:
        tensorflow = version("tensorflow")
    except ModuleNotFoundError:
        tensorflow = version("tensorflow-cpu")
    assert (here.code, here.err) == (0, "")
    assert re.search(rf"^\s+version\s+{re.escape(tensorflow)}\b", here.out, re.MULTILINE)
    own = here.out[here.out.index("tensorflow  (") :]
    (onednn,) = re.findall(r"^\s+oneDNN\s+(.+)$", own, re.MULTILINE)[:1]
    assert re.match(r"on, v\d+\.\d+\.\d+, (Intel |AArch64|64-bit|ARM)", onednn)


def test_doctor_names_devices_python_and_settings(here: Ran):
    for row in ("devices    cpu", "python", "processor", "threads", "settings   none"):
        assert f"  {row}" in here.out


def test_doctor_names_the_settings_in_force():
    ran = convdiff("doctor", env={"TF_ENABLE_ONEDNN_OPTS": "0"})
    assert ran.code == 0
    assert "TF_ENABLE_ONEDNN_OPTS=0" in ran.out
    assert re.search(r"^\s+oneDNN\s+off$", ran.out, re.MULTILINE)


def test_doctor_has_nothing_to_test_without_a_framework(bare_python: Path):
    ran = convdiff("doctor", "--python", bare_python)
    assert ran.code == 125
    assert "No module named" in ran.out
    assert "pip install" in ran.out
    assert ran.err == ""


@pytest.fixture(scope="module")
def schema() -> dict:
    ran = convdiff("schema")
    assert (ran.code, ran.err) == (0, "")
    return dict(json.loads(ran.out))


def test_the_schema_is_a_valid_schema(schema: dict):
    validator = jsonschema.validators.validator_for(schema, default=None)
    assert validator is not None, "it says which draft it is"
    validator.check_schema(schema)


def test_the_schema_accepts_the_cases_of_the_repository_and_refuses_a_typo(schema: dict):
    cases = sorted((REPOSITORY / "cases").glob("*.yaml"))
    assert cases
    for path in cases:
        case = YAML(typ="safe").load(path)
        jsonschema.validate(case, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**case, "lenghts": 7}, schema)
