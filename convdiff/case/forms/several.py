"""Lists and mappings of values that have one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from convdiff.case.forms.form import Form, Schema, stated
from convdiff.case.forms.misfit import MisfitError, Misfits

T = TypeVar("T")


class ListOf(Form[tuple[T, ...]]):
    """A list of values of one form, so many at least and at most."""

    kinds, wanted = (list,), "a list"

    def __init__(self, item: Form[T], least: int = 0, most: int | None = None) -> None:
        self.item, self.least, self.most = item, least, most

    def read(self, value: Any) -> tuple[T, ...]:
        """See Form."""
        if not self.takes(value):
            raise self.misfit(value)
        if len(value) < self.least:
            raise MisfitError(f"expected at least {self.least} value(s), found {len(value)}")
        if self.most is not None and len(value) > self.most:
            raise MisfitError(f"expected at most {self.most} value(s), found {len(value)}")
        items, misfits = [], Misfits()
        for index, item in enumerate(value):
            try:
                items.append(self.item.read(item))
            except MisfitError as error:
                misfits.add(error.under(index))
                if misfits.are_many:
                    break
        misfits.refuse()
        return tuple(items)

    def write(self, value: tuple[T, ...]) -> list[Any]:
        """See Form."""
        return [self.item.write(item) for item in value]

    def schema(self) -> Schema:
        """See Form."""
        bounds = stated({"minItems": self.least or None, "maxItems": self.most})
        return {"type": "array", "items": self.item.schema(), **bounds}


class MapOf(Form[Mapping[str, T]]):
    """A mapping with any keys, to values of one form."""

    kinds, wanted = (dict,), "a mapping"

    def __init__(self, item: Form[T]) -> None:
        self.item = item

    def read(self, value: Any) -> Mapping[str, T]:
        """See Form."""
        if not self.takes(value):
            raise self.misfit(value)
        items, misfits = {}, Misfits()
        for key, item in value.items():
            try:
                items[key] = self.item.read(item)
            except MisfitError as error:
                misfits.add(error.under(key))
                if misfits.are_many:
                    break
        misfits.refuse()
        return items

    def write(self, value: Mapping[str, T]) -> dict[str, Any]:
        """See Form."""
        return {key: self.item.write(item) for key, item in value.items()}

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "object", "additionalProperties": self.item.schema()}
