"""The wheels that package indexes have of a package, as their simple API lists them.

One request an index (https://packaging.python.org/en/latest/specifications/simple-repository-api/):
to ask pip for each interpreter takes as many starts of pip.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from convdiff.runtime.uv import NoEnvironmentError, environment

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
PATIENCE = 30.0
"""Seconds that an index may stay silent."""


@dataclass(frozen=True)
class Wheel:
    """A file of an index."""

    version: Version
    tags: frozenset[Tag]
    pythons: SpecifierSet
    size: int
    """Bytes; 0 where the index does not say."""

    def fits(self, python: str, tags: Collection[Tag]) -> bool:
        """Return whether an interpreter of a version, as in 3.10, takes it; tags: those it has."""
        return not self.tags.isdisjoint(tags) and self.pythons.contains(python)


def newest_first(package: str, pythons: Collection[str]) -> Mapping[Version, int]:
    """Return the releases that have a wheel for one of some Pythons, and its size in bytes.

    pythons: their versions, as in 3.10. Raises NoEnvironmentError where an index can't be read.
    """
    tags = {python: frozenset(_tags(python)) for python in pythons}
    sizes: dict[Version, int] = {}
    for wheel in _wheels(package):
        if any(wheel.fits(python, own) for python, own in tags.items()):
            sizes[wheel.version] = max(wheel.size, sizes.get(wheel.version, 0))
    return {version: sizes[version] for version in sorted(sizes, reverse=True)}


def _tags(python: str) -> Iterator[Tag]:
    """Yield what a CPython of a version takes on this machine."""
    major, minor = map(int, python.split("."))
    platforms = list(platform_tags())
    yield from cpython_tags((major, minor), platforms=platforms)
    yield from compatible_tags((major, minor), f"cp{major}{minor}", platforms)


def _default() -> str:
    """Return the index that pip reads where it is told of none. Raises NoEnvironmentError."""
    try:
        from pip._internal.models.index import PyPI
    except ImportError:
        raise NoEnvironmentError("no index is named, and there is no pip to ask for one") from None
    return str(PyPI.simple_url)


def _wheels(package: str) -> Iterator[Wheel]:
    """Yield the wheels of all indexes and folders that pip is told of."""
    variables = environment()
    indexes: list[str] = []
    if not variables.get("UV_NO_INDEX"):
        indexes.append(variables.get("UV_DEFAULT_INDEX") or _default())
        indexes += re.split(r"\s+", variables.get("UV_INDEX", "").strip())
    for source in filter(None, indexes):
        yield from _of_index(f"{source.rstrip('/')}/{canonicalize_name(package)}/", variables)
    for source in filter(None, re.split(r"[\s,]+", variables.get("UV_FIND_LINKS", ""))):
        yield from _of_folder(source, package)


def _of_index(url: str, variables: Mapping[str, str]) -> Iterator[Wheel]:
    """Yield the wheels of a page; none where the index has no such package."""
    if url.startswith("file:"):
        page = Path(unquote(urlsplit(url).path)) / "index.html"
        text = page.read_text("utf-8") if page.is_file() else ""
    else:
        text = _asked(url, variables)
    if text.lstrip().startswith("{"):
        yield from filter(None, map(_of_json, json.loads(text)["files"]))
        return
    links = _Links()
    links.feed(text)
    yield from links.wheels


def _asked(url: str, variables: Mapping[str, str]) -> str:
    """Return a page; nothing for one that is not there. Raises NoEnvironmentError."""
    host = urlsplit(url).hostname or url
    try:
        context = ssl.create_default_context(cafile=variables.get("SSL_CERT_FILE"))
        request = Request(url, headers={"Accept": ACCEPT})
        with urlopen(request, timeout=PATIENCE, context=context) as answer:
            return str(answer.read().decode("utf-8"))
    except HTTPError as error:
        if error.code == 404:
            return ""
        raise NoEnvironmentError(f"the package index {host}: {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NoEnvironmentError(f"the package index {host} can't be reached: {reason}") from None


def _of_json(file: Mapping[str, object]) -> Wheel | None:
    if file.get("yanked"):
        return None
    size = file.get("size")
    needs = str(file.get("requires-python") or "")
    return _wheel(str(file["filename"]), needs, size if isinstance(size, int) else 0)


class _Links(HTMLParser):
    """The links of a page without JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.wheels: list[Wheel] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        given = dict(attrs)
        name = unquote(urlsplit(given.get("href") or "").path).rpartition("/")[2]
        if tag == "a" and "data-yanked" not in given:
            wheel = _wheel(name, given.get("data-requires-python") or "", 0)
            if wheel:
                self.wheels.append(wheel)


def _of_folder(source: str, package: str) -> Iterator[Wheel]:
    """Yield the wheels of a package that lie in a folder; another place than a folder is none."""
    folder = Path(unquote(urlsplit(source).path)) if "://" in source else Path(source)
    for file in sorted(folder.glob("*.whl")):
        if canonicalize_name(file.name.partition("-")[0]) == canonicalize_name(package):
            wheel = _wheel(file.name, "", file.stat().st_size)
            if wheel:
                yield wheel


def _wheel(name: str, needs: str, size: int) -> Wheel | None:
    """Return what a file's name says of it; None for what is no wheel."""
    try:
        _, version, _, tags = parse_wheel_filename(name)
        return Wheel(version, tags, SpecifierSet(needs), size)
    except (InvalidWheelFilename, InvalidSpecifier):
        return None
