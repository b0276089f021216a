"""Case files as text in, cases or the one line of an error out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convdiff.case.load import load_case
from convdiff.case.model import Case
from convdiff.errors import CaseError

Load = Callable[[str | bytes], Case]
Refusal = Callable[[str | bytes], str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return a function that loads a case file of this text."""

    def load_text(text: str | bytes) -> Case:
        path = tmp_path / "case.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_case(path)

    return load_text


@pytest.fixture
def refusal(load: Load, tmp_path: Path) -> Refusal:
    """Return a function that loads a bad case file and returns its error, file name shortened."""

    def load_bad(text: str | bytes) -> str:
        with pytest.raises(CaseError) as caught:
            load(text)
        message = str(caught.value)
        assert len(message.splitlines()) == 1, "an error is one line"
        assert message.startswith(str(tmp_path / "case.yaml")), "an error begins with the file"
        return message.removeprefix(f"{tmp_path}/")

    return load_bad
