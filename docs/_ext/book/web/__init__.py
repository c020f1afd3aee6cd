"""What browsers and other machines get around the text: head, scripts, one stylesheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from book.files import bring

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up the parts, in this order."""
    parts = ("fonts", "head", "mends", "scripts", "stylesheet")
    return bring(app, __file__, *(f"book.web.{part}" for part in parts))
