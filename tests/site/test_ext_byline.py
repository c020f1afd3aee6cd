"""Under the title: whose article it was, its date, how long it takes to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from book.page import byline
from book.page.fold import fold
from docutils import nodes
from sphinx import addnodes
from sphinx_project import Built, build

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "本文です。" * 200


def made(folder: Path, pages: dict[str, str]) -> Built:
    built = build(folder, pages, "myst_nb", "book.page.byline")
    assert built.code == 0, built.messages
    return built


def paragraph(characters: int) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.Text("あ" * characters))


def test_prose_takes_a_minute_for_400_characters():
    assert byline.reading_minutes(paragraph(400)) == 1


def test_code_takes_a_minute_for_12_lines_that_are_not_blank():
    assert byline.reading_minutes(nodes.literal_block("", "x = 1\n\n" * 12)) == 1


CODE = nodes.container("", nodes.literal_block("", "x = 1\n" * 12), nb_element="cell_code_source")
DRAWN = nodes.container("", nodes.image(), nodes.image(), nb_element="cell_code_output")


@pytest.mark.parametrize(
    ("hidden", "minutes"), [("", 2), ("input", 1), ("output", 1), ("input+output", 0), ("all", 0)]
)
def test_of_a_cell_counts_what_is_in_sight(hidden, minutes):
    parts = [CODE.deepcopy(), DRAWN.deepcopy()]
    cell = nodes.container("", *parts, nb_element="cell_code", hide_mode=hidden)
    assert byline.reading_minutes(cell) == minutes


def test_a_figure_takes_a_minute():
    caption = nodes.caption("", "見る。")
    assert byline.reading_minutes(nodes.section("", nodes.figure("", caption))) == 1


@pytest.mark.parametrize(
    "skipped",
    [
        addnodes.desc("", paragraph(500)),
        addnodes.glossary("", paragraph(500)),
        nodes.container("", paragraph(500), nb_element="cell_code_output"),
        fold("", paragraph(500)),
    ],
)
def test_what_is_looked_up_takes_no_time(skipped):
    assert byline.reading_minutes(nodes.section("", skipped, paragraph(200))) == 0.5


def test_byline_stands_under_the_title_once(tmp_path):
    page = f"---\narticle: chizuchizu、2022年9月3日\n---\n# 題\n\n{TEXT}\n"
    built = made(tmp_path, {"index.md": page})
    line = built.page().find("h1").find_next_sibling()
    assert line["class"] == ["byline"]
    assert list(line.stripped_strings) == ["原記事: chizuchizu、2022年9月3日", "読了時間 約3分"]
    assert built.html().count("chizuchizu") == 1


def test_short_page_without_an_author_has_no_byline(tmp_path):
    built = made(tmp_path, {"index.md": "# 題\n\n短い。\n"})
    assert "byline" not in built.html()


def test_a_page_that_is_looked_up_has_no_reading_time(tmp_path):
    page = f"# 題\n\n{TEXT}\n\n```{{py:function}} f(x)\n値。\n```\n"
    built = made(tmp_path, {"index.md": page})
    assert "byline" not in built.html()


def test_a_page_that_leads_to_others_has_no_reading_time(tmp_path):
    page = f"# 題\n\n{TEXT}\n\n```{{toctree}}\nother\n```\n"
    pages = {"index.md": page, "other.md": f"# 別\n\n{TEXT}\n"}
    built = made(tmp_path, pages)
    assert ["byline" in built.html(name) for name in ("index", "other")] == [False, True]


def test_a_chapter_of_a_part_has_a_spike_for_each_and_a_tall_one(tmp_path):
    tree = "# 本\n\n```{toctree}\n:caption: 第2部 続き\n\none\ntwo\nthree\n```\n"
    pages = {name: f"# {name}\n\n{TEXT}\n" for name in ("one.md", "two.md", "three.md")}
    built = made(tmp_path, {"index.md": tree, **pages})
    line = built.page("two").select_one(".byline")
    assert line.text.startswith("第2部 2/3・")
    assert [path.get("class") for path in line.select("svg path")] == [None, ["spike"], None]
