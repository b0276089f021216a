"""Every link of the documentation leads somewhere, and every page to the list of questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
INDEX = DOCS / "index.md"
PAGES = sorted(DOCS.glob("*.md"))
ALL = (*sorted(ROOT.glob("*.md")), *PAGES, *sorted((ROOT / "tests").rglob("*.md")))
FENCED = re.compile(r"^(```+|~~~+).*?^\1", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")


def prose(page: Path) -> str:
    """Return a page without its code, in which nothing is a link or a heading."""
    return re.sub(r"`[^`\n]*`", "code", FENCED.sub("", page.read_text("utf-8")))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the file and the anchor of each link of a page that stays in the repository."""
    for target in LINK.findall(prose(page)):
        if "://" not in target and not target.startswith("mailto:"):
            name, _, anchor = target.partition("#")
            yield (page.parent / name).resolve() if name else page, anchor


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text("utf-8"))
    found: list[str] = []
    for heading in re.findall(r"^#+ +(.+)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
    return set(found)


def test_there_are_links_to_follow():
    assert sum(1 for page in ALL for _ in links(page)) > 60
    assert "a-case" in anchors(ROOT / "README.md")


@pytest.mark.parametrize("page", ALL, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path):
    for target, anchor in links(page):
        assert target.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {target.name}#{anchor}"


def test_every_page_can_be_reached_from_the_questions_and_leads_back_to_them():
    reached, left = set(), {INDEX}
    while left:
        page = left.pop()
        reached.add(page)
        left |= {target for target, _ in links(page) if target in PAGES} - reached
    assert reached == set(PAGES)
    listed = {target for target, _ in links(INDEX)}
    for page in set(PAGES) - {INDEX}:
        assert page in listed, f"index.md does not list {page.name}"
        assert INDEX in {target for target, _ in links(page)}, f"{page.name} does not lead back"


def test_the_readme_leads_to_every_page():
    targets = {target for target, _ in links(ROOT / "README.md")}
    assert set(PAGES) <= targets
