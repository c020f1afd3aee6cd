"""Pages to take away: notebooks, scripts, and the whole book as an EPUB and a PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from book.files import bring

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up the parts, in this order."""
    return bring(app, __file__, "book.downloads.takeaway", "book.downloads.ebook")
