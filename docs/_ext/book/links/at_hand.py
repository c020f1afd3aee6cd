"""What a link stands for is in the page itself, for ``at_hand.js`` to show beside it.

A page may be opened as a file, from which nothing can be fetched. So what it links to on other
pages, terms of the glossary and formulas with a number, stands once at its end, in a ``template``
that is neither shown nor printed. What is on the page already is not repeated there, and a citation
carries the work in its ``title``.
"""

from __future__ import annotations

import hashlib
import html
import posixpath
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from book.formulas import render, tex_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

EXPLAINED = "explained"


def flat(node: nodes.Node) -> str:
    """Write what a node shows as HTML without links: nothing in it takes the focus."""
    if isinstance(node, nodes.math):
        return render(node.astext().strip(), display=False)
    if isinstance(node, nodes.Text):
        return html.escape(node.astext())
    inner = "".join(map(flat, node.children))
    return f"<code>{inner}</code>" if isinstance(node, nodes.literal) else inner


def terms(doctree: nodes.document) -> Iterator[tuple[str, str]]:
    """Yield the anchor of each term that a page explains, and its HTML."""
    for item in doctree.findall(nodes.definition_list_item):
        term, definition = item.children[0], item.children[-1]
        if isinstance(term, nodes.term) and term["ids"]:
            yield term["ids"][0], f"<p><b>{flat(term)}</b> {flat(definition)}</p>"


def formulas(doctree: nodes.document) -> Iterator[tuple[str, str]]:
    """Yield the anchor of each formula that has a number, and its HTML."""
    for formula in doctree.findall(nodes.math_block):
        if formula["number"]:
            yield formula["ids"][0], f"<p>{render(tex_of(formula).strip(), display=True)}</p>"


def linked(doctree: nodes.document, pagename: str) -> Iterator[tuple[str, str, str]]:
    """Yield a page's links to terms and formulas of others: as written, the page, the anchor."""
    seen = set()
    for link in doctree.findall(nodes.reference):
        address, _, anchor = link.get("refuri", "").partition("#")
        if address and anchor.startswith(("term-", "equation-")) and link["refuri"] not in seen:
            seen.add(link["refuri"])
            page = posixpath.normpath(posixpath.join(posixpath.dirname(pagename), address))
            yield link["refuri"], page.removesuffix(".html"), anchor


def add(
    of_page: Callable[[str], dict[str, str]],
    app: Sphinx,
    pagename: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Put what a page links to on others at its end."""
    if app.builder.name != "html" or doctree is None:
        return
    found = (
        f'<div data-of="{html.escape(address)}">{text}</div>'
        for address, page, anchor in linked(doctree, pagename)
        if (text := of_page(page).get(anchor))
    )
    if texts := "\n".join(found):
        context["body"] += f'<template id="at-hand">\n{texts}\n</template>\n'


def begin(app: Sphinx) -> None:
    """Have each page get it when the fonts have been chosen that it shows at once."""

    @cache
    def of_page(docname: str) -> dict[str, str]:
        doctree = app.env.get_doctree(docname)
        if any(doctree.findall(addnodes.glossary)):  # Its definitions link to pages by title.
            doctree = app.env.get_and_resolve_doctree(docname, app.builder)
        return {**dict(formulas(doctree)), **dict(terms(doctree))}

    app.connect("html-page-context", partial(add, of_page), priority=800)


def note(app: Sphinx, doctree: nodes.document) -> None:
    """Note what a page explains that was read."""
    parts = (*doctree.findall(nodes.definition_list_item), *doctree.findall(nodes.math_block))
    text = "\0".join(part.astext() for part in parts)
    digest = hashlib.sha256(text.encode()).hexdigest()
    app.env.metadata[app.env.current_document.docname][EXPLAINED] = digest


def changed(_app: Sphinx, env: BuildEnvironment) -> Iterable[str]:
    """Have all pages written anew if one of them explains something else."""
    known = getattr(env, "book_explained", None)
    now = {docname: data.get(EXPLAINED) for docname, data in env.metadata.items()}
    env.__dict__["book_explained"] = now
    return env.found_docs if known is not None and known != now else ()


def setup(app: Sphinx) -> None:
    """Bring the script and its style, and begin with the build."""
    app.add_css_file("at_hand.css")
    app.add_js_file("at_hand.js")
    app.connect("builder-inited", begin)
    app.connect("doctree-read", note)
    app.connect("env-updated", changed)
