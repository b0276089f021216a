"""What plain values of YAML, JSON and TOML may be, and what they become: forms, which nest.

A form reads a plain value into the program's own type, or says what is wrong with it and where;
writes it back; and knows its JSON Schema. Own code: msgspec tells place and fault in one English
sentence only, and schema libraries know no types, so that each key stood twice.
"""

from convdiff.case.forms.become import As
from convdiff.case.forms.choice import Exactly, Flag, Words
from convdiff.case.forms.either import Either, Maybe
from convdiff.case.forms.form import Form, Schema
from convdiff.case.forms.misfit import (
    MisfitError,
    Misfits,
    MissingKeyError,
    UnexpectedError,
    UnknownKeyError,
    shown,
)
from convdiff.case.forms.number import Number, Whole
from convdiff.case.forms.several import ListOf, MapOf
from convdiff.case.forms.text import Pattern, Text

__all__ = [
    "As",
    "Either",
    "Exactly",
    "Flag",
    "Form",
    "ListOf",
    "MapOf",
    "Maybe",
    "MisfitError",
    "Misfits",
    "MissingKeyError",
    "Number",
    "Pattern",
    "Schema",
    "Text",
    "UnexpectedError",
    "UnknownKeyError",
    "Whole",
    "Words",
    "shown",
]
