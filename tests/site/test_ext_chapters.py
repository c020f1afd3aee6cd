"""A page says where it stands: its part, its number, what comes before and after."""

from __future__ import annotations

import pytest
from sphinx_project import EXTENSIONS, build

INDEX = """# 本

```{toctree}
:hidden:
:caption: 第1部 はじめ

one
two
```

```{toctree}
:hidden:
:caption: 資料

more
```
"""
PAGES = {
    "index.md": INDEX,
    "one.md": "# 一: 主張\n\n文。\n",
    "two.md": "# 二\n\n文。\n",
    "more.md": "# 表\n\n```{toctree}\n:hidden:\nbelow\n```\n",
    "below.md": "# 表の一部\n\n文。\n",
}
TREE = "\n```{toctree}\n:hidden:\n:glob:\n:caption: 実験\n\nexperiments/*\n```\n"
KIND = "---\nkind: experiment\n---\n"
WITH_EXPERIMENTS = PAGES | {
    "index.md": INDEX + TREE,
    "experiments/a.md": f"{KIND}# 甲の実験: 主張\n\n章「{{doc}}`../two`」と{{doc}}`b`。\n",
    "experiments/b.md": f"{KIND}# 乙の実験: 主張\n\n章「{{doc}}`/one`」の証拠。\n",
}
SETTINGS = f"""html_theme = "sphinx_book_theme"
html_theme_options = {{
    "article_header_start": ["place.html"],
    "article_footer_items": ["back.html"],
}}
templates_path = [{str(EXTENSIONS / "place" / "templates")!r}]
"""


def made(folder, pages=PAGES):
    built = build(folder, pages, "myst_nb", "book.page.titles", "book.place", settings=SETTINGS)
    assert built.code == 0, built.messages
    return built


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return made(tmp_path_factory.mktemp("book"))


def shown(node):
    return " ".join(node.text.split())


def listed(page):
    parts = page.select(".book-part")
    return {shown(part.summary): [shown(link) for link in part.select("a")] for part in parts}


def test_chapters_are_numbered_by_part_and_named_briefly(book):
    assert listed(book.page("two")) == {"第1部 はじめ": ["1.1 一", "1.2 二"], "資料": ["表"]}


@pytest.mark.parametrize(
    ("name", "opened"),
    [("two", ["第1部 はじめ"]), ("below", ["資料"]), ("index", ["第1部 はじめ", "資料"])],
)
def test_the_part_that_is_read_is_open(book, name, opened):
    parts = book.page(name).select(".book-part[open]")
    assert [shown(part.summary) for part in parts] == opened


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("one", ["第1部 はじめ", "1.1 一"]),
        ("more", ["資料", "表"]),
        ("below", ["資料", "表", "表の一部"]),
    ],
)
def test_the_way_to_a_page_names_its_part(book, name, way):
    steps = book.page(name).select(".bd-breadcrumbs > li:not(.breadcrumb-home)")
    assert [shown(step) for step in steps] == way


def test_the_page_that_is_read_is_marked_in_the_list(book):
    (here,) = book.page("two").select(".book-part [aria-current=page]")
    assert here["data-page"] == "two"
    # A page below a chapter is no chapter itself.
    assert not book.page("below").select(".book-part [aria-current=page]")
    (chapter,) = book.page("below").select(".book-part a.current")
    assert chapter["href"] == "more.html"


def test_pages_before_and_after_have_their_numbers(book):
    page = book.page("two")
    assert shown(page.select_one(".left-prev .prev-next-title")) == "1.1 一"
    assert shown(page.select_one(".right-next .prev-next-title")) == "表"


def test_an_experiment_leads_back_to_its_lesson_and_nowhere_else(tmp_path):
    built = made(tmp_path, WITH_EXPERIMENTS)
    page = built.page("experiments/a")
    (back,) = page.select(".book-back a")
    assert (back["href"], shown(back)) == ("../two.html", "章へ戻る「1.2 二」")
    assert shown(built.page("experiments/b").select_one(".book-back a")) == "章へ戻る「1.1 一」"
    assert not page.select(".prev-next-area a, link[rel=prev], link[rel=next]")
    last = built.page("below")
    assert last.select(".left-prev")
    assert not last.select(".right-next, .book-back, link[rel=next]")
    assert listed(last)["実験"] == ["甲の実験", "乙の実験"]


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"one.md": "# 零\n\n文。\n"}, ["1.1 零", "1.2 二"]),
        ({"index.md": INDEX.replace("one\ntwo", "two\none")}, ["1.1 二", "1.2 一"]),
    ],
)
def test_each_page_is_written_anew_where_a_title_or_the_order_changes(tmp_path, change, first):
    assert listed(made(tmp_path).page("below"))["第1部 はじめ"] == ["1.1 一", "1.2 二"]
    assert listed(made(tmp_path, change).page("below"))["第1部 はじめ"] == first


def test_the_way_has_a_stop_for_each_page_it_names_and_says_which_it_lacks(tmp_path):
    way = "```{path}\none: 溜める: 2行で書けます。\nnowhere: 行けない: 何もない。\n```\n"
    pages = PAGES | {"index.md": INDEX.replace("# 本\n", f"# 本\n\n{way}")}
    used = ("myst_nb", "book.page.titles", "book.place", "book.place.door")
    built = build(tmp_path, pages, *used, settings=SETTINGS)
    assert built.code == 1
    assert "a stop has no page in a part of the book: nowhere" in built.messages
    (stop,) = built.page().select(".door-path a")
    assert (stop["href"], shown(stop)) == ("one.html", "1.1 溜める 2行で書けます。")
    assert [shown(link) for link in built.page().select(".door-rest a")] == ["二", "表"]
