"""A page ends in one sentence, one link on, and a compact foot."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from sphinx_project import EXTENSIONS, build

INDEX = "# 本\n\n```{toctree}\none\ntwo\n```\n"
END = "# 題\n\n## まとめ\n\n**要点。**{}\n\n## もっと深く\n\n- 先。\n\n## 参考文献\n\n本。\n"
TWO = "# 二\n\n文。\n"
SETTINGS = (
    "html_theme = 'sphinx_book_theme'; html_theme_options = {'show_prev_next': False}; "
    f"templates_path = [{str(EXTENSIONS / 'page' / 'templates')!r}]"
)


def made(tmp_path, said="", builder="html"):
    pages = {"index.md": INDEX, "one.md": END.format(said), "two.md": TWO}
    settings = SETTINGS if builder == "html" else ""
    built = build(
        tmp_path, pages, "myst_nb", "book.page.ending", settings=settings, builder=builder
    )
    assert built.code == 0, built.messages
    return built


def test_the_sections_at_the_end_are_known_by_their_classes(tmp_path):
    page = made(tmp_path).page("one")
    found = {
        section.find("h2").find(string=True): section["class"]
        for section in page.select("section[class]")
    }
    assert found == {
        "まとめ": ["book-summary"],
        "もっと深く": ["book-foot"],
        "参考文献": ["book-foot"],
    }


@pytest.mark.parametrize("between", [" ", "\n\n"])
def test_what_is_said_of_the_next_page_stands_in_the_link_that_leads_there(tmp_path, between):
    said = f"{between}次の「{{doc}}`two`」では、`<b>`の続きを見ます。"
    page = made(tmp_path, said).page("one")
    (box,) = page.select(".book-summary")
    assert [paragraph.text for paragraph in box.select("p")] == ["要点。"]
    assert page.select_one(".right-next .next-about").text == "<b>の続きを見ます。"


@pytest.mark.parametrize(
    "said", ["次の「{doc}`index`」では、戻ります。", "続きは「{doc}`two`」にあります。", "文。"]
)
def test_all_else_that_is_said_stays(tmp_path, said):
    page = made(tmp_path, f"\n\n{said}").page("one")
    assert len(page.select(".book-summary > p")) == 2
    assert not page.select(".next-about")


def test_a_book_without_such_links_says_it_in_the_text(tmp_path):
    built = made(tmp_path, " 次の「{doc}`two`」では、続きを見ます。", builder="pseudoxml")
    assert "続きを見ます。" in (built.folder / "one.pseudoxml").read_text("utf-8")


def test_the_contents_name_nothing_that_all_chapters_end_with(tmp_path):
    contents = made(tmp_path).page("one").select("#pst-page-toc-nav a")
    assert not [link.text for link in contents]


def test_what_leads_on_comes_before_the_foot(built_site):
    page = BeautifulSoup(
        (built_site / "if_pytorch.html").read_text(encoding="utf-8"), "html.parser"
    )
    order = page.select(".book-summary, .prev-next-area, .book-foot, .takeaway")
    kinds = [part["class"][0] for part in order]
    ends = ["book-summary", "prev-next-area", "book-foot", "takeaway"]
    assert kinds == sorted(kinds, key=ends.index)
    assert set(kinds) == set(ends)
    assert page.select_one(".right-next svg")["aria-hidden"] == "true"
