"""Mends of HTML that Sphinx and docutils write: not valid, or not to be understood by a listener.

A test builds each fault without the mend. Once it finds none, the mend can go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# The parameters of a long signature, a line for each: a list without terms, within a term.
SIGNATURE = re.compile(r"<dl>\n((?:<dd>.*</dd>\n)+)</dl>")
# The objects in a listing of code: blocks, one in another, within what holds text alone.
LISTING = re.compile(r'<pre>(?:(?!</pre>).)*?<div class="viewcode-block".*?</pre>', re.DOTALL)


def as_lines(match: re.Match[str]) -> str:
    """Write parameters as lines of text."""
    lines = match[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
    return f'<span class="sig-lines">{lines}</span>'


def as_text(match: re.Match[str]) -> str:
    """Write the objects of a listing, which has no other blocks, as stretches of text."""
    return match[0].replace("<div ", "<span ").replace("</div>", "</span>")


def mend(body: str) -> str:
    """Mend the body of a page."""
    body = SIGNATURE.sub(as_lines, body)
    body = LISTING.sub(as_text, body)
    # An entry of a bibliography has a role that is given up, and that a list may not have in it.
    return body.replace('role="doc-biblioentry"', 'role="listitem"')


def mend_page(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Mend a page before it is written."""
    if "body" in context:
        context["body"] = mend(context["body"])


def setup(app: Sphinx) -> None:
    """Mend each page."""
    app.connect("html-page-context", mend_page)
