"""Nets from the text of their files."""

from __future__ import annotations

import tempfile
from pathlib import Path

from convdiff.case.load_net import load_net
from convdiff.case.net_model import NetCase


def net_of(text: str) -> NetCase:
    """Return the net that a file net.yaml of this text is. Raises CaseError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.yaml"
        path.write_text(text, "utf-8")
        return load_net(path)
