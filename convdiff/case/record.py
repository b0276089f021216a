"""Mappings with known keys, which dataclasses are: each key stands once, as a field.

A field's annotation carries its form: `batch: Annotated[int, Whole(1)]`. One with a default may be
left out. A further string in the annotation is what the schema says of the key.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from convdiff.case.forms import (
    Form,
    MisfitError,
    Misfits,
    MissingKeyError,
    Schema,
    UnknownKeyError,
)
from convdiff.case.forms.misfit import MOST

T = TypeVar("T")


@dataclass(frozen=True)
class Key:
    """One key of a mapping: what its value may be, and whether it may be left out."""

    form: Form[Any]
    optional: bool = False
    default: Any = None
    """What stands for an optional one that is left out."""
    about: Schema = dataclasses.field(default_factory=dict)
    """What the schema says of it besides its form."""


class Record(Form[T]):
    """A mapping with known keys, and what is made of it."""

    kinds, wanted = (dict,), "a mapping"

    def __init__(self, keys: Mapping[str, Key], make: Callable[..., T], noun: str = "") -> None:
        self.keys, self.make, self.noun = keys, make, noun
        self.required = [name for name, key in keys.items() if not key.optional]

    def read(self, value: Any) -> T:
        """See Form."""
        if not self.takes(value):
            raise self.misfit(value)
        unknown = [name for name in value if name not in self.keys]
        misfits = Misfits()
        if not unknown:  # else the unknown one may be the missing one, misspelt
            for name in self.required:
                if name not in value:
                    misfits.add(MissingKeyError(self.noun, name))
        given = self._values(value, misfits)
        for name in unknown[: MOST + 1]:
            misfits.add(UnknownKeyError(name, list(self.keys)))
        misfits.refuse()
        return self.make(**given)

    def _values(self, value: Mapping[str, Any], misfits: Misfits) -> dict[str, Any]:
        """Read the values of the known keys that are there; gather what is wrong with them."""
        given = {}
        for name, key in self.keys.items():
            if name not in value:
                continue
            try:
                given[name] = key.form.read(value[name])
            except MisfitError as error:
                misfits.add(error.under(name))
        return given

    def write(self, value: T) -> dict[str, Any]:
        """See Form. What is optional and as if it had been left out is left out."""
        plain = {}
        for name, key in self.keys.items():
            item = getattr(value, name)
            if not key.optional or item != key.default:
                plain[name] = key.form.write(item)
        return plain

    def schema(self) -> Schema:
        """See Form."""
        return {
            "type": "object",
            "additionalProperties": False,
            **({"required": self.required} if self.required else {}),
            "properties": {
                name: {**key.form.schema(), **key.about} for name, key in self.keys.items()
            },
        }


def record(
    kind: type[T],
    noun: str = "",
    *,
    whole: bool = False,
    added: Collection[str] = (),
    **given: Any,
) -> Record[T]:
    """Return the form of a dataclass; fields without a form are no keys.

    noun: what it is called where a key is missing. whole: nothing may be left out, also where the
    class has a default for those who make one; but what was `added` since may. given: fields that
    are no keys.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    keys = {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        notes = getattr(hints[field.name], "__metadata__", ())
        forms = [note for note in notes if isinstance(note, Form)]
        if not forms:
            continue
        about = [note for note in notes if isinstance(note, str)]
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        keys[field.name] = Key(
            forms[0],
            default is not dataclasses.MISSING and (not whole or field.name in added),
            default,
            {"description": about[0]} if about else {},
        )
    return Record(keys, functools.partial(kind, **given), noun)
