"""Names in code lead to what documents them and back; what a link stands for is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from book.files import bring

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up the parts, in this order."""
    return bring(
        app, __file__, "book.links.backlinks", "book.links.codelinks", "book.links.at_hand"
    )
