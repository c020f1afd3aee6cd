"""``bibtex_default_style = "author_year"``: the list of works has the labels of the text.

The styles that pybtex brings number the works, by numbers that stand nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybtex.backends.plaintext import Backend as PlainText
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from sphinx.addnodes import pending_xref
from sphinxcontrib.bibtex.nodes import bibliography
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docutils import nodes
    from pybtex.database import Entry
    from sphinx.application import Sphinx

CITED = AuthorYearReferenceStyle()


def label(entry: Entry) -> str:
    """Return names and year: ``Zenke and Vogels, 2021``."""
    names = CITED.person.author_or_editor_or_title(full=False)
    written = names.format_data({"entry": entry, "style": CITED})
    return f"{written}, {entry.fields['year']}"


class Labels(BaseLabelStyle):  # type: ignore[misc]
    """A label for each work. That two have the same is an error of the build."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        """Yield the labels."""
        return map(label, sorted_entries)


class Sorting(BaseSortingStyle):  # type: ignore[misc]
    """By what a reader sees: of the same names, the earlier year comes first.

    The plain style sorts by all authors, whom a label does not name.
    """

    def sorting_key(self, entry: Entry) -> str:
        """Return what the works are sorted by."""
        return label(entry).casefold()


class AuthorYear(Style):  # type: ignore[misc]
    """The plain style, with those labels, in their order."""

    default_label_style = Labels
    default_sorting_style = Sorting


def leave_out_anchors(_app: Sphinx, doctree: nodes.document) -> None:
    """Take the anchors from citations where no list of works leads back to them.

    They are counted anew in each ``{eval-rst}``, so that a page of docstrings has each many times.
    """
    if not any(doctree.findall(bibliography)):
        for node in doctree.findall(pending_xref):
            if node["refdomain"] == "cite":
                node["ids"] = []


def setup(app: Sphinx) -> None:
    """Make the style known, and mend each page."""
    app.add_css_file("works.css")
    app.connect("doctree-read", leave_out_anchors)
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    # It is asked for anew for each citation, and searched for among all installed packages: 10 ms.
    register_plugin("pybtex.backends", "plaintext", PlainText, force=True)
