"""Where a page stands in the book: its part, its number in it, and the pages around it.

The parts are the lists of pages (``toctree``) of the first page, by their captions. Pages of a part
whose caption begins with a number, 第1部, have numbers: 1.1, 1.2.

A page with ``kind: experiment`` in its front matter stands beside the road: no page leads on to it,
nor it to another, but back to its lesson, the first page that it links to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sphinx import addnodes
from sphinx.util import docname_join

if TYPE_CHECKING:
    from collections.abc import Iterable

    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

NUMBER = re.compile(r"第(\d+)部")
EXPERIMENT = "experiment"
LESSON = "lesson"
"""Where an experiment's is in what Sphinx keeps of a page."""


@dataclass(frozen=True)
class Chapter:
    """A page of a part. One without a number has none to be called by."""

    name: str
    number: str
    title: str


@dataclass(frozen=True)
class Part:
    """A part of the book."""

    title: str
    chapters: tuple[Chapter, ...]


def outline(env: BuildEnvironment) -> tuple[Part, ...]:
    """List the parts of the book, with their chapters."""
    return tuple(
        Part(tree["caption"] or "", tuple(chapters(env, tree)))
        for tree in env.tocs[env.config.root_doc].findall(addnodes.toctree)
        if tree["includefiles"]
    )


def chapters(env: BuildEnvironment, tree: addnodes.toctree) -> Iterable[Chapter]:
    """Yield the chapters of a part."""
    numbered = NUMBER.match(tree["caption"] or "")
    for place, name in enumerate(tree["includefiles"], 1):
        if name in env.titles:  # Else Sphinx has complained already.
            number = f"{numbered[1]}.{place}" if numbered else ""
            yield Chapter(name, number, env.titles[name].astext())


def changed(_app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
    """Have all pages written anew where what they say of each other has changed."""
    known = getattr(env, "book_outline", None)
    env.__dict__["book_outline"] = now = outline(env)
    return env.found_docs if known is not None and known != now else ()


def is_experiment(env: BuildEnvironment, docname: str) -> bool:
    """Tell whether a page is one."""
    return env.metadata[docname].get("kind") == EXPERIMENT


def find_lesson(app: Sphinx, doctree: nodes.document) -> None:
    """Keep which page an experiment links to first."""
    docname = app.env.current_document.docname
    if is_experiment(app.env, docname):
        links = (
            each for each in doctree.findall(addnodes.pending_xref) if each["reftype"] == "doc"
        )
        if link := next(links, None):
            app.env.metadata[docname][LESSON] = docname_join(docname, link["reftarget"])


def place(
    app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Tell templates of the parts, and where the page is in them."""
    parts = outline(app.env)
    relations = app.builder.relations  # type: ignore[attr-defined]
    trail = [pagename]  # The page, what it is a page of, and so on.
    while (above := relations.get(trail[-1], [None])[0]) and above != app.config.root_doc:
        trail.append(above)
    numbers = {page.name: page.number for part in parts for page in part.chapters}
    titles = app.env.titles
    context["book_parts"] = parts
    context["book_part"] = next(
        (part for part in parts if trail[-1] in {page.name for page in part.chapters}), None
    )
    context["book_trail"] = [
        Chapter(name, numbers.get(name, ""), titles[name].astext())
        for name in reversed(trail)
        if name in titles
    ]
    beside = is_experiment(app.env, pagename)
    lesson = app.env.metadata[pagename].get(LESSON)
    context["book_lesson"] = (
        Chapter(lesson, numbers.get(lesson, ""), titles[lesson].astext())
        if lesson in titles
        else None
    )
    for way, name in zip(("prev", "next"), relations.get(pagename, [None] * 3)[1:], strict=True):
        if beside or (name and is_experiment(app.env, name)):
            context[way] = None
        elif context.get(way):
            title = f"{marked(numbers.get(name, ''))}{context[way]['title']}"
            context[way] = {**context[way], "title": title}


def marked(number: str) -> str:
    """Write the number before a title."""
    return f'<span class="chapter-number">{number}</span> ' if number else ""


def setup(app: Sphinx) -> None:
    """Keep the outline, and tell each page."""
    app.add_css_file("chapters.css")
    app.add_js_file("chapters.js")
    app.connect("doctree-read", find_lesson, priority=600)  # The front matter is known by then.
    app.connect("env-updated", changed)
    app.connect("html-page-context", place)
