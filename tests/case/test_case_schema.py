"""The JSON Schema of a case file: valid, and of one mind with the loader."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from convdiff.case.keys import KINDS
from convdiff.case.load import check, load_case
from convdiff.case.schema import json_schema
from convdiff.case.yaml_source import Source, parse_source
from convdiff.errors import CaseError

BASE = {"filter": [1, 2, 3], "input": {"ramp": 1}, "lengths": "7..9"}

ACCEPTED = [
    {},
    {"name": "x", "source": "y"},
    {"filter": [[[[1.5]]]], "bias": [1]},
    {"filter": {"normal": 1, "shape": [1, 5, 1, 1], "seed": 3, "scale": 0.5}},
    {"input": {"uniform": [0, 1]}},
    {"input": {"integers": [-8, 8]}},
    {"input": {"ones": True}},
    {"input": {"zeros": True}},
    {"input": {"delta": [0, 0, 1, 0]}},
    {"input": {"delta": 3}},
    {"input": {"file": "x.npy"}},
    {"lengths": 7},
    {"lengths": [7, "9..20:3", 30]},
    {"device": "gpu"},
    {"devices": ["cpu", "gpu:1"]},
    {"height": 3, "batch": [1, 8], "channels": 2, "groups": 1, "repeat": 3},
    {"strides": 2, "dilations": [1, 2], "padding": "VALID"},
    {"padding": "same"},
    {"padding": [[1, 2], [0, 1]]},
    {"padding": -0, "op": "conv2d"},
    {"dtype": "bfloat16"},
    {"layout": "nchw"},
    {"layout": "nhwc"},
    {"expect": {"length": "bitwise", "batch": {"ulps": 4}, "reference": "anything"}},
    {"expect": {}},
]
REFUSED = [
    {"fliter": 1},
    {"filter": 3},
    {"filter": []},
    {"filter": None},
    {"filter": "x"},
    {"input": {"ones": False}},
    {"input": {"ones": 1}},
    {"input": {"normal": -1}},
    {"input": {"normal": "1"}},
    {"input": {"uniform": [1]}},
    {"input": {"integers": [1.5, 2]}},
    {"input": {"integers": [0, 2**60]}},
    {"input": {"shape": [0]}},
    {"input": {"shape": [1, 1, 1, 1, 1, 1]}},
    {"input": {"seed": -1}},
    {"input": {"file": 3}},
    {"input": {"delta": -1}},
    {"lengths": 0},
    {"lengths": []},
    {"lengths": "seven"},
    {"lengths": [1.5]},
    {"lengths": 10**10},
    {"device": "tpu"},
    {"devices": []},
    {"devices": "cpu"},
    {"devices": ["gpu:x"]},
    {"batch": True},
    {"strides": []},
    {"strides": [1, 2, 3, 4]},
    {"strides": "2"},
    {"groups": 0},
    {"dtype": "int8"},
    {"padding": "full"},
    {"padding": [[1, 2, 3]]},
    {"op": "conv4d"},
    {"output_padding": -1},
    {"layout": "NCHW"},
    {"layout": None},
    {"repeat": 0},
    {"repeat": 10**6},
    {"name": ""},
    {"name": 3},
    {"expect": None},
    {"expect": []},
    {"expect": {"length": 3}},
    {"expect": {"length": {"ulps": -1}}},
    {"expect": {"length": {"ulps": 1, "more": 2}}},
    {"expect": {"lenght": "bitwise"}},
]


def loader_accepts(document: object) -> bool:
    """Write the document as a case file, which JSON is, and take it through the loader's check."""
    try:
        check(parse_source(json.dumps(document), "case.yaml"))
    except CaseError:
        return False
    return True


def test_the_schema_is_a_valid_schema():
    jsonschema.Draft7Validator.check_schema(json_schema())


def test_the_schema_is_plain_json():
    assert json.loads(json.dumps(json_schema())) == json_schema()


@pytest.mark.parametrize("change", ACCEPTED, ids=str)
def test_schema_and_loader_both_accept(change):
    document = {**BASE, **change}
    jsonschema.Draft7Validator(json_schema()).validate(document)
    assert loader_accepts(document)


@pytest.mark.parametrize("change", REFUSED, ids=str)
def test_schema_and_loader_both_refuse(change):
    document = {**BASE, **change}
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(document)
    assert not loader_accepts(document)


@pytest.mark.parametrize(
    "document", [3, [], None, "x", {}, {"filter": [1]}, {"input": [1]}], ids=str
)
def test_schema_and_loader_both_refuse_what_is_no_case(document):
    assert not jsonschema.Draft7Validator(json_schema()).is_valid(document)
    assert not loader_accepts(document)


def test_every_kind_of_array_is_in_the_schema():
    assert set(KINDS) <= set(
        json_schema()["else"]["properties"]["filter"]["anyOf"][1]["properties"]
    )


def test_every_key_has_a_property_of_its_own_and_no_other_is_allowed():
    schema = json_schema()["else"]
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"filter", "input"}


def test_defaults_of_expect_are_the_programs():
    from convdiff.case.axes import AXES
    from convdiff.case.model import DEFAULT_EXPECT

    properties = dict(json_schema()["else"]["properties"]["expect"]["properties"])
    assert properties.pop("order")["default"] == "anything"
    assert properties.pop("baseline_reference")["default"] == "anything"
    assert {axis: rule["default"] for axis, rule in properties.items()} == {
        axis: str(DEFAULT_EXPECT[axis]) for axis in AXES
    }


def test_what_older_versions_can_not_read_is_written_only_where_it_is_set():
    from convdiff.case.expect import EXPECTATION, EXPECTED
    from convdiff.case.model import Allowance

    assert "exact" not in EXPECTATION.write(EXPECTED)
    axes = {**EXPECTED.axes, "exact": Allowance("anything")}
    assert EXPECTATION.write(replace(EXPECTED, axes=axes))["exact"] == "anything"


def test_a_locked_order_is_no_axis(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text("filter: [1, 2]\ninput: {ramp: 1}\nlengths: 5\nexpect: {order: locked}\n")
    case = load_case(path)
    assert case.lock_order
    assert "order" not in case.expect
    assert str(case.places["order"]) == f"{path}:4:17"
    assert case.places["length"].line == 3
    assert case.places["device"].line == 1


def test_a_place_falls_back_to_the_file_where_nothing_is_known():
    with pytest.raises(CaseError, match=r"^f:1:1: a case is a mapping"):
        check(Source("f", [1], {}))
