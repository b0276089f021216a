"""What decides the bits here beside what a fingerprint says: loaded files, variables, cores.

Python 3.6. It is a digest, for telling one process from another: nothing of it can be read back.
"""

import hashlib
import json
import os
import stat
import sys
from typing import Any, Dict, Iterator, List, Set, Tuple

import numpy as np

INDIFFERENT = (
    "_",
    "COLORTERM",
    "COLUMNS",
    "DISPLAY",
    "EDITOR",
    "FORCE_COLOR",
    "HISTCONTROL",
    "HISTFILE",
    "HISTFILESIZE",
    "HISTSIZE",
    "LESS",
    "LESSCLOSE",
    "LESSOPEN",
    "LINES",
    "LS_COLORS",
    "NO_COLOR",
    "OLDPWD",
    "PAGER",
    "PS1",
    "PWD",
    "SHLVL",
    "STY",
    "TERM",
    "WINDOWID",
)
"""Variables that change no number; every other one may."""
FAMILIES = ("CONVDIFF_", "DBUS_", "PYTEST_", "SSH_", "TERM_", "TMUX", "VTE_", "XDG_")
"""Beginnings of names of more of them."""
WRITTEN = (".dot", ".err", ".html", ".json", ".jsonl", ".log", ".md", ".out", ".svg", ".xml") + (
    ".pyc",
    ".yaml",
    ".yml",
)
"""Endings of files that people and tools write beside a kernel; it may read every other one."""


def answer(header: Dict[str, Any]) -> Any:
    """Return the SHA-256 of all of it, (32,) uint8. header: {"beside": module or ""}."""
    document = {
        "files": sorted(_stats(_files(header["beside"]))),
        "variables": sorted(_variables()),
        "cores": sorted(_cores()),
        "python": [sys.executable, sys.version],
    }
    return np.frombuffer(hashlib.sha256(json.dumps(document).encode()).digest(), np.uint8)


def _files(module: str) -> Set[str]:
    """Return the files of all modules and libraries that are loaded, and of what lies beside."""
    files = {getattr(one, "__file__", None) for one in list(sys.modules.values())}
    files.update(_libraries())
    own = getattr(sys.modules.get(module), "__file__", None)
    if own:
        folder = os.path.dirname(os.path.abspath(own))
        names = [name for name in os.listdir(folder) if _may_be_read(name)]
        files.update(os.path.join(folder, name) for name in names)
    return {one for one in files if isinstance(one, str)}


def _may_be_read(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(WRITTEN)


def _libraries() -> Iterator[str]:
    """Yield the files whose code is mapped into this process."""
    try:
        with open("/proc/self/maps", errors="surrogateescape") as stream:
            for line in stream:
                parts = line.split(None, 5)
                if len(parts) == 6 and "x" in parts[1]:
                    yield parts[5].rstrip("\n")
    except OSError:  # not every system has it
        pass


def _stats(files: Set[str]) -> Iterator[Tuple[str, int, int]]:
    for name in files:
        try:
            status = os.stat(name)
        except (OSError, ValueError):  # in an archive, or of no file
            continue
        if not stat.S_ISREG(status.st_mode):  # a folder changes with what is written into it
            continue
        yield ascii(name), status.st_size, int(status.st_mtime * 1e6)


def _variables() -> Iterator[Tuple[str, str]]:
    for name, value in os.environ.items():
        if name not in INDIFFERENT and not name.startswith(FAMILIES):
            yield ascii(name), ascii(value)


def _cores() -> List[int]:
    try:
        return list(os.sched_getaffinity(0))
    except AttributeError:  # not every system has it
        return [os.cpu_count() or 0]
