"""A page loads the scripts that do something on it, and none before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sphinx_project import EXTENSIONS, build, opening

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

STATIC = EXTENSIONS / "web" / "static"
SETTINGS = f"html_static_path = [{str(STATIC)!r}]\nhtml_js_files = ['late.js']\n"


def loaded(page: BeautifulSoup) -> dict[str, Tag]:
    found = {Path(urlsplit(script["src"]).path).name: script for script in page.select("[src]")}
    return {name: script for name, script in found.items() if script.name == "script"}


def test_sphinxs_own_are_left_out_and_the_others_wait(tmp_path):
    pages = {"index.md": "# 題\n"}
    stock = set(loaded(build(tmp_path, pages, "myst_nb", settings=SETTINGS).page()))
    built = build(tmp_path, pages, "myst_nb", "book.web.scripts", settings=SETTINGS)
    assert built.code == 0, built.messages
    unused = {"doctools.js", "sphinx_highlight.js", "translations.js"}
    assert unused <= stock
    scripts = loaded(built.page())
    assert set(scripts) == stock - unused | {"page.js"}
    assert "late.js" in scripts
    assert not [name for name, script in scripts.items() if not script.has_attr("defer")]


def test_no_page_of_the_site_waits_for_a_script(built_site):
    for path in built_site.rglob("*.html"):
        scripts = loaded(opening(path, "script"))
        assert "page.js" in scripts, path
        assert "sphinx-book-theme.js" not in scripts, path
        assert not [
            name
            for name, script in scripts.items()
            if not script.has_attr("defer") and script.get("type") != "module"
        ], path
