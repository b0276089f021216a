"""One of a few values, or one and no other."""

from __future__ import annotations

from typing import Any, TypeVar

from convdiff.case.forms.form import Form, Schema
from convdiff.case.forms.misfit import near, shown

T = TypeVar("T")


class Words(Form[str]):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words, self.wanted = words, " or ".join(words)

    def takes(self, value: Any) -> bool:
        """See Form."""
        return value in self.words

    def hint(self, value: Any) -> str:
        """See Form."""
        return near(str(value), self.words)

    def schema(self) -> Schema:
        """See Form."""
        return {"enum": list(self.words)}


class Exactly(Form[T]):
    """One value and no other."""

    def __init__(self, value: T) -> None:
        self.value, self.wanted = value, shown(value)

    def takes(self, value: Any) -> bool:
        """See Form."""
        return type(value) is type(self.value) and value == self.value

    def schema(self) -> Schema:
        """See Form."""
        return {"const": self.value}


class Flag(Form[bool]):
    """True or false."""

    wanted = "true or false"

    def takes(self, value: Any) -> bool:
        """See Form."""
        return isinstance(value, bool)

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "boolean"}
