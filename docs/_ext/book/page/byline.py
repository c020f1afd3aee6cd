"""What a blog prints under its title: whose article this was, its date, and the reading time.

In a part of the book with numbers, the time stands beside the book's mark, a spike for each chapter
of the part: 第2部 3/9・15分.

``article`` in a page's front matter names the article that the page grew from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

from book.page.fold import fold
from book.place import outline

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# As who reads carefully counts: 400 characters of Japanese prose a minute.
CHARACTERS_A_MINUTE = 400
# Code is followed step by step, not skimmed: five seconds a line.
CODE_LINES_A_MINUTE = 12
# A picture is looked at, and its caption with it.
MINUTES_A_PICTURE = 1
# Below a minute and a half, the line would be longer news than the page.
LEAST_MINUTES = 1.5
# Looked up, not read through: descriptions of an API, a glossary, what is folded. Outputs are
# glanced at.
NOT_READ = (fold, addnodes.desc, addnodes.glossary, nodes.comment, nodes.raw, addnodes.toctree)
LOOKED_UP = (addnodes.desc, addnodes.toctree)


def reading_minutes(node: nodes.Node) -> float:
    """Estimate how long a node takes to read."""
    if isinstance(node, NOT_READ):
        return 0
    if isinstance(node, nodes.Text):
        return len("".join(node.astext().split())) / CHARACTERS_A_MINUTE
    if isinstance(node, nodes.Element) and node.get("nb_element"):
        return cell_minutes(node)
    if isinstance(node, nodes.figure):
        return MINUTES_A_PICTURE
    if isinstance(node, nodes.literal_block):
        lines = [line for line in node.astext().splitlines() if line.strip()]
        return len(lines) / CODE_LINES_A_MINUTE
    return sum(reading_minutes(child) for child in node.children)


def cell_minutes(cell: nodes.Element) -> float:
    """Estimate how long a cell takes: what of it is in sight, its code and its picture."""
    hidden = cell.get("hide_mode", "")
    minutes = 0.0
    for part in cell.children if hidden != "all" else ():
        kind = part.get("nb_element") if isinstance(part, nodes.Element) else None
        if kind == "cell_code_source" and "input" not in hidden:
            minutes += sum(map(reading_minutes, part.children))
        elif kind == "cell_code_output" and "output" not in hidden:
            minutes += MINUTES_A_PICTURE * any(part.findall(nodes.image))
    return minutes


def add_byline(app: Sphinx, doctree: nodes.document) -> None:
    """Insert the line under the page's title."""
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None:
        return
    metadata = app.env.metadata[app.env.current_document.docname]
    origin = f"原記事: {metadata['article']}" if "article" in metadata else ""
    spans = [nodes.inline("", origin)] if origin else []
    # Nor is what only leads on to pages.
    looked_up = any(isinstance(node, LOOKED_UP) for node in doctree.findall())
    if not looked_up and (minutes := reading_minutes(doctree)) >= LEAST_MINUTES:
        whole = round(minutes)
        spans.append(nodes.inline("", f"読了時間 約{whole}分", minutes=whole))
    if spans:
        below = title.next_node(nodes.paragraph, descend=False, siblings=True)
        claimed = below is not None and "subtitle" in below["classes"]
        title.parent.insert(
            2 if claimed else 1, nodes.paragraph("", "", *spans, classes=["byline"])
        )


def add_mark(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Say where in its part the chapter is, beside the time that it takes."""
    if app.builder.name != "html":
        return
    for span in [each for each in doctree.findall(nodes.inline) if "minutes" in each]:
        for part in outline(app.env):
            names = [chapter.name for chapter in part.chapters if chapter.number]
            if docname in names:
                place = names.index(docname)
                where = f"{part.title.partition(' ')[0]} {place + 1}/{len(names)}"
                span[:] = [
                    nodes.raw("", train(place, len(names)), format="html", alt=""),
                    nodes.Text(f"{where}・{span['minutes']}分"),
                ]


def train(now: int, count: int) -> str:
    """Draw a spike for each chapter, and the present one tall."""
    low, tall = '<path d="M{} 9V19"/>', '<path class="spike" stroke-width="3" d="M{} 1V19"/>'
    paths = ((tall if n == now else low).format(8 * n + 4) for n in range(count))
    box = f'class="train" viewBox="0 0 {8 * count} 20" stroke="currentColor" aria-hidden="true"'
    return f"<svg {box}>{''.join(paths)}</svg>"


def setup(app: Sphinx) -> None:
    """Add the byline once the page's metadata has been collected."""
    app.connect("doctree-read", add_byline, priority=600)
    app.connect("doctree-resolved", add_mark)
