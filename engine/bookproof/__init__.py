"""Runs the code cells of a MyST-NB book and checks what they print against the page.

Three entry points lead to the same modules:

* Sphinx: ``extensions = ["myst_nb", "bookproof"]`` in ``conf.py``
* pytest: ``-p bookproof.pytest_plugin``, one test per code cell
* command line: ``python -m bookproof check|accept [PATHS]``
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

__all__ = ["setup"]
__version__ = "0.1.0"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the Sphinx extension."""
    # Imported here, so that pytest and the command line do without Sphinx.
    from bookproof.extension import build  # noqa: PLC0415

    return build.setup(app)
