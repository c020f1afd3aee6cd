"""How a page ends: its one sentence, the next chapter, and all else that leads on in a small foot.

Sections keep their headings and addresses; ``ending.css`` sets them by their classes. On the site,
what a page says of the next one, 次の「…」では、, stands in the link that leads there, which comes
before the foot. The contents beside a page name none of them.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bs4 import BeautifulSoup
from docutils import nodes

from book.page.figures import inline_svg

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTIONS = {"まとめ": "book-summary", "もっと深く": "book-foot", "参考文献": "book-foot"}
BEFORE = re.compile(r"\s*次の「$")
AFTER = re.compile(r"^」では、")
FOOT = '<section class="book-foot"'
UNLISTED = re.compile(r"練習\d|まとめ|もっと深く|参考文献")
THUMBNAIL = "_figures/chapters/{}.svg"


def mark_sections(_app: Sphinx, doctree: nodes.document) -> None:
    """Give the sections at the end their classes."""
    for section in doctree.findall(nodes.section):
        title = section.next_node(nodes.title)
        if title is not None and title.astext() in SECTIONS and title.parent is section:
            section["classes"].append(SECTIONS[title.astext()])


def is_summary(node: nodes.Node) -> bool:
    """Tell whether a node is the section with the one sentence."""
    return isinstance(node, nodes.section) and "book-summary" in node["classes"]


def take_next(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take what is said of the next page out of the text, for the link."""
    if app.builder.name != "html":
        return
    relations = app.builder.relations  # type: ignore[attr-defined]
    following = relations.get(docname, [None] * 3)[2]
    for section in doctree.findall(is_summary):
        for paragraph in section.findall(nodes.paragraph):
            link = paragraph.next_node(nodes.reference)
            if link is None or following is None or link.parent is not paragraph:
                continue
            uri = app.builder.get_relative_uri(docname, following)
            if link.get("refuri") == uri and (said := taken(paragraph, link)):
                doctree["next"] = said
                if not paragraph.children:
                    paragraph.parent.remove(paragraph)
                return


def taken(paragraph: nodes.paragraph, link: nodes.reference) -> str:
    """Take the sentences about a page out of a paragraph that ends with them."""
    at = paragraph.index(link)
    before = paragraph[at - 1] if at else None
    said = "".join(node.astext() for node in paragraph[at + 1 :])
    if not isinstance(before, nodes.Text) or not BEFORE.search(before) or not AFTER.match(said):
        return ""
    kept = BEFORE.sub("", before)
    paragraph[at - 1 :] = [nodes.Text(kept)] if kept else []
    return AFTER.sub("", said)


def tell_next(
    app: Sphinx,
    page: str,
    _template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Say it in the link, beside the picture of the chapter."""
    following = app.builder.relations.get(page, [None] * 3)[2]  # type: ignore[attr-defined]
    picture = Path(app.srcdir, THUMBNAIL.format(following))
    context["next_picture"] = thumbnail(picture) if picture.is_file() else ""
    if doctree is not None and doctree.get("next") and context.get("next"):
        about = f'<span class="next-about">{escape(doctree["next"])}</span>'
        context["next"] = {**context["next"], "title": context["next"]["title"] + about}


def thumbnail(file: Path) -> str:
    """Return a drawing that says nothing to who does not see it."""
    svg = inline_svg(file.read_bytes(), prefix=file.stem, alt="", drawn=True)
    return svg.replace(' role="img" aria-label=""', ' aria-hidden="true"')


def lead_on(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Give ``page.html`` the foot by itself."""
    if app.builder.name != "html" or "body" not in context:
        return
    body = context["body"]
    foot = body.find(FOOT)
    end = body.rfind("</section>")
    if 0 <= foot < end:
        context |= {"body": body[:foot] + body[end:], "book_foot": body[foot:end]}


def shorten_contents(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Take what all chapters end with out of the contents beside a page."""
    if app.builder.name != "html" or not context.get("toc"):
        return
    contents = BeautifulSoup(context["toc"], "html.parser")
    for link in contents("a"):
        if UNLISTED.match(link.text) and (item := link.find_parent("li")):
            item.decompose()
    for empty in [each for each in contents("ul") if not each("li")]:
        empty.decompose()
    context["toc"] = str(contents)


def setup(app: Sphinx) -> None:
    """Mark the sections once a page is read, and fill in the link once its references are."""
    app.add_css_file("ending.css")
    app.connect("doctree-read", mark_sections)
    app.connect("doctree-resolved", take_next)
    app.connect("html-page-context", shorten_contents, priority=100)  # Before the theme asks.
    app.connect("html-page-context", tell_next, priority=600)  # After its number is there.
    app.connect("html-page-context", lead_on, priority=950)  # Once nobody changes it any more.
