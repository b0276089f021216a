"""What every form does: read a plain value or refuse it, write it back, publish its schema."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from convdiff.case.forms.misfit import MisfitError, UnexpectedError

T = TypeVar("T")
Schema = dict[str, Any]


class Form(ABC, Generic[T]):
    """What a value may be."""

    wanted: str
    """What is expected, as messages say it."""
    kinds: tuple[type, ...] = ()
    """The types of plain values of this kind; true and false are no numbers."""

    def takes(self, value: Any) -> bool:
        """Return whether a value is of this kind, within its bounds or not."""
        return isinstance(value, self.kinds) and not isinstance(value, bool)

    def fits(self, value: Any) -> bool:
        """Return whether a value of this kind is within its bounds."""
        return True

    def read(self, value: Any) -> T:
        """Return a plain value as the program has it. Raises MisfitError, with `others`."""
        if not (self.takes(value) and self.fits(value)):
            raise self.misfit(value)
        result: T = value
        return result

    def misfit(self, value: Any) -> MisfitError:
        """Return the error of a value that is none of this form."""
        hint = self.hint(value)
        return UnexpectedError(self.wanted, value, f"; {hint}" if hint else "")

    def hint(self, value: Any) -> str:
        """Return a question that names what a value that is none of this form may stand for."""
        return ""

    def write(self, value: T) -> Any:
        """Return what `read` reads."""
        return value

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON Schema, draft 7, of what `read` reads."""


def stated(bounds: Mapping[str, T | None]) -> dict[str, T]:
    """Return the bounds of a schema that there are."""
    return {word: bound for word, bound in bounds.items() if bound is not None}
