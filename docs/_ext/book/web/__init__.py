"""What browsers and other machines get around the text: head, scripts, one stylesheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from book.files import bring

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up the parts, in this order."""
    return bring(
        app, __file__, "book.web.head", "book.web.mends", "book.web.scripts", "book.web.stylesheet"
    )
