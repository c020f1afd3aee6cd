"""Writes a page as Markdown that needs nothing but Markdown: no role, no directive, no site.

It starts from the page as Sphinx has resolved it, so that a reference reads as on the site, a
figure has its number, and a listing is the code that runs. What has no form in Markdown is an
error: better than a page that silently lacks something.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

from book.formulas import lines_aligned
from book.nodes import around
from book.page.fold import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NOTHING = (
    nodes.Invisible,
    nodes.meta,
    nodes.target,
    addnodes.index,
    addnodes.toctree,
    nodes.colspec,
)
# Only what would be read as Markdown: an escape is noise in a script, where it is read as it is.
SPECIAL = re.compile(r"[\\`*<$]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])|\[(?=[^\]]*\]\()")
# Marks at the beginning of a paragraph that would make it something else.
LEADING = re.compile(r"^(?:(?=[#>+~-]|\[[^\]]*\]:)|\d+(?=[.)](?:\s|$)))")
FORMULA_OR_BAR = re.compile(r"(?<!\\)\$[^$]+\$|\|")
FENCES = {"ipython3": "python", "default": "", "none": ""}


class Unwritable(Exception):  # noqa: N818  # It says what cannot be, not that something broke.
    """Something in a page has no form in Markdown."""

    def __init__(self, node: nodes.Node) -> None:
        super().__init__(f"a {type(node).__name__} has no form in a downloaded page")
        self.node = node


def escaped(text: str) -> str:
    """Let a text be read as it is."""
    return SPECIAL.sub(r"\\\g<0>", text)


def quoted(text: str, prefix: str = "> ") -> str:
    """Begin every line of a block with a mark."""
    lines = (f"{prefix}{line}".rstrip() for line in text.split("\n"))
    return "\n".join(lines)


def fenced(text: str, language: str = "", mark: str = "`") -> str:
    """Put a fence around code, longer than any in it."""
    inside = max((len(run) for run in re.findall(f"{mark}+", text)), default=0)
    fence = mark * max(3, inside + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def literal(text: str) -> str:
    """Write code in a line of text."""
    inside = max((len(run) for run in re.findall("`+", text)), default=0)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{'`' * (inside + 1)}{space}{text}{space}{'`' * (inside + 1)}"


def shown_by(node: nodes.Node) -> str:
    """Say what a picture shows: of a drawing its description, since its text is its source."""
    return str(node.get("alt", "")) if isinstance(node, nodes.raw) else node.astext()


class Writer:
    """Writes the nodes of one page.

    ``number`` gives the words that number a node, "図3" or "(2)", and ``address`` the URL that a
    reference leads to, or nothing where it leads nowhere from outside the site.
    """

    def __init__(
        self,
        number: Callable[[str, nodes.Element], str],
        address: Callable[[nodes.reference], str],
    ) -> None:
        self.number, self.address = number, address

    def write(self, node: nodes.Node) -> str:
        """Write a node."""
        if isinstance(node, NOTHING):
            return ""
        for kind, write in self.KINDS.items():
            if isinstance(node, kind):
                return write(self, node)
        raise Unwritable(node)

    # ---- In a line ----

    def line(self, parent: nodes.Node) -> str:
        """Write what stands in one line: of a paragraph, a title, a cell of a table."""
        return "".join(map(self.write, parent.children))

    def text(self, node: nodes.Text) -> str:
        """Write text."""
        return escaped(" ".join(node.astext().splitlines()))

    def literal(self, node: nodes.literal) -> str:
        """Write code in a line of text."""
        return literal(node.astext())

    def math(self, node: nodes.math) -> str:
        """Write a formula."""
        return f"${node.astext().strip()}$"

    def marked(self, node: nodes.Element) -> str:
        """Write what is stressed."""
        mark = "**" if isinstance(node, nodes.strong) else "*"
        return f"{mark}{self.line(node)}{mark}"

    def reference(self, node: nodes.reference) -> str:
        """Write a link; the title of a page that it can't lead to stands in brackets, once."""
        text = self.line(node)
        if address := self.address(node):
            return f"[{text}]({address})"
        titles = any("doc" in part["classes"] for part in node.findall(nodes.inline))
        before = node.previous_sibling()
        in_brackets = before is not None and before.astext().endswith("「")
        return f"「{text}」" if titles and not in_brackets else text

    def drawing(self, node: nodes.raw) -> str:
        """Say what a drawing shows that stands in a line, unless it only adorns it."""
        if "alt" not in node:
            raise Unwritable(node)
        return f"（{escaped(node['alt'])}）" if node["alt"] else ""

    # ---- Blocks ----

    def blocks(self, found: Iterable[nodes.Node]) -> str:
        """Write blocks, with an empty line between them."""
        return "\n\n".join(filter(None, map(self.write, found)))

    def heading(self, node: nodes.title) -> str:
        """Write a title, as deep as its section lies."""
        depth = sum(isinstance(each, nodes.section) for each in around(node))
        return f"{'#' * max(1, depth)} {self.line(node)}"

    def paragraph(self, node: nodes.Element) -> str:
        """Write a paragraph. The parts of a byline stand apart by themselves on the site."""
        if "byline" in node["classes"]:
            return "　".join(self.line(part) for part in node.children)
        return LEADING.sub(r"\g<0>\\", self.line(node).strip())

    def caption(self, kind: str, node: nodes.Element, text: nodes.Node) -> str:
        """Write what stands under a figure, or over a table or a listing."""
        number = self.number(kind, node)
        return f"**{number}** {self.line(text)}" if number else self.line(text)

    def figure(self, node: nodes.Element) -> str:
        """Write a figure that no cell draws: in words, as what draws it says, and its caption."""
        *drawn, caption = node.children
        words = [escaped(shown_by(part)) for part in drawn]
        if not all(words):
            raise Unwritable(node)
        return "\n\n".join([*words, self.caption("figure", node, caption)])

    def code(self, node: nodes.Element) -> str:
        """Write code that is shown."""
        language = node.get("language", "")
        return fenced(node.astext(), FENCES.get(language, language))

    def container(self, node: nodes.Element) -> str:
        """Write a listing with its caption, or whatever else was put together."""
        if not node.get("literal_block"):
            return self.blocks(node.children)
        caption, *code = node.children
        return f"{self.caption('code-block', node, caption)}\n\n{self.blocks(code)}"

    def formula(self, node: nodes.Element) -> str:
        """Write a formula on a line of its own."""
        tex = node.astext().strip()
        tex = tex if tex.startswith(r"\begin") else lines_aligned(tex)
        number = self.number("displaymath", node).strip("()")
        return f"$$\n{tex}{f' {chr(92)}tag{{{number}}}' if number else ''}\n$$"

    def items(self, node: nodes.Element) -> str:
        """Write a list."""
        first = node.get("start", 1)
        numbered = isinstance(node, nodes.enumerated_list)
        written = []
        for i, item in enumerate(node.children):
            mark = f"{first + i}. " if numbered else "- "
            text = self.blocks(item.children)
            written.append(mark + textwrap.indent(text, " " * len(mark)).lstrip())
        # Items of one line each stand close together.
        return ("\n\n" if any("\n\n" in text for text in written) else "\n").join(written)

    def definitions(self, node: nodes.Element) -> str:
        """Write terms and what they mean, for which Jupyter has no form, as a list."""
        written = []
        for item in node.children:
            terms = "、".join(self.line(part) for part in item.findall(nodes.term))
            text = self.blocks(item.children[-1].children)
            written.append(f"- **{terms}**\n\n{textwrap.indent(text, '  ')}")
        return "\n\n".join(written)

    def admonition(self, node: nodes.Element) -> str:
        """Write a box as a quotation that begins with its title."""
        title, *rest = node.children
        if not isinstance(title, nodes.title):  # Descriptions of objects are of this kind too.
            raise Unwritable(node)
        return quoted(f"**{self.line(title)}**\n\n{self.blocks(rest)}")

    def table(self, node: nodes.Element) -> str:
        """Write a table. Without a head it has no form, nor have cells that span others."""
        if not any(node.findall(nodes.thead)):
            raise Unwritable(node)
        for entry in node.findall(nodes.entry):
            if entry.get("morecols") or entry.get("morerows"):
                raise Unwritable(entry)
        titles = [self.caption("table", node, title) for title in node.findall(nodes.title)]
        rows = [list(row.findall(nodes.entry)) for row in node.findall(nodes.row)]
        lines = [f"| {' | '.join(map(self.entry, row))} |" for row in rows]
        right = ["text-right" in cell["classes"] for cell in rows[-1]]
        lines.insert(1, f"|{'|'.join('---:' if flag else '---' for flag in right)}|")
        return "\n\n".join([*titles, "\n".join(lines)])

    def entry(self, node: nodes.Node) -> str:
        """Write a cell of a table: one line, whatever stands in it, and no bar of its own.

        Jupyter takes formulas out before it looks for bars.
        """
        written = "<br>".join(map(self.line, node.children))
        return FORMULA_OR_BAR.sub(
            lambda found: r"\|" if found[0] == "|" else found[0].replace("|", r"\vert "), written
        )

    def quotation(self, node: nodes.Element) -> str:
        """Write what somebody else said."""
        return quoted(self.blocks(node.children))

    def section(self, node: nodes.Element) -> str:
        """Write a section."""
        return self.blocks(node.children)

    def folded(self, node: fold) -> str:
        """Write what is folded: Jupyter and Colab fold it too."""
        title = escaped(node["title"])
        return f"<details><summary>{title}</summary>\n\n{self.blocks(node.children)}\n\n</details>"

    # The first that fits is taken.
    KINDS: dict[type, Callable[[Writer, Any], str]] = {  # noqa: RUF012
        nodes.Text: text,
        nodes.literal: literal,
        nodes.math: math,
        nodes.strong: marked,
        nodes.emphasis: marked,
        nodes.reference: reference,
        nodes.raw: drawing,
        nodes.inline: line,
        nodes.title: heading,
        nodes.Admonition: admonition,
        nodes.literal_block: code,
        nodes.figure: figure,
        nodes.math_block: formula,
        nodes.paragraph: paragraph,
        nodes.bullet_list: items,
        nodes.enumerated_list: items,
        nodes.definition_list: definitions,
        nodes.table: table,
        nodes.block_quote: quotation,
        nodes.section: section,
        nodes.container: container,
        nodes.compound: section,
        fold: folded,
    }


def is_cell(node: nodes.Node) -> bool:
    """Tell whether a node is a code cell with its outputs."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def parts(node: nodes.Element) -> Iterator[nodes.Node]:
    """Yield the blocks of a page in their order, out of their sections, and cells out of cells."""
    for child in node.children:
        if isinstance(child, nodes.section):
            yield from parts(child)
        else:
            cells = child.findall(nodes.container)
            yield from (cell for cell in cells if cell is not child and is_cell(cell))
            yield child
