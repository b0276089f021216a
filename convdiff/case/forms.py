"""What plain values of YAML, JSON and TOML may be, and what they become: forms, which nest.

A form reads a plain value into the program's own type, or says what is wrong with it and where;
writes it back; and knows its JSON Schema. Own code: msgspec tells place and fault in one English
sentence only, and schema libraries know no types, so that each key stood twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Path = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""
Schema = dict[str, Any]

LONGEST_VALUE = 40
"""Characters of a value that a message repeats."""
CLOSE = 0.5
"""How like a known word another must be to be taken for a slip of it, as difflib counts."""


class MisfitError(ValueError):
    """A value that is not what it must be: the way to it, and what is wrong."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
        self.path: Path = ()

    def under(self, key: str | int) -> MisfitError:
        """Return the error as seen from outside of a mapping or list."""
        self.path = (key, *self.path)
        return self

    def __str__(self) -> str:
        """Say where and what, in one line."""
        return f"{dotted(self.path)!r}: {self.words}" if self.path else self.words


class UnexpectedError(MisfitError):
    """A value of another kind than the one that is expected."""

    def __init__(self, wanted: str, value: Any, hint: str = "") -> None:
        super().__init__(f"expected {wanted}, found {shown(value)}{hint}")
        self.wanted = wanted


class MissingKeyError(MisfitError):
    """A mapping without a key that it must have."""

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(f"has no {name!r}")
        self.noun = noun

    def __str__(self) -> str:
        """Say what lacks which key."""
        return f"{dotted(self.path) or self.noun} {self.words}"


class UnknownKeyError(MisfitError):
    """A key that a mapping may not have; the last of the path."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(_meant(name, known) or f"known keys: {', '.join(known)}")
        self.name, self.known = name, known
        self.under(name)

    def __str__(self) -> str:
        """Say which key, where, and what was meant."""
        outside = dotted(self.path[:-1])
        inside = f" in {outside!r}" if outside else ""
        return f"unknown key {self.name!r}{inside}; {self.words}"


def _meant(word: str, known: Sequence[str]) -> str:
    """Return a question that names the word of which this may be a slip, or nothing."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=CLOSE)
    return f"did you mean {near[0]!r}?" if near else ""


def dotted(path: Path) -> str:
    """Write a path: expect.length, devices.0."""
    return ".".join(map(str, path))


def shown(value: Any) -> str:
    """Write a value as messages do, cut where it is long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "…"


class Form(Generic[T]):
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
        """Return a plain value as the program has it. Raises MisfitError."""
        if not (self.takes(value) and self.fits(value)):
            raise self.misfit(value)
        result: T = value
        return result

    def misfit(self, value: Any) -> MisfitError:
        """Return the error of a value that is none of this form."""
        return UnexpectedError(self.wanted, value)

    def write(self, value: T) -> Any:
        """Return what `read` reads."""
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema, draft 7, of what `read` reads."""
        raise NotImplementedError


class Number(Form[float]):
    """A number within bounds."""

    kinds = (int, float)
    noun, word = "a number", "number"

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        bounds = {"minimum": least, "maximum": most}
        self.bounds = {word: bound for word, bound in bounds.items() if bound is not None}
        self.wanted = self.noun
        if least is not None:
            self.wanted += f" of {least} or more"
        if most is not None:
            self.wanted += f" (at most {'10^9' if most == 10**9 else most})"

    def fits(self, value: Any) -> bool:
        """See Form."""
        low, high = self.bounds.get("minimum", value), self.bounds.get("maximum", value)
        return bool(low <= value <= high)

    def schema(self) -> Schema:
        """See Form."""
        return {"type": self.word, **self.bounds}


class Whole(Form[int]):
    """A whole number within bounds; 2.0 is one, as in JSON Schema."""

    kinds = (int, float)

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self.number = Number(least, most)
        self.wanted = self.number.wanted.replace("a number", "a whole number")

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


class Text(Form[str]):
    """Text, so long at most and at least."""

    kinds, wanted = (str,), "text"

    def __init__(self, most: int | None = None, least: int = 0) -> None:
        self.most, self.least = most, least

    def fits(self, value: str) -> bool:
        """See Form."""
        return self.least <= len(value) and (self.most is None or len(value) <= self.most)

    def schema(self) -> Schema:
        """See Form."""
        bounds = {"minLength": self.least or None, "maxLength": self.most}
        return {"type": "string", **{word: size for word, size in bounds.items() if size}}


class Pattern(Form[str]):
    """Text that a regular expression matches from end to end."""

    kinds = (str,)

    def __init__(self, pattern: str, wanted: str) -> None:
        self.pattern, self.wanted = pattern, wanted

    def fits(self, value: str) -> bool:
        """See Form."""
        return re.fullmatch(self.pattern, value) is not None

    def schema(self) -> Schema:
        """See Form."""
        return {"type": "string", "pattern": self.pattern, "description": self.wanted}


class Words(Form[str]):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words, self.wanted = words, " or ".join(words)

    def takes(self, value: Any) -> bool:
        """See Form."""
        return value in self.words

    def misfit(self, value: Any) -> MisfitError:
        """See Form."""
        hint = _meant(str(value), self.words)
        return UnexpectedError(self.wanted, value, f"; {hint}" if hint else "")

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


class Anything(Form[Any]):
    """Whatever it is."""

    def takes(self, value: Any) -> bool:
        """See Form."""
        return True


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
        items = []
        for index, item in enumerate(value):
            try:
                items.append(self.item.read(item))
            except MisfitError as error:
                raise error.under(index) from None
        return tuple(items)

    def write(self, value: tuple[T, ...]) -> list[Any]:
        """See Form."""
        return [self.item.write(item) for item in value]

    def schema(self) -> Schema:
        """See Form."""
        bounds = {"minItems": self.least or None, "maxItems": self.most}
        given = {word: count for word, count in bounds.items() if count is not None}
        items = {} if isinstance(self.item, Anything) else {"items": self.item.schema()}
        return {"type": "array", **items, **given}


class MapOf(Form[Mapping[str, T]]):
    """A mapping with any keys, to values of one form."""

    kinds, wanted = (dict,), "a mapping"

    def __init__(self, item: Form[T]) -> None:
        self.item = item

    def read(self, value: Any) -> Mapping[str, T]:
        """See Form."""
        if not self.takes(value):
            raise self.misfit(value)
        items = {}
        for key, item in value.items():
            try:
                items[key] = self.item.read(item)
            except MisfitError as error:
                raise error.under(key) from None
        return items

    def write(self, value: Mapping[str, T]) -> dict[str, Any]:
        """See Form."""
        return {key: self.item.write(item) for key, item in value.items()}


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


class As(Form[T]):
    """A form whose values become something else; `into` raises ValueError for what can't."""

    def __init__(
        self, form: Form[Any], into: Callable[[Any], T], back: Callable[[T], Any] = str
    ) -> None:
        self.form, self.wanted, self.into, self.back = form, form.wanted, into, back

    def takes(self, value: Any) -> bool:
        """See Form."""
        return self.form.takes(value)

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
