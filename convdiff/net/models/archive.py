"""A zip archive that somebody else wrote: its members by name, never unpacked to disk."""

from __future__ import annotations

import json
import posixpath
import zipfile
from pathlib import Path
from typing import Any

from convdiff.net.models.limits import MOST_BYTES, MOST_MEMBERS, MOST_TEXT, ModelError, check_count


class Archive:
    """Checked as a whole when it is opened. Raises ModelError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise ModelError(f"{path}: is no zip archive, as {path.suffix} files are") from error
        members = self._zip.infolist()
        check_count(str(path), "members", len(members), MOST_MEMBERS)
        for member in members:
            _check(path, member)
        if len({member.filename for member in members}) < len(members):
            raise ModelError(f"{path}: two members have one name")
        unpacked = sum(member.file_size for member in members)
        if unpacked > MOST_BYTES:
            raise ModelError(
                f"{path}: unpacks to {unpacked:,} bytes; {MOST_BYTES:,} are read at most"
            )

    @property
    def names(self) -> list[str]:
        """What it holds."""
        return self._zip.namelist()

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """Return a member's bytes, `most` at most whatever its header says. Raises ModelError."""
        try:
            with self._zip.open(name) as member:
                data = member.read(most + 1)
        except KeyError:
            raise ModelError(f"{self.path}: has no member {name}") from None
        except Exception as error:  # damaged bytes make zipfile and its codecs raise anything
            raise ModelError(f"{self.path}: {name} is damaged: {error}") from None
        if len(data) > most:
            raise ModelError(f"{self.path}: {name} is larger than {most:,} bytes")
        return data

    def json(self, name: str) -> Any:
        """Return a member's JSON. Raises ModelError."""
        return parsed(self.path, name, self.read(name, MOST_TEXT))


def parsed(path: Path, name: str, text: str | bytes) -> Any:
    """Return a text's JSON object. Raises ModelError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: {name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: {name} holds no object")
    return value


def _check(path: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename
    normal = posixpath.normpath(name.replace("\\", "/"))
    if normal.startswith(("/", "../")) or normal == ".." or ":" in normal.split("/")[0]:
        raise ModelError(f"{path}: a member would land outside of it: {name}")
    if member.flag_bits & 1:
        raise ModelError(f"{path}: {name} is encrypted")
