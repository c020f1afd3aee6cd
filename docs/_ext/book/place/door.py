"""``{path}``: the way through the book on its first page, and by part what lies beside it.

A line for each stop: the page, what is done there, and a promise. Its picture is
``_figures/chapters/PAGE.svg``. Pages without a stop follow by part, the experiments aside, which
one page lists.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from book.page.ending import thumbnail
from book.place import is_experiment, outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

    from book.place import Chapter

logger = logging.getLogger(__name__)


class path(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the list until all pages are read."""


class Way(SphinxDirective):
    """The stops."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Leave a mark with them."""
        stops = [line.split(": ") for line in self.content]
        if any(len(stop) != len(("page", "title", "promise")) for stop in stops):
            raise self.error("a stop is “page: title: promise”")
        mark = path(stops=stops)
        self.set_source_info(mark)
        return [mark]


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Write the list where the mark is."""
    for mark in list(doctree.findall(path)):
        pages = {page.name: page for part in outline(app.env) for page in part.chapters}
        known = [stop for stop in mark["stops"] if stop[0] in pages]
        if lost := ", ".join(name for name, *_ in mark["stops"] if name not in pages):
            logger.warning("a stop has no page in a part of the book: %s", lost, location=mark)
        stops = (stop(app, docname, pages[name], *promised) for name, *promised in known)
        way = nodes.bullet_list("", *stops, classes=["door-path"])
        mark.replace_self([way, *beside(app, docname, {name for name, *_ in known})])


def stop(app: Sphinx, docname: str, page: Chapter, title: str, promise: str) -> nodes.list_item:
    """Write a stop: all of it is one link."""
    link = nodes.reference(
        "",
        "",
        nodes.emphasis("", page.number),
        nodes.Text(" "),
        nodes.strong("", title),
        nodes.Text(" "),
        nodes.inline("", promise),
        internal=True,
        refuri=app.builder.get_relative_uri(docname, page.name),
    )
    picture = Path(app.srcdir, "_figures", "chapters", f"{page.name}.svg")
    if app.builder.name == "html" and picture.is_file():
        link.insert(0, nodes.raw("", thumbnail(picture), format="html", alt=""))
    return nodes.list_item("", nodes.paragraph("", "", link))


def beside(app: Sphinx, docname: str, seen: set[str]) -> Iterator[nodes.definition_list]:
    """List by part the pages that are no stop."""
    rows = []
    for part in outline(app.env):
        names = [each.name for each in part.chapters if each.name not in seen]
        links = [
            nodes.reference(
                "",
                app.env.titles[name].astext(),
                internal=True,
                refuri=app.builder.get_relative_uri(docname, name),
            )
            for name in names
            if not is_experiment(app.env, name)
        ]
        if links:
            spaced = [each for link in links for each in (link, nodes.Text(" "))]
            row = nodes.definition("", nodes.paragraph("", "", *spaced))
            title = part.title.partition(" ")[2] or part.title
            rows.append(nodes.definition_list_item("", nodes.term("", title), row))
    if rows:
        yield nodes.definition_list("", *rows, classes=["door-rest"])


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_node(path)
    app.add_directive("path", Way)
    app.add_css_file("door.css")
    app.connect("doctree-resolved", fill_in)
