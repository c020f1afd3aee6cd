"""Writes all pages again after a build that ended while it wrote them.

Sphinx would keep a page of which half is there for as long as its source stays the same, and would
complain in every build that half a search index can't be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK = ".unfinished"
PAGE_BY_PAGE = {"html", "dirhtml"}  # the others, like an e-book, write everything each time


def setup(app: Sphinx) -> None:
    """Connect the hooks."""
    app.connect("builder-inited", _remove_halves)
    app.connect("write-started", _begin)
    app.connect("build-finished", _end)


def _remove_halves(app: Sphinx) -> None:
    """Remove what Sphinx writes in place, if the last build did not come to its end."""
    folder = Path(app.outdir)
    if (folder / MARK).exists():
        for file in [*folder.rglob("*.html"), folder / "searchindex.js"]:
            file.unlink(missing_ok=True)


def _begin(app: Sphinx, _: object) -> None:
    if app.builder.name in PAGE_BY_PAGE:
        Path(app.outdir, MARK).touch()


def _end(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        Path(app.outdir, MARK).unlink(missing_ok=True)
