"""Numbers within bounds."""

from __future__ import annotations

from typing import Any

from convdiff.case.forms.form import Form, Schema, stated


class Number(Form[float]):
    """A number within bounds."""

    kinds = (int, float)
    noun, word = "a number", "number"

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        self.bounds = stated({"minimum": least, "maximum": most})
        self.wanted = self.noun + _within(least, most)

    def fits(self, value: Any) -> bool:
        """See Form."""
        low, high = self.bounds.get("minimum", value), self.bounds.get("maximum", value)
        return bool(low <= value <= high)

    def schema(self) -> Schema:
        """See Form."""
        return {"type": self.word, **self.bounds}


def _within(least: float | None, most: float | None) -> str:
    """Say between which bounds, as a suffix."""
    within = ""
    if least is not None:
        within += f" of {least} or more"
    if most is not None:
        within += f" (at most {'10^9' if most == 10**9 else most})"
    return within


class Whole(Form[int]):
    """A whole number within bounds; 2.0 is one, as in JSON Schema."""

    kinds = (int, float)

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self.number = Number(least, most)
        self.wanted = f"a whole number{_within(least, most)}"

    def takes(self, value: Any) -> bool:
        """See Form."""
        return super().takes(value) and value == value // 1

    def read(self, value: Any) -> int:
        """See Form."""
        if not (self.takes(value) and self.number.fits(value)):
            raise self.misfit(value)
        return int(value)

    def schema(self) -> Schema:
        """See Form."""
        return {**self.number.schema(), "type": "integer"}
