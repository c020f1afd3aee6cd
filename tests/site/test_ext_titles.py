"""A title says what a page is called; below it stands what the page claims."""

from __future__ import annotations

import pytest
from sphinx_project import build

PARTS = ("myst_nb", "book.page.titles", "book.page.byline")
INDEX = "# 本\n\n「{doc}`lif`」を読む。\n\n```{toctree}\nlif\n```\n"
LIF = "---\narticle: だれか\n---\n# LIFモデル: 重なったときだけ応える\n\n文。\n"


def test_what_stands_behind_the_colon_is_said_below_the_title(tmp_path):
    built = build(tmp_path, {"index.md": INDEX, "lif.md": LIF}, *PARTS)
    assert built.code == 0, built.messages
    page = built.page("lif")
    heading = page.find("h1")
    assert heading.find(string=True) == "LIFモデル"
    subtitle, byline = heading.find_next_siblings("p")[:2]
    assert (subtitle["class"], subtitle.text) == (["subtitle"], "重なったときだけ応える")
    assert byline["class"] == ["byline"]
    assert page.title.text.startswith("LIFモデル: 重なったときだけ応える")


def test_a_page_is_named_by_its_short_title(tmp_path):
    built = build(tmp_path, {"index.md": INDEX, "lif.md": LIF}, *PARTS)
    links = built.page().select("[role=main] a[href='lif.html']")
    assert [link.text for link in links] == ["LIFモデル"] * 2


def test_a_title_without_a_colon_is_all_there_is(tmp_path):
    built = build(tmp_path, {"index.md": "# 題、そして「:」\n\n文。\n"}, *PARTS)
    assert built.page().find("h1").find(string=True) == "題、そして「:」"
    assert not built.page().select(".subtitle")


@pytest.mark.parametrize("title", ["新しい題: 主張", "新しい題"])
def test_the_addresses_of_titles_that_were_hold(tmp_path, title):
    page = f"---\nanchor: もっと古い題 古い題\n---\n# {title}\n\n## 節\n\n文。\n"
    built = build(tmp_path, {"index.md": page}, *PARTS)
    assert built.code == 0, built.messages
    heading = built.page().find("h1")
    for name in ["もっと古い題", "古い題"]:
        old = built.page().find(id=name)
        assert old.find_parent("section") == heading.find_parent("section")
