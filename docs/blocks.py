"""Runs the console blocks of README.md and docs/*.md; `make docs` writes their output anew.

A comment on the line before a block says how it is checked:

    <!-- docs: run [in=FOLDER] [needs=A,B] [soak] -->   run, and its output is the block's
    <!-- docs: not run: REASON -->                      why nothing can be compared
    <!-- docs: file NAME -->                            what the page's commands find in `in=page`

`needs` names interpreters (a path), installed modules, or machines (MACHINES). FOLDER is relative
to the repository; `page` is a folder with the page's own files. A line `…` in a block stands for
any number of lines that are not shown.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(
    r"^(?:<!-- docs: (?P<rule>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
LEFT_OUT = re.compile(r"^…\n", re.M)
MACHINES = {"amd-zen3": ("AuthenticAMD", "25", "1")}
"""Vendor, family and model of the machines, with 2 cores, whose bits are shown somewhere."""
LOCAL = (
    # What a machine says of itself, and how long it took, is no part of the claim.
    (re.compile(r"CPU\s+\w+,\s+\d+\s+threads?,\s+Python\s+[\d.]+"), "CPU, threads, Python"),
    (re.compile(r" in \d+\.\d+s\b"), " in a while"),
    (re.compile(r"[\d.]+ at ([\d,]+)(?= of a run|, [\d.]+ at)"), r"faster at \1"),
    (re.compile(r"(of a run at [\d,]+), [\d.e+-]+ ms"), r"\1"),
)
PROGRAMS = {"convdiff": "-m convdiff", "pytest": "-m pytest", "python": ""}
"""The names that a block's command may call, and how they are run: in this interpreter."""
FROM_OUTSIDE = (
    "TF_",
    "ONEDNN_",
    "DNNL_",
    "PYTEST_",
    "NO_COLOR",
    "COLUMNS",
    "TERM",
    "FORCE_COLOR",
    "CI",
    "BUILD_NUMBER",
    "GITHUB_",
)
"""Variables that change what is printed; a block that wants one sets it."""


@dataclass(frozen=True)
class Rule:
    """How a block is checked: words of its comment."""

    run: bool = False
    soak: bool = False
    folder: str = "."
    needs: tuple[str, ...] = ()
    reason: str = ""
    file: str = ""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: what is between the fences, and where it begins."""

    page: Path
    line: int
    language: str
    text: str
    rule: Rule | None
    span: tuple[int, int] = (0, 0)

    @property
    def command(self) -> str:
        """The shell command of a console block."""
        return self.text.split("\n", 1)[0].removeprefix("$ ")

    @property
    def output(self) -> str:
        """What a console block says that its command prints."""
        return self.text.split("\n", 1)[1]

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def rule_of(text: str) -> Rule:
    """Read the words of a comment; raise ValueError for others."""
    if text.startswith("not run: "):
        return Rule(reason=text.removeprefix("not run: "))
    first, *words = text.split()
    if first == "file" and len(words) == 1:
        return Rule(file=words[0])
    if first != "run":
        raise ValueError(f"docs: {text}: expected run, not run: REASON, or file NAME")
    options = dict(word.partition("=")[::2] for word in words)
    rule = Rule(
        run=True,
        soak=options.pop("soak", None) is not None,
        folder=options.pop("in", "."),
        needs=tuple(filter(None, options.pop("needs", "").split(","))),
    )
    if options:
        raise ValueError(f"docs: {text}: unknown words {', '.join(options)}")
    return rule


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        rule = rule_of(match["rule"]) if match["rule"] else None
        line = text.count("\n", 0, match.start("text"))
        yield Block(page, line, match["language"], match["text"], rule, match.span("text"))


def missing(block: Block) -> list[str]:
    """Return what a block needs and this machine lacks."""
    assert block.rule is not None
    return [need for need in block.rule.needs if not here(need)]


def here(need: str) -> bool:
    """Return whether an interpreter, a module or the machine of this name is here."""
    if "/" in need:
        return os.access(ROOT / need, os.X_OK)
    if need in MACHINES:
        return processor() == MACHINES[need] and os.cpu_count() == 2
    return importlib.util.find_spec(need) is not None


def processor() -> tuple[str, ...]:
    """Return this processor's vendor, family and model; nothing where Linux does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return ()
    return tuple(re.findall(r"^(?:vendor_id|cpu family|model)\s*: (.*)$", text, re.M)[:3])


def printed(block: Block, scratch: Path) -> str:
    """Run a console block's command and return what it printed; `scratch` is an empty folder."""
    assert block.rule is not None
    programs = scratch / "bin"
    programs.mkdir()
    for name, options in PROGRAMS.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {options} "$@"\n', "utf-8")
        program.chmod(0o755)
    folder = ROOT / block.rule.folder
    if block.rule.folder == "page":
        folder = scratch / "page"
        write_files(block.page, folder)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(FROM_OUTSIDE)}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    done = subprocess.run(
        ["bash", "-c", block.command],
        cwd=folder,
        env={
            **kept,
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(paths),
            "CONVDIFF_CACHE": str(scratch / "cache"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "Traceback" in done.stderr:
        raise RuntimeError(f"{block}: {block.command}\n{done.stderr}")
    return re.sub(r"[ \t]+$", "", done.stdout, flags=re.M)


def write_files(page: Path, folder: Path) -> None:
    """Write the files that a page shows into a folder."""
    folder.mkdir()
    for block in blocks(page):
        if block.rule is not None and block.rule.file:
            (folder / block.rule.file).write_text(block.text, "utf-8")


def agrees(block: Block, output: str) -> bool:
    """Return whether a block says what was printed, less what is local or not shown."""
    shown = map(re.escape, LEFT_OUT.split(everywhere(block.output)))
    return re.fullmatch(r"(?:.*\n)*?".join(shown), everywhere(output)) is not None


def everywhere(text: str) -> str:
    """Return a text without what is local to a machine."""
    for pattern, name in LOCAL:
        text = pattern.sub(name, text)
    return text


def renewed(page: Path) -> bool:
    """Write a page's outputs anew where they differ; return whether none is left to do by hand."""
    done = True
    for block in reversed(list(blocks(page))):
        if block.language != "console" or block.rule is None or not block.rule.run:
            continue
        if missing(block):
            print(f"{block}: not run: no {', '.join(missing(block))}")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            output = printed(block, Path(scratch))
        if agrees(block, output):
            print(f"{block}: holds")
        elif LEFT_OUT.search(block.output):
            print(f"{block}: to be shortened by hand:\n{output}")
            done = False
        else:
            text = page.read_text("utf-8")
            new = f"$ {block.command}\n{output}"
            page.write_text(text[: block.span[0]] + new + text[block.span[1] :], "utf-8")
            print(f"{block}: written anew")
    return done


if __name__ == "__main__":
    sys.exit(not all([renewed(page) for page in PAGES]))
