"""Runs the code cells of a MyST-NB book and checks what they print against the page.

Three doors lead to the same rooms:

* Sphinx: ``extensions = ["myst_nb", "snn_docs.book"]`` in ``conf.py``
* pytest: ``-p snn_docs.book.pytest_plugin``, one test per code cell
* command line: ``python -m snn_docs.book check|accept [PATHS]``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the Sphinx door."""
    # Imported here, so that pytest and the command line do without Sphinx.
    from snn_docs.book import sphinx  # noqa: PLC0415

    return sphinx.setup(app)
