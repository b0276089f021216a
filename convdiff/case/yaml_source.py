"""YAML 1.2 text as plain values, with the position of every key and value.

Only composed, never constructed: a tag in the file can't make an object, and values are read by
YAML 1.2's core schema alone (null, booleans, integers, floats, strings).
"""

from __future__ import annotations

import copy
import math
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from convdiff.case.forms.misfit import cut
from convdiff.errors import CaseError, CaseErrors, Place

MAX_BYTES = 10 * 1024 * 1024
MAX_NODES = 2_000_000
"""Values after aliases are expanded; more is an anchor bomb, or belongs in an .npy file."""

Path_ = tuple[str | int, ...]
"""A way into the document, such as ("filter", 0)."""

_BREAK = re.compile("\r\n|[\r\n]")
"""What ends a line in YAML 1.2."""
_TAG = "tag:yaml.org,2002:"
_SPECIAL = (".nan", ".inf")
ARRAYS = ("filter", "bias", "input")
"""The keys of a case that are arrays, in which NaN and infinity are values like others."""


@dataclass(frozen=True)
class Source:
    """A document's values and the places they stand at."""

    file: str
    value: Any
    places: dict[Path_, Place] = field(repr=False)
    """Places of mapping keys and of everything down to the second level of lists."""
    broken: frozenset[str] = frozenset()
    """Keys of `value` that were left out: with a fault below; "" stands for a key that is none."""

    def place(self, path: Path_) -> Place:
        """Return the place of `path`, or of the nearest parent that has one."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file, 1, 1))


def read_source(path: Path, faults: CaseErrors | None = None) -> Source:
    """Read a YAML file. Raises CaseError for anything that is not one sound, finite document.

    faults: gathers, if given, what is wrong with single keys and values, instead of raising it.
    """
    return parse_source(_read_text(path), str(path), faults)


def parse_source(text: str, file: str, faults: CaseErrors | None = None) -> Source:
    """Parse YAML text as `read_source` does; `file` is how errors name it."""
    lines = _BREAK.split(text)
    root = _composed(text, file, lines)
    if root is None:
        raise CaseError(Place(file), "the file is empty; a case needs at least filter and input")
    builder = _Builder(file, lines)
    try:
        builder.refuse_explosion(root)
        value = builder.build(root, ())
    except RecursionError:
        raise CaseError(Place(file), "not a case: nested too deeply") from None
    if faults is None or not isinstance(value, dict):
        builder.errors.refuse()
    else:
        faults.add_all(builder.errors)
        value = {key: one for key, one in value.items() if key not in builder.broken}
    return Source(file, value, builder.places, frozenset(builder.broken))


def _composed(text: str, file: str, lines: Sequence[str]) -> Node | None:
    """Return the only document of a YAML text, as nodes. Raises CaseError where it is none."""
    try:
        yaml = YAML(typ="rt", pure=True)
        yaml.Composer = _Composer
        root: Node | None = yaml.compose(text)
        return root
    except MarkedYAMLError as error:
        raise _not_yaml(error, file, lines) from None
    except ReaderError as error:
        raise CaseError(
            _place_of(error.position, text, file), f"not YAML: {error.reason}"
        ) from None
    except RecursionError:
        raise CaseError(Place(file), "not a case: nested too deeply") from None
    except (YAMLError, ValueError, AssertionError, LookupError, AttributeError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise CaseError(Place(file), f"not YAML: {line}") from None


def _not_yaml(error: MarkedYAMLError, file: str, lines: Sequence[str]) -> CaseError:
    """Return a parser's error, where it begins if it is found out at the file's end."""
    begun, mark = error.context_mark, error.problem_mark or error.context_mark
    words = error.problem or error.context
    place = _marked(file, lines, mark) if mark else Place(file)
    if begun and not place.text.strip():
        place, words = _marked(file, lines, begun), f"{error.context}: {error.problem}"
    return CaseError(place, f"not YAML: {words}")


def _is_element(path: Path_) -> bool:
    """Return whether a value is an element of an array that is written out."""
    return len(path) > 1 and path[0] in ARRAYS and all(isinstance(key, int) for key in path[1:])


def _read_text(path: Path) -> str:
    place = Place(str(path))
    try:
        info = path.stat()
    except FileNotFoundError:
        kind = "a symbolic link to nothing" if path.is_symlink() else "no such file"
        raise CaseError(place, kind) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CaseError(place, f"cannot be read: {reason}") from None
    if not stat.S_ISREG(info.st_mode):
        folder = "a folder, " if stat.S_ISDIR(info.st_mode) else ""
        raise CaseError(place, f"{folder}not a regular file; expected a case file")
    if info.st_size > MAX_BYTES:
        size = info.st_size / 2**20
        raise CaseError(place, f"{size:.1f} MB is over 10 MB; keep arrays in .npy files")
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise CaseError(place, f"cannot be read: {error.strerror}") from None


def decoded(data: bytes, file: str) -> str:
    """Return a file's text. Raises CaseError where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = error.object.decode("utf-8", "replace")
        before = error.object[: error.start].decode("utf-8", "replace")
        raise CaseError(_place_of(len(before), text, file), "not UTF-8 text") from None


