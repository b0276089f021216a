"""A form whose values become something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from convdiff.case.forms.form import Form, Schema
from convdiff.case.forms.misfit import MisfitError

T = TypeVar("T")


class As(Form[T]):
    """A form whose values become something else; `into` raises ValueError for what can't."""

    def __init__(
        self, form: Form[Any], into: Callable[[Any], T], back: Callable[[T], Any] = str
    ) -> None:
        self.form, self.wanted, self.into, self.back = form, form.wanted, into, back

    def takes(self, value: Any) -> bool:
        """See Form."""
        return self.form.takes(value)

    def hint(self, value: Any) -> str:
        """See Form."""
        return self.form.hint(value)

    def read(self, value: Any) -> T:
        """See Form."""
        plain = self.form.read(value)
        try:
            return self.into(plain)
        except MisfitError:
            raise
        except ValueError as error:
            raise MisfitError(str(error)) from None

    def write(self, value: T) -> Any:
        """See Form."""
        return self.form.write(self.back(value))

    def schema(self) -> Schema:
        """See Form."""
        return self.form.schema()
