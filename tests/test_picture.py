"""The picture of the terminal is what the program prints, and fetches nothing."""

from __future__ import annotations

import re
from pathlib import Path

import picture
import pytest
from blocks import agrees, missing
from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"


def lines_of(svg: str) -> list[str]:
    """Return the lines of text of a picture, by the height at which each stands."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for text in etree.fromstring(svg.encode()).iter(f"{SVG}text"):
        place = float(text.get("y")), float(text.get("x"))
        lines.setdefault(place[0], []).append((place[1], text.text))
    width = 12.2  # of a character: what export_svg takes
    rows = []
    for _, parts in sorted(lines.items()):
        row = ""
        for x, text in sorted(parts):
            row = row.ljust(round(x / width)) + text
        rows.append(row.replace("\N{NO-BREAK SPACE}", " ").rstrip())
    return rows


def test_the_picture_says_what_the_first_block_of_the_readme_says():
    """Which the documentation's own test runs; so it is known everywhere whether it is current."""
    command, *lines = lines_of(picture.PICTURE.read_text("utf-8"))
    block = picture.block()
    assert command == f"$ {block.command}"
    lines = [line for line in lines if not line.startswith("colours: ")]
    assert " ".join(lines).split() == block.output.split()  # lines may end elsewhere


def test_the_picture_names_no_host_and_no_script_but_its_own_namespace():
    text = picture.PICTURE.read_text("utf-8")
    assert re.findall(r"\w+://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|@font-face|<script|<image|url\((?!#)|href", text)


def test_the_same_text_is_drawn_the_same():
    assert picture.drawn("\x1b[31ma\x1b[0m b\n") == picture.drawn("\x1b[31ma\x1b[0m b\n")
    assert "#" in picture.drawn("\x1b[38;5;28mgood\x1b[0m") and "good" in picture.drawn("good")


@pytest.mark.framework
def test_the_picture_is_current_in_every_colour(tmp_path: Path):
    lacking = missing(picture.block())
    if lacking:
        pytest.skip(f"no {', '.join(lacking)}")
    output = picture.coloured(tmp_path)
    assert picture.drawn(output) == picture.PICTURE.read_text("utf-8"), "`make docs` draws it anew"


def test_a_block_that_is_not_what_is_printed_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(picture, "printed", lambda *_: "something else\n")
    with pytest.raises(ValueError, match="make docs"):
        picture.coloured(tmp_path)
    assert not agrees(picture.block(), "something else\n")
