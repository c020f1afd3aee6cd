"""What a page is made of: its title, byline, figures, listings, citations, and Japanese."""

from __future__ import annotations

from typing import TYPE_CHECKING

from book.files import bring

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up the parts, in this order."""
    return bring(
        app,
        __file__,
        "book.page.japanese",
        "book.page.phrases",
        "book.page.titles",
        "book.page.terms",
        "book.page.ending",
        "book.page.byline",
        "book.page.citations",
        "book.page.claims",
        "book.page.figures",
        "book.page.listing",
    )
