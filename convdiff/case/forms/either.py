"""One form or another, or nothing."""

from __future__ import annotations

from typing import Any, TypeVar

from convdiff.case.forms.form import Form, Schema

T = TypeVar("T")


class Either(Form[Any]):
    """One of several forms: the first that takes values of that kind."""

    def __init__(self, *forms: Form[Any]) -> None:
        self.forms = forms
        self.wanted = " or ".join(form.wanted for form in forms)

    def takes(self, value: Any) -> bool:
        """See Form."""
        return any(form.takes(value) for form in self.forms)

    def read(self, value: Any) -> Any:
        """See Form."""
        for form in self.forms:
            if form.takes(value):
                return form.read(value)
        raise self.misfit(value)

    def hint(self, value: Any) -> str:
        """See Form."""
        return next(filter(None, (form.hint(value) for form in self.forms)), "")

    def schema(self) -> Schema:
        """See Form."""
        return {"anyOf": [form.schema() for form in self.forms]}


class Maybe(Form[T | None]):
    """Null, or a value of a form."""

    def __init__(self, form: Form[T]) -> None:
        self.form, self.wanted = form, f"{form.wanted} or nothing"

    def read(self, value: Any) -> T | None:
        """See Form."""
        return None if value is None else self.form.read(value)

    def write(self, value: T | None) -> Any:
        """See Form."""
        return None if value is None else self.form.write(value)

    def schema(self) -> Schema:
        """See Form."""
        return {"anyOf": [{"type": "null"}, self.form.schema()]}
