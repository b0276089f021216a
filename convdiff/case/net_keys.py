"""The keys of a case file that is a net: those of a case, and `layers` in place of a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convdiff.case.forms import Either, Flag, Form, ListOf, MisfitError, Number, Schema, Text, Words
from convdiff.case.forms.misfit import UnknownKeyError, near, shown
from convdiff.case.keys import ADDED, ARRAY, CASE, NUMBER, PADDING, POSITIVE, STEPS, CaseKeys
from convdiff.case.record import Key, Record
from convdiff.worker.ops.net import KINDS
from convdiff.worker.ops.net_shapes import JOINED

MOST_LAYERS = 100_000

_MOVES = ("strides", "dilations", "groups", "padding", "output_padding")
"""Keys of a case that a layer has where it is an op."""
_SETTINGS: Mapping[str, Form[Any]] = {
    "size": STEPS,
    "strides": STEPS,
    "dilations": STEPS,
    "padding": PADDING,
    "ceil_mode": Flag(),
    "count_include_pad": Flag(),
    "alpha": NUMBER,
    "beta": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "value": NUMBER,
    "epsilon": Number(0),
    "approximate": Flag(),
    "axis": Words(*JOINED),
    "order": Words("hwc", "chw"),
    "shape": ListOf(POSITIVE, 1, 4),
}
"""What a setting of `Kind.settings` may be."""
_OWN: Mapping[tuple[str, str], Form[Any]] = {
    ("pad", "padding"): Either(ADDED, ListOf(Either(ADDED, ListOf(ADDED, 2, 2)), 1, 3)),
}
"""Settings that are other things in some layers."""
_ANY = Either(NUMBER, ARRAY)
"""An array that may be one number."""


@dataclass(frozen=True)
class LayerKeys:
    """One layer as the file gives it."""

    op: str
    name: str | None = None
    sources: tuple[str, ...] = ()
    """Where it reads, if the file says so."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The arrays and settings that the file gives."""


class _Layer(Form[LayerKeys]):
    """A word, or a mapping of one key, the layer's kind, to its settings."""

    wanted = "a layer: a word such as relu, or one key with its settings"

    def __init__(self, records: Mapping[str, Record[LayerKeys]]) -> None:
        self.records = records

    def takes(self, value: Any) -> bool:
        """See Form."""
        return isinstance(value, str) or (isinstance(value, dict) and len(value) == 1)

    def read(self, value: Any) -> LayerKeys:
        """See Form."""
        if not self.takes(value):
            self._refuse_beside(value)
            count = f" of {len(value)} keys" if isinstance(value, dict) else ""
            raise MisfitError(f"expected {self.wanted}; found {shown(value)}{count}")
        if isinstance(value, str):
            return self._of_word(value)
        ((op, settings),) = value.items()
        if op not in self.records:
            raise UnknownKeyError(op, list(self.records))
        try:
            return self.records[op].read({} if settings is None else settings)
        except MisfitError as error:
            raise error.under(op) from None

    def _refuse_beside(self, value: Any) -> None:
        """Raise MisfitError for a setting that stands beside its layer's kind."""
        if not isinstance(value, dict) or len(kinds := [one for one in value if one in self]) != 1:
            return
        known = self.records[kinds[0]].keys
        for key in value:
            if key in known:
                words = f"stands beside {kinds[0]!r}, and belongs within: {kinds[0]}: {{{key}: …}}"
                raise MisfitError(words).under(key)

    def __contains__(self, op: object) -> bool:
        """Return whether a layer is called so."""
        return op in self.records

    def _of_word(self, word: str) -> LayerKeys:
        if word not in self.records:
            hint = near(word, list(self.records)) or f"known: {', '.join(self.records)}"
            raise MisfitError(f"unknown layer {shown(word)}; {hint}")
        return self.records[word].read({})

    def schema(self) -> Schema:
        """See Form."""
        words = [op for op, record in self.records.items() if not record.required]
        mapping = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {op: self._settings(op) for op in self.records},
        }
        return {"anyOf": [{"enum": words}, mapping]}

    def _settings(self, op: str) -> Schema:
        record = self.records[op]
        schema = record.schema()
        return schema if record.required else {"anyOf": [{"type": "null"}, schema]}


def _record(op: str) -> Record[LayerKeys]:
    """Return what a layer of one kind may have."""
    kind = KINDS[op]
    keys = {
        "name": Key(Text(100, 1), optional=True),
        "from": Key(
            Either(Text(100, 1), ListOf(Text(100, 1), 1)),
            optional=True,
            about={"description": "the layers it reads, or input; default: the layer before"},
        ),
    }
    for number, name in enumerate(kind.arrays):
        form: Form[Any] = ARRAY if kind.family == "op" else _ANY
        keys[name] = Key(form, optional=number >= kind.needed)
    if kind.family == "op":
        keys |= {name: CASE.keys[name] for name in _MOVES}
    for name, default in kind.settings:
        form = _OWN.get((op, name), _SETTINGS[name])
        keys[name] = Key(form, optional=default is not None)

    def make(name: str | None = None, **given: Any) -> LayerKeys:
        sources = given.pop("from", ())
        return LayerKeys(op, name, (sources,) if isinstance(sources, str) else sources, given)

    return Record(keys, make, op)


LAYER = _Layer({op: _record(op) for op in KINDS})


@dataclass(frozen=True)
class NetKeys:
    """A net's file, key by key."""

    shared: CaseKeys
    """What a case has, too; its filter means nothing."""
    layers: tuple[LayerKeys, ...]
    outputs: tuple[str, ...] = ()


_SHARED = (
    *("name", "source", "input", "layout", "lengths", "device", "devices", "height", "depth"),
    *("batch", "channels", "dtype", "repeat", "expect"),
)
"""Keys of a case that a net has, too."""


def _net(layers: tuple[LayerKeys, ...], outputs: tuple[str, ...] = (), **shared: Any) -> NetKeys:
    return NetKeys(CaseKeys(filter=[1.0], **shared), layers, outputs)


NET = Record(
    {
        **{name: CASE.keys[name] for name in _SHARED},
        "layers": Key(
            ListOf(LAYER, 1, MOST_LAYERS),
            about={"description": "the net's layers, each after those that it reads"},
        ),
        "outputs": Key(
            ListOf(Text(100, 1), 1),
            optional=True,
            about={"description": "the layers that are its answer; default: those nobody reads"},
        ),
    },
    _net,
    "the net",
)
