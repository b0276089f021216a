"""Draws the first answer of README.md as a terminal shows it: docs/terminal.svg, in `make docs`.

The picture is of the page's own block, in colours. It names no other host: no font is fetched.
"""

from __future__ import annotations

import dataclasses
import io
import sys
import tempfile
from pathlib import Path

from blocks import ROOT, Block, agrees, blocks, missing, printed
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = ROOT / "docs" / "terminal.svg"
WIDTH = 80
"""Columns, as in the page's blocks."""
DARK = TerminalTheme((24, 26, 31), (220, 223, 228), [(0, 0, 0)] * 8, [(90, 90, 90)] * 8)
TEMPLATE = """\
<svg viewBox="0 0 {terminal_width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>convdiff in a terminal</title>
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
}}
{styles}
</style>
<defs>
{lines}
</defs>
<rect fill="#181a1f" width="{terminal_width}" height="{height}" rx="6"/>
<g transform="translate(9, 25)" class="{unique_id}-matrix">
{backgrounds}
{matrix}
</g>
</svg>
"""
"""Of `Console.export_svg`; text is as wide as it says, whatever the font."""


def block() -> Block:
    """Return the block that is drawn: the first of the README."""
    return next(one for one in blocks(ROOT / "README.md") if one.language == "console")


def coloured(scratch: Path) -> str:
    """Run the block's command in colours and return what it prints. Raises ValueError."""
    one = block()
    command = f"COLUMNS={WIDTH} {one.command} --color always"
    output = printed(dataclasses.replace(one, text=f"$ {command}\n{one.output}"), scratch)
    text = Text.from_ansi(output).plain
    lines = [line for line in text.splitlines() if not line.startswith("colours: ")]
    if not agrees(one, "".join(f"{line}\n" for line in lines)):
        raise ValueError(f"{one} is not what the program prints; `make docs` writes it anew")
    return output


def drawn(output: str) -> str:
    """Return what was printed, in its colours, as an SVG image: the same for the same text."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    console.print(Text.assemble(("$ ", "dim"), (block().command, "bold")), overflow="fold")
    console.print(Text.from_ansi(output.rstrip("\n")), overflow="fold")
    svg = console.export_svg(theme=DARK, code_format=TEMPLATE, unique_id="terminal")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines() if line.strip())


def main() -> int:
    """Draw the picture anew; return 0, also where what it needs is not here, which is said."""
    lacking = missing(block())
    if lacking:
        print(f"{PICTURE.name}: not drawn: no {', '.join(lacking)}")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        svg = drawn(coloured(Path(scratch)))
    same = PICTURE.exists() and PICTURE.read_text("utf-8") == svg
    PICTURE.write_text(svg, "utf-8")
    print(f"{PICTURE.name}: {'holds' if same else 'drawn anew'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
