"""Nets in case files: layers in a graph, and every fault at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from net_files import net_of

from convdiff.case.forms import MisfitError
from convdiff.case.load import load_case
from convdiff.case.load_net import load_net
from convdiff.case.net_keys import LAYER, NET
from convdiff.case.schema import json_schema
from convdiff.errors import CaseError
from convdiff.worker.ops.net import KINDS

ROOT = Path(__file__).parents[2]
HEAD = "input: {normal: 1}\nlengths: 9\nlayers:\n"
CONV = "  - conv2d: {filter: {normal: 1, shape: [1, 3, 2, 4]}}\n"


def faults(text: str) -> list[str]:
    with pytest.raises(CaseError) as caught:
        net_of(text)
    return [f"net.yaml:{str(error).split('/net.yaml:', 1)[1]}" for error in caught.value.errors]


def test_the_nine_layer_net_is_what_its_note_says():
    net = load_net(ROOT / "cases" / "nine_layer_net.yaml")
    convs = [layer for layer in net.net.layers if layer.kind.family == "op"]
    assert len(convs) == 9
    assert sum(layer.conv.taps * layer.conv.channels_out for layer in convs) == 26_720
    assert net.net.outputs == ("conv2d_9",)
    assert [layer.settings["strides"] for layer in net.net.layers if layer.op == "max_pool"] == [
        *[(1, 1)] * 2,
        *[(1, 2)] * 6,
    ]
    assert {spec.seed for key, spec in net.arrays.items() if "filter" in key} == {*range(100, 109)}
    assert str(net.places["conv2d_9"]).endswith("nine_layer_net.yaml:40:5")


def test_layers_are_called_by_kind_and_number_and_read_the_one_before():
    net = net_of(HEAD + CONV + "  - relu\n  - relu: {name: again}\n  - relu\n")
    assert [layer.name for layer in net.net.layers] == ["conv2d_1", "relu_1", "again", "relu_3"]
    assert [layer.sources for layer in net.net.layers] == [
        ("input",),
        ("conv2d_1",),
        ("relu_1",),
        ("again",),
    ]


def test_branches_are_told_by_from_and_what_nobody_reads_is_the_answer():
    text = "  - relu: {name: a}\n  - tanh: {from: conv2d_1, name: b}\n  - add: {from: [a, b]}\n"
    net = net_of(HEAD + CONV + text + "  - abs: {from: b}\n")
    assert net.net.layer("add_1").sources == ("a", "b")
    assert net.net.outputs == ("add_1", "abs_1")
    assert net_of("outputs: [a]\n" + HEAD + CONV + text).net.outputs == ("a",)


def test_every_kind_of_layer_can_be_written():
    own = {
        "max_pool": {"size": 1},
        "avg_pool": {"size": 1, "count_include_pad": True},
        "clip": {"low": 0, "high": 6},
        "prelu": {"slope": 0.1},
        "batch_norm": {"scale": 1, "shift": [1, 2, 3, 4], "mean": 0, "variance": 1},
        "pad": {"padding": 1},
        "reshape": {"shape": [1, 7, 4]},
        "concat": {"from": ["conv2d_1", "conv2d_1"]},
    }
    for kind, facts in KINDS.items():
        if facts.family == "op":
            continue
        settings = own.get(kind, {})
        if facts.family == "join" and kind != "concat":
            settings = {"constant": 2}
        text = HEAD + CONV + f"  - {json.dumps({kind: settings})}\n"
        assert net_of(text).net.layers[1].op == kind


def test_moves_have_an_entry_for_each_axis():
    net = net_of(
        HEAD + CONV + "  - max_pool: {size: [1, 2], strides: 1, padding: [[0, 0], [1, 0]]}\n"
    )
    settings = net.net.layers[1].settings
    assert settings["size"] == (1, 2)
    assert settings["strides"] == (1, 1)
    assert settings["padding"] == ((0, 0), (1, 0))
    line = (
        "  - conv1d: {filter: {normal: 1, shape: [3, 2, 4]}, strides: 2}\n  - avg_pool: {size: 2}\n"
    )
    net = net_of(HEAD + line)
    assert net.net.rank == 1
    assert net.net.layers[0].conv.strides == (1, 2)
    assert net.net.layers[1].settings["size"] == (1, 2)


def test_ops_of_three_dimensions_know_the_depth_of_their_input():
    conv = "  - conv3d: {filter: {normal: 1, shape: [2, 1, 3, 1, 1]}}\n"
    net = net_of("depth: 7\n" + HEAD + conv + "  - max_pool: {size: [2, 1, 1]}\n" + conv)
    assert net.net.depth == net.rows == 7
    assert [layer.conv.depth for layer in net.net.layers if layer.op == "conv3d"] == [7, 3]


def test_arrays_of_torch_lie_as_torch_has_them():
    conv = "  - conv2d: {filter: {normal: 1, shape: [4, 2, 1, 3]}}\n  - flatten\n"
    net = net_of("layout: nchw\n" + HEAD + conv)
    assert net.arrays["conv2d_1/filter"].shape == (1, 3, 2, 4)
    assert net.channels == 2
    assert net.net.layers[1].settings["order"] == "chw"


def test_an_input_that_is_given_says_how_many_channels_it_has():
    net = net_of("input: {normal: 1, shape: [2, 3, 7, 5]}\nlayers: [relu]\n")
    assert net.input_shape == (2, 3, 7, 5)


FAULTS = {
    "  - rellu\n": "net.yaml:4:5: 'layers.0': unknown layer 'rellu'; did you mean 'relu'?",
    "  - convv2d: {}\n": "net.yaml:4:5: unknown key 'convv2d' in 'layers.0'; did you"
    " mean 'conv2d'?",
    "  - max_pool: {strides: 2}\n": "net.yaml:4:15: layers.0.max_pool has no 'size'",
    "  - relu: {alpha: 2}\n": "net.yaml:4:12: unknown key 'alpha' in 'layers.0.relu'; known"
    " keys: name, from",
    "  - {relu: {}, tanh: {}}\n": "net.yaml:4:5: 'layers.0': expected a layer: a word such"
    " as relu, or one key with its settings; found a mapping of 2 keys",
    "  - relu: {}\n    name: a\n": "net.yaml:5:11: 'layers.0.name': stands beside 'relu', and"
    " belongs within: relu: {name: …}",
    CONV + "  - {from: conv2d_1, relu: {}}\n": "net.yaml:5:12: 'layers.1.from': stands beside"
    " 'relu', and belongs within: relu: {from: …}",
    "  - convd2: {}\n": "net.yaml:4:5: unknown key 'convd2' in 'layers.0'; did you mean 'conv2d'?",
    CONV + "strides: 2\n": "net.yaml:5:1: 'strides' is a layer's and no net's: within layers,"
    " conv2d: {strides: …}",
    CONV + "  - relu: {from: conv2d_2}\n": "net.yaml:5:18: relu_1: reads 'conv2d_2', and no layer"
    " before it is called so; did you mean conv2d_1?",
    CONV + "  - relu: {name: conv2d_1}\n": "net.yaml:5:18: the name 'conv2d_1' is taken; give"
    " another 'name'",
    CONV + "  - relu: {from: [input, conv2d_1]}\n": "net.yaml:5:18: relu_1: relu reads one layer;"
    " found 2",
    CONV + "  - add\n": "net.yaml:5:5: add_1: add reads two layers or more, from: [a, b], or a"
    " 'constant'",
    CONV + CONV: "net.yaml:5:5: conv2d_2, at length 9: its filter reads 2 channels, and its input"
    " has 4",
    CONV + "  - max_pool: {size: [1, 8]}\n": "net.yaml:5:5: max_pool_1, at length 9: nothing is"
    " left: its window of 1 x 8 is larger than 1 x 7",
    CONV + "  - prelu: {slope: [1, 2]}\n": "net.yaml:5:20: prelu_1: slope has shape 2; expected 4,"
    " one value a channel",
    CONV + "  - conv1d: {filter: {normal: 1, shape: [3, 4, 4]}}\n": "net.yaml:5:5: conv1d_1: 1"
    " spatial axes, but conv2d_1 has 2",
    "  - conv2d: {filter: {normal: 1, shape: [1, 3, 2, 4]}, bias: [1]}\n": "net.yaml:4:62: bias has"
    " shape 1, but the filter has 4 output channel(s); give 4 value(s)",
    "  - conv2d: {filter: {normal: 1}}\n": "net.yaml:4:22: 'filter' needs a 'shape' with 'normal'",
    "  - relu\n": "net.yaml:3:1: no op reads the input: say how many 'channels' it has",
}


@pytest.mark.parametrize("layers", FAULTS, ids=FAULTS.values())
def test_what_does_not_fit_is_told_at_its_layer(layers: str):
    assert faults(HEAD + layers) == [FAULTS[layers]]


@pytest.mark.parametrize("key", ["layer", "Layers", "layrs", "lyaers"])
def test_a_slip_of_layers_is_told_as_one(key: str):
    said = faults(f"input: {{normal: 1}}\nlengths: 9\n{key}: [relu]\n")
    assert f"net.yaml:3:1: unknown key {key!r}; did you mean 'layers'?" in said


def test_faults_that_do_not_follow_from_each_other_are_told_at_once():
    assert len(faults(HEAD + "  - rellu\n  - max_pool: {strides: 0}\n" + CONV)) == 3


def test_a_net_needs_an_input():
    assert faults("lengths: 9\nlayers: [relu]\n") == ["net.yaml:1:1: the net has no 'input'"]


def test_a_net_is_no_case_and_a_case_no_net(tmp_path: Path):
    path = tmp_path / "net.yaml"
    path.write_text(HEAD + CONV)
    with pytest.raises(CaseError, match="3:1: a net, whose layers are compared by convdiff trace"):
        load_case(path)
    path.write_text("filter: [1, 2]\ninput: {ramp: 1}\nlengths: 5\n")
    with pytest.raises(CaseError, match="no net, since it has no 'layers'"):
        load_net(path)


def is_read(document: Any) -> bool:
    try:
        NET.read(document)
    except MisfitError:
        return False
    return True


SETTINGS = st.dictionaries(
    st.sampled_from(["size", "filter", "name", "from", "strides", "alpha", "padding", "slope"]),
    st.sampled_from([1, 0, -1, "same", "x", [1, 2], [], {"normal": 1}, {"normal": "x"}, None]),
    max_size=3,
)
LAYERS = st.one_of(
    st.sampled_from([*LAYER.records, "rellu", 3, None]),
    st.dictionaries(st.sampled_from([*LAYER.records, "rellu"]), SETTINGS, max_size=2),
)


@pytest.mark.slow
@given(st.lists(LAYERS, max_size=3))
def test_the_schema_and_the_program_take_the_same_layers(layers: list[Any]):
    document = {"input": {"ramp": 1}, "layers": layers}
    assert is_read(document) == jsonschema.Draft7Validator(json_schema()).is_valid(document)
