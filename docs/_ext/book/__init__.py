"""What the book does beyond Sphinx, MyST-NB and the theme: one extension, of many parts.

Each feature has a folder, with its modules and, in ``static`` and ``templates``, the files that it
brings to the site.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

PARTS = (
    # What a page is made of: its title, byline, figures, listings, citations, and Japanese.
    "page.japanese",
    "page.phrases",
    "page.titles",
    "page.terms",
    "page.ending",
    "page.fold",
    "page.byline",
    "page.citations",
    "page.claims",
    "page.figures",
    "place",
    "place.door",
    "formulas",
    "interactive",
    # Names in code lead to what documents them and back; what a link stands for is at hand.
    "links.backlinks",
    "links.codelinks",
    "links.at_hand",
    "search",
    # What browsers and other machines get around the text: head, scripts, one stylesheet.
    "web.fonts",
    "web.head",
    "web.mends",
    "web.scripts",
    "web.stylesheet",
    # Pages to take away: notebooks, scripts, and the whole book as an EPUB and a PDF.
    "downloads.takeaway",
    "downloads.ebook",
)
"""The modules that have a ``setup``, in the order in which they are set up."""


def add_folders(_app: Sphinx, config: Config) -> None:
    """Use what the features bring.

    A template of a feature comes before the theme's of the same name, and after the book's own.
    """
    here = Path(__file__).parent
    config.html_static_path = [*config.html_static_path, *map(str, sorted(here.glob("*/static")))]
    config.templates_path = [*config.templates_path, *map(str, sorted(here.glob("*/templates")))]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Set up all parts."""
    app.connect("config-inited", add_folders)
    for part in PARTS:
        import_module(f"book.{part}").setup(app)
    # A higher env_version has every page read anew: needed when what is kept of one is another.
    return {"env_version": 4, "parallel_read_safe": True, "parallel_write_safe": True}
