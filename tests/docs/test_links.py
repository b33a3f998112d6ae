"""What the documentation points to is there."""

import pytest

from tests.docs.pages import ROOT, anchors, blocks, links, pages, prose


@pytest.mark.parametrize("page", pages())
def test_relative_links_lead_somewhere(page: str) -> None:
    """Each link to a file of the project names a file that is there, and a heading in it where it names one."""
    broken = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        known = anchors(target.resolve().relative_to(ROOT).as_posix()) if anchor and target.is_file() else {anchor}
        if not target.exists() or anchor not in known:
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached() -> None:
    """From README, links lead to every page of the documentation."""
    seen = {"README.md"}
    while True:
        reached = {
            ((ROOT / page).parent / link.partition("#")[0]).resolve()
            for page in seen
            for link in links(page)
            if "://" not in link and link.partition("#")[0].endswith(".md")
        }
        found = seen | {path.relative_to(ROOT).as_posix() for path in reached}
        if found == seen:
            break
        seen = found
    assert sorted(set(pages()) - seen) == []


@pytest.mark.parametrize("page", pages())
def test_drawings_are_text(page: str) -> None:
    """Drawings are characters or mermaid, so that a change of them can be read; only drawn data are pictures."""
    embedded = [line for line in prose(page).splitlines() if line.startswith("![")]
    assert all(line.endswith(".png)") and "](pictures/" in line for line in embedded)
    languages = {"", "json", "lua", "mermaid", "promql", "python", "sh", "text", "toml", "yaml"}
    assert {block.language for block in blocks(page)} <= languages
