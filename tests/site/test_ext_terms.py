"""The glossary is linked where a page uses a term first, and a reader may not know it."""

from __future__ import annotations

from sphinx_project import build

GLOSSARY = """# 用語集

::::{glossary}
発火
  出す。{term}`重み`。

重み
  数。{term}`発火`、{term}`発火`。
::::
"""
PAGE = "# 題\n\n{term}`重み`、{term}`発火`。\n\n{term}`出る<発火>`、{term}`発火`。\n"
TREE = "\n```{toctree}\nglossary\n```\n"


def test_a_term_is_linked_once_and_an_everyday_word_not_at_all(tmp_path):
    pages = {"index.md": PAGE + TREE, "glossary.md": GLOSSARY}
    settings = "terms_everyday = ['重み']\nmyst_enable_extensions = ['colon_fence']"
    built = build(tmp_path, pages, "myst_nb", "book.page.terms", settings=settings)
    assert built.code == 0, built.messages
    first, second = built.page().find("h1").find_next_siblings("p")[:2]
    assert [link["href"] for link in first.select("a")] == ["glossary.html#term-0"]
    assert (first.text, second.text) == ("重み、発火。", "出る、発火。")
    assert not second.select("a")
    # Entries of the glossary are read one at a time.
    assert len(built.page("glossary").select("dd a")) == 3
