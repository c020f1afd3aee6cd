"""From source back to the documentation, by whichever name an object is documented."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from sphinx_project import build

if TYPE_CHECKING:
    from pathlib import Path

TILL = '''
def buy():
    """Buy."""


def pay():
    """Pay."""


class Till:
    """A till, whose name in its own module Sphinx knows too."""

    @property
    def sum(self):
        """What is in it."""
'''
NAMES = ["shop.buy", "shop.till.pay", "shop.Till"]


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1]], ids=lambda names: names[0])
def test_each_link_leads_to_the_name_that_is_documented(tmp_path: Path, monkeypatch, names):
    package = tmp_path / "package" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from shop.till import Till, buy\n", encoding="utf-8")
    (package / "till.py").write_text(TILL, encoding="utf-8")
    monkeypatch.syspath_prepend(package.parent)
    for name in ("shop", "shop.till"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    kinds = {"shop.Till": "autoclass"}
    entries = [f".. {kinds.get(name, 'autofunction')}:: {name}\n" for name in names]
    page = "# 題\n\n```{eval-rst}\n" + "\n".join(entries) + "```\n"
    built = build(
        tmp_path, {"index.md": page}, "myst_nb", "sphinx.ext.autodoc", "book.links.backlinks"
    )
    assert built.code == 0, built.messages
    links = built.page("_modules/shop/till").select("a.viewcode-back")
    assert {link["href"].partition("#")[2] for link in links} == set(names)


def test_a_property_has_its_source_and_what_is_written_by_hand_needs_none(tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "till_alone.py").write_text(TILL, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "package")
    names = "autoproperty:: till_alone.Till.sum", "py:function:: lend()", "py:function:: no.such()"
    entries = "\n".join(f".. {name}\n" for name in names)
    page = f"# 題\n\n```{{eval-rst}}\n{entries}```\n"
    built = build(
        tmp_path, {"index.md": page}, "myst_nb", "sphinx.ext.autodoc", "book.links.backlinks"
    )
    assert built.code == 0, built.messages
    (link,) = built.page().select("a:has(.viewcode-link)")
    assert link["href"] == "_modules/till_alone.html#Till.sum"
