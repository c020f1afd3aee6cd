"""A wrong output is one failure, its cell's: the rest of the site is looked at all the same."""

from __future__ import annotations

from sphinx_project import CELLS, EXTENSIONS, build

WRONG = f"""{CELLS}
# 題

```{{code-cell}}
print("膜電位", 1 / 3)
```

```{{testoutput}}
膜電位 0.3

  字下げ
```

```{{code-cell}}
1 / 0
```
"""
SETTINGS = "book_modules = []\n"
FOOT = f"templates_path = [{str(EXTENSIONS / 'page' / 'templates')!r}, '.']\n"
LAYOUT = (
    '{% extends "!layout.html" %}{% block document %}{{ super() }}{% include "checked.html" %}'
    "{% endblock %}"
)


def test_a_build_complains_of_nothing_but_its_cells(tmp_path):
    built = build(tmp_path, {"index.md": WRONG}, "myst_nb", "bookproof", settings=SETTINGS)
    assert built.code == 1
    assert built.messages.count(": ERROR: ") == 2
    assert built.complaints == []


def test_whatever_else_a_build_complains_of_is_seen_beside_them(tmp_path):
    pages = {"index.md": WRONG, "alone.md": "# 別\n\n{doc}`missing`\n"}
    built = build(tmp_path, pages, "myst_nb", "bookproof", settings=SETTINGS)
    assert [told.split(": ")[1] for told in built.complaints] == ["WARNING", "WARNING"]
    assert "missing" in "".join(built.complaints)
    assert "toctree" in "".join(built.complaints)


def test_the_foot_leads_to_the_cells_that_differ(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "layout.html").write_text(LAYOUT, encoding="utf-8")
    settings = SETTINGS + FOOT
    page = build(tmp_path, {"index.md": WRONG}, "myst_nb", "bookproof", settings=settings).page()
    foot = page.select_one(".book-unlike")
    assert "このページの2か所が" in foot.text
    for link in foot.select("a"):
        assert "book-differs" in page.select_one(link["href"])["class"]
    assert not page.select("[role=alert]")