def _place_of(position: int, text: str, file: str) -> Place:
    """Return the place of a character of a file's text."""
    before = _BREAK.split(text[:position])
    return Place(file, len(before), len(before[-1]) + 1, _BREAK.split(text)[len(before) - 1])


def _marked(file: str, lines: Sequence[str], mark: StreamMark) -> Place:
    """Return the place of a parser's mark."""
    text = lines[mark.line] if mark.line < len(lines) else ""
    return Place(file, mark.line + 1, mark.column + 1, text)


class _Composer(Composer):
    """Composes what an alias stands for with the alias's own place."""

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        event = self.parser.peek_event()
        node: Node = super().compose_node(parent, index)
        if isinstance(event, AliasEvent):
            node = copy.copy(node)  # what is in it is shared
            node.start_mark, node.end_mark = event.start_mark, event.end_mark
        return node


class _Builder:
    """Turns composed nodes into plain values, notes where they stood, and gathers errors."""

    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self.file, self.lines = file, lines
        self.places: dict[Path_, Place] = {}
        self.errors = CaseErrors()
        self.broken: set[str] = set()

    def at(self, node: Node) -> Place:
        return _marked(self.file, self.lines, node.start_mark)

    def refuse(self, node: Node, message: str, path: Path_) -> None:
        self.errors.add(CaseError(self.at(node), message))
        self.broken.add(str(path[0]) if path else "")

    def refuse_explosion(self, root: Node) -> None:
        """Count values as if aliases were written out, visiting each node once."""
        sizes: dict[int, int] = {}
        open_nodes: set[int] = set()

        def size(node: Node) -> int:
            if id(node) in open_nodes:
                raise CaseError(self.at(node), "an alias contains itself")
            if id(node) not in sizes:
                open_nodes.add(id(node))
                total = 1
                if isinstance(node, SequenceNode):
                    total += sum(size(child) for child in node.value)
                elif isinstance(node, MappingNode):
                    total += sum(size(key) + size(value) for key, value in node.value)
                open_nodes.discard(id(node))
                sizes[id(node)] = total
                if total > MAX_NODES:
                    raise CaseError(
                        self.at(node),
                        f"more than {MAX_NODES:,} values once aliases are written out; "
                        "keep arrays in .npy files",
                    )
            return sizes[id(node)]

        size(root)

    def build(self, node: Node, path: Path_) -> Any:
        if len(path) <= 3:
            self.places.setdefault(path, self.at(node))
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        if str(node.tag) not in (_TAG + "seq", _TAG + "map"):
            self.refuse(node, f"the tag {node.tag} means nothing in a case file", path)
            return None
        if isinstance(node, SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        return self.mapping(node, path)

    def mapping(self, node: Node, path: Path_) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self.scalar(key_node, path) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                self.refuse(key_node, "a key must be a word", path)
                continue
            if key in result:
                line = first_seen[key]
                text = f"key {key!r} stands twice (also line {line})"
                self.refuse(key_node, text, (*path, key))
            first_seen[key] = key_node.start_mark.line + 1
            # A value that is left out stands nowhere: its key does.
            empty = value_node.start_mark.index == value_node.end_mark.index
            way = (*path, key)
            self.places[way] = self.at(key_node if empty else value_node)
            self.places.update({(*way, "<key>"): self.at(key_node)})
            result[key] = self.build(value_node, way)
        return result

    def scalar(self, node: ScalarNode, path: Path_ = ()) -> Any:
        tag, text = str(node.tag), node.value
        if tag in (_TAG + "str", _TAG + "timestamp"):  # YAML 1.2's core schema knows no dates
            return text
        if text.lower().lstrip("+-") in _SPECIAL and _is_element(path):
            return float(text.replace(".", ""))
        try:
            return self.number(tag, text)
        except (ValueError, OverflowError):
            self.refuse(node, f"{cut(text)} is not a finite number", path)
        except KeyError:
            self.refuse(node, f"the tag {tag} means nothing in a case file", path)
        return None

    def number(self, tag: str, text: str) -> Any:
        if tag == _TAG + "null":
            return None
        if tag == _TAG + "bool":
            return {"true": True, "false": False}.get(text.lower(), text)
        plain = text.replace("_", "")
        if tag == _TAG + "int":
            base = {"0x": 16, "0o": 8}.get(plain.lstrip("+-")[:2].lower(), 10)
            number = int(plain, base)
            float(number)  # beyond float64's range, no array could hold it
            return number
        if tag == _TAG + "float":
            value = float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
            if not math.isfinite(value):
                raise ValueError
            return value
        raise KeyError(tag)
