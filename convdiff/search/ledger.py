"""The steps of searches that were run, in the user's cache folder: none of them is run twice.

A step has a file of its own, named by a digest of all that decides its result; see `deciding`. It
appears whole or not at all, and one that is torn, or that something else wrote, is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from convdiff.atomic import replacing
from convdiff.runtime.environments import cache_folder

NOWHERE = Path(os.devnull)
"""A folder in which nothing is kept."""
PASSING = "passing"
"""True in what a step gives that it may not give again."""
FORMAT = 1
LIMIT = 100 << 20
"""Bytes on disk that are kept; those that were used the longest ago go first."""
BLOCK = 4096
"""Bytes on disk that a file takes at least."""
ABANDONED = 3600.0
"""Seconds after which what was being written is taken for torn."""

Value = Mapping[str, Any]
"""What JSON can hold."""


class Ledger:
    """Keeps what steps gave. Several processes may use one folder at once."""

    def __init__(
        self, folder: Path | None = None, *, fresh: bool = False, limit: int = LIMIT
    ) -> None:
        """folder: in the user's cache folder unless given. fresh: all is forgotten, as it were."""
        self._folder = cache_folder("steps") if folder is None else folder
        self._fresh, self._limit = fresh, limit
        self._is_trimmed = False
        self.known = 0
        """How many steps were there."""
        self.run = 0
        """How many had to be run."""

    def get(self, key: str) -> Value | None:
        """Return what a step gave; None where it was never run, or is to be run anew."""
        value = None if self._fresh else self._read(self._folder / key, key)
        if value is not None:
            self.known += 1
            with contextlib.suppress(OSError):
                os.utime(self._folder / key)
        return value

    def put(self, key: str, value: Value) -> None:
        """Keep what a step gave. Where the folder can't be written to, nothing is kept."""
        self.run += 1
        text = json.dumps(value, sort_keys=True)
        document = {"format": FORMAT, "key": key, "value": value, "sha256": _seal(key, text)}
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._trim()
            with replacing(self._folder / key) as path:
                path.write_text(json.dumps(document), "utf-8")

    def step(self, key: str | None, work: Callable[[], Value | None]) -> Value | None:
        """Return what a step gives, run only where it is not known.

        key: None where nobody can tell what decides it. work: None, which is not kept, where it was
        cut short; what is `passing`, as after a worker's death, is not kept either.
        """
        value = self.get(key) if key else None
        if value is not None:
            return value
        value = work()
        if value is not None:
            value = json.loads(json.dumps(value))  # the same whether it was known or not
        if key and value is not None and not value.get(PASSING):
            self.put(key, value)
        else:
            self.run += 1
        return value

    @staticmethod
    def _read(file: Path, key: str) -> Value | None:
        try:
            if file.stat().st_uid != os.geteuid():
                return None
            document = json.loads(file.read_text("utf-8"))
            value = document["value"]
            text = json.dumps(value, sort_keys=True)
            seals = document["format"], document["key"], document["sha256"]
            is_whole = seals == (FORMAT, key, _seal(key, text))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return value if is_whole and isinstance(value, dict) else None

    def _trim(self) -> None:
        """Remove the oldest steps where there are too many, once, and what is left of torn ones."""
        if self._is_trimmed:
            return
        self._is_trimmed = True
        stats = {path: path.stat() for path in self._folder.iterdir()}
        now, left = time.time(), 0
        for path, stat in sorted(stats.items(), key=lambda one: -one[1].st_mtime):
            if path.name.startswith("."):
                is_old = now - stat.st_mtime > ABANDONED
            else:
                left += max(stat.st_size, BLOCK)
                is_old = left > self._limit
            if is_old:
                path.unlink(missing_ok=True)


def _seal(key: str, text: str) -> str:
    return hashlib.sha256(f"{key} {text}".encode()).hexdigest()
