"""Whose is a YAML file? Told by searching its text, so that a broken case is still a case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 10 * 2**20
"""Read of a file; a larger one is no sound case, but may begin as one."""
BEGINNING = 4096
"""Characters in which a comment may name the schema."""

_NET = re.compile(r"^layers[ \t]*:(?!\S)", re.M)
_SCHEMA = re.compile(r"^[ \t]*#[ \t]*yaml-language-server:.*convdiff", re.M)
_PREAMBLE = re.compile(r"(?:[ \t]*(?:[#%].*)?\r?\n|---(?=\s)[ \t]*)*")
_END = re.compile(r"^(?:---|\.\.\.)(?=\s|\Z)", re.M)
_FLOW = re.compile(
    r"""(?P<open>[{\[])|(?P<close>[}\]])|(?P<q>["']?)(?<![\w.-])(?P<key>filter|input)(?P=q)\s*:"""
    r"""|"(?:[^"\\]|\\.)*"|'[^']*'|(?<!\S)\#.*"""
)


def is_case_file(path: Path) -> bool:
    """Return whether a file is a convdiff case, sound or not; not if it can't be read."""
    if path.suffix not in (".yaml", ".yml"):
        return False
    try:
        with path.open("rb") as file:
            return is_case(file.read(MOST_BYTES).decode("utf-8-sig", "replace"))
    except OSError:
        return False


def is_case(text: str) -> bool:
    """Return whether YAML text is a convdiff case, sound or not; a net is none.

    It is if a comment at its beginning names convdiff's schema, or if `filter` and `input` are keys
    of the outermost mapping of its first document.
    """
    if _NET.search(text):
        return False
    if _SCHEMA.search(text, 0, BEGINNING):
        return True
    preamble = _PREAMBLE.match(text)
    document = _END.split(text[preamble.end() if preamble else 0 :], maxsplit=1)[0]
    return {"filter", "input"} <= set(_outermost_keys(document))


def _outermost_keys(document: str) -> Iterator[str]:
    """Yield `filter` and `input` where they are keys of the outermost mapping."""
    if document.lstrip().startswith("{"):
        depth = 0
        for token in _FLOW.finditer(document):
            depth += bool(token["open"]) - bool(token["close"])
            if depth == 1 and token["key"]:
                yield token["key"]
    else:
        indent = document[: len(document) - len(document.lstrip(" "))]
        for match in re.finditer(
            rf"""^{indent}(["']?)(filter|input)\1[ \t]*:(?!\S)""", document, re.M
        ):
            yield match[2]
