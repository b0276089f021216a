"""Text of some length, or that a pattern matches."""

from __future__ import annotations

import re
from typing import Any

from convdiff.case.forms.form import Form, Schema, stated
from convdiff.case.forms.misfit import MisfitError


class Text(Form[str]):
    """Text, so long at most and at least."""

    kinds, wanted = (str,), "text"

    def __init__(self, most: int | None = None, least: int = 0) -> None:
        self.most, self.least = most, least

    def fits(self, value: str) -> bool:
        """See Form."""
        return self.least <= len(value) and (self.most is None or len(value) <= self.most)

    def misfit(self, value: Any) -> MisfitError:
        """See Form; of a text it is its length that does not fit."""
        if not self.takes(value):
            return super().misfit(value)
        bound = f"least {self.least}" if len(value) < self.least else f"most {self.most}"
        return MisfitError(f"expected at {bound} character(s), found {len(value):,}")

    def schema(self) -> Schema:
        """See Form."""
        bounds = stated({"minLength": self.least or None, "maxLength": self.most})
        return {"type": "string", **bounds}


class Pattern(Form[str]):
    """Text that a regular expression, from its ^ to its $, matches."""

    kinds = (str,)

    def __init__(self, pattern: str, wanted: str) -> None:
        self.pattern, self.wanted = pattern, wanted

    def fits(self, value: str) -> bool:
        """See Form."""
        return re.fullmatch(self.pattern, value) is not None

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "string", "pattern": self.pattern, "description": self.wanted}
