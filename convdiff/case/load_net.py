"""From a case file to a net, or to a case where it is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from convdiff.case.expect import Expectation
from convdiff.case.forms import MisfitError, UnknownKeyError
from convdiff.case.in_hand import refuse_in_hand
from convdiff.case.load import build, is_net, place_of, refuse_unprintable, to_be_accepted
from convdiff.case.model import NOTED, Case
from convdiff.case.net import net_of
from convdiff.case.net_keys import NET
from convdiff.case.net_model import NetCase
from convdiff.case.yaml_source import Source, read_source
from convdiff.errors import CaseError, CaseErrors, Place

OF_LAYERS = ("filter", "bias", "strides", "dilations", "groups", "padding", "output_padding")
"""Keys of a case that its convolution has; in a net each layer has its own."""


def load_net(path: Path) -> NetCase:
    """Read and check one case file that is a net. Raises CaseError; touches no array."""
    loaded = load_any(path)
    if isinstance(loaded, Case):
        text = "no net, since it has no 'layers'; convdiff run compares its one convolution"
        raise CaseError(Place(str(path)), text)
    return loaded


def load_any(path: Path) -> Case | NetCase:
    """Read and check one case file, a net's or another. Raises CaseError; touches no array."""
    refuse_in_hand(path)
    errors = CaseErrors()
    source = read_source(path, errors)
    if not is_net(source):
        return build(source, path.parent, path.stem, errors)
    errors.refuse()
    try:
        keys = NET.read(source.value)
    except MisfitError as error:
        for one in error.all:
            errors.add(CaseError(place_of(source, one), _said(one)))
        errors.sort()
        errors.refuse()
        raise
    refuse_unprintable(source, keys.shared)
    _refuse_of_cases(source, keys.shared.expect)
    net = net_of(source, keys, path.parent, path.stem)
    return replace(net, accepted_at=to_be_accepted(source))


def _refuse_of_cases(source: Source, expect: Expectation) -> None:
    """Raise CaseError for what a net's file expects and nothing of a net is held to."""
    asked = {"order": expect.lock_order, "baseline_reference": expect.baseline_reference != NOTED}
    for key, is_asked in asked.items():
        if is_asked:
            text = f"'expect.{key}' is of a case with one convolution; no net is held to it"
            raise CaseError(source.place(("expect", key, "<key>")), text)


def _said(error: MisfitError) -> str:
    """Say what is wrong; of a key of a convolution at the top of a net, where it belongs."""
    if isinstance(error, UnknownKeyError) and len(error.path) == 1 and error.name in OF_LAYERS:
        name = error.name
        return f"{name!r} is a layer's and no net's: within layers, conv2d: {{{name}: …}}"
    return str(error)
