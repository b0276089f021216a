"""HDF5 as Keras writes it: groups and arrays of this file alone.

What points elsewhere (external links, external storage, virtual datasets) would read other files
of the reader's machine, as CVE-2026-1669 did through Keras: it is refused.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from convdiff.errors import ConvdiffError
from convdiff.net.models.limits import MOST_MEMBERS, MOST_TEXT, Budget, ModelError, check_count
from convdiff.net.models.model import Array


class Hdf5:
    """An open file; its arrays are counted and checked before they are read."""

    def __init__(self, path: Path, content: IO[bytes] | None, budget: Budget) -> None:
        """Open a file, or the bytes of one inside of it. Raises ModelError."""
        try:
            import h5py
        except ImportError:
            raise ConvdiffError(
                f"reading {path.suffix} needs the package h5py: pip install h5py"
            ) from None
        self.path, self.budget, self._h5py = path, budget, h5py
        try:
            self.root = h5py.File(path if content is None else content, "r")
        except (OSError, ValueError, RuntimeError):
            raise ModelError(f"{path}: holds no HDF5 file where one is expected") from None

    def __enter__(self) -> Hdf5:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.root.close()

    def group(self, *names: str) -> Any:
        """Return a group, or None. Raises ModelError where a link leads out of the file."""
        return self._at(self.root, names, self._h5py.Group)

    def array(self, group: Any, name: str) -> Array:
        """Return an array of a group, by its path there. Raises ModelError."""
        held = self._at(group, name.split("/"), self._h5py.Dataset)
        if held is None:
            raise ModelError(f"{self.path}: has no array {name}")
        if held.is_virtual or held.external:
            raise ModelError(f"{self.path}: {name} lies in another file; that is not read")
        if held.dtype.kind not in "fiu" and held.dtype.name != "bfloat16":
            raise ModelError(f"{self.path}: {name} holds {held.dtype}; expected numbers")
        self.budget.take(name, held.shape or (), held.dtype.itemsize)
        try:
            return np.asarray(held[()])
        except Exception as error:  # damaged chunks make HDF5 raise anything
            raise ModelError(f"{self.path}: {name} is damaged: {error}") from None

    def text(self, group: Any, attribute: str) -> str:
        """Return an attribute that is a text. Raises ModelError."""
        value = self._attribute(group, attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str) or len(value) > MOST_TEXT:
            raise ModelError(f"{self.path}: has no {attribute}")
        return value

    def texts(self, group: Any, attribute: str) -> list[str]:
        """Return an attribute that is a list of texts; where it was split, its parts together."""
        names = [name for name in group.attrs if name.startswith(attribute)]
        names.sort(key=lambda name: name != attribute)  # itself first
        parts: list[Any] = []
        for name in names:
            parts += list(np.ravel(self._attribute(group, name)))
        check_count(str(self.path), attribute, len(parts), MOST_MEMBERS)
        return [part.decode() if isinstance(part, bytes) else str(part) for part in parts]

    def _attribute(self, group: Any, name: str) -> Any:
        try:
            return group.attrs[name]
        except Exception:  # absent, or damaged
            raise ModelError(f"{self.path}: has no {name}") from None

    def _at(self, group: Any, names: Any, kind: type) -> Any:
        for name in names:
            if name in ("", ".", ".."):
                continue
            link = group.get(name, getlink=True) if isinstance(group, self._h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, self._h5py.HardLink):
                raise ModelError(f"{self.path}: {name} is a link; only what the file holds is read")
            group = group.get(name)
        return group if isinstance(group, kind) else None
