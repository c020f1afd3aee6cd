"""A page's claim, and what could have refuted it: ``{claim}`` on the page, ``{claims}`` for all.

Each number with a decimal point must be one that a cell of the page prints, or one of a record
that the page reads: else it would stay when the output moves.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)

PARTS = {
    "control": "反証になりえた実験",
    "opponent": "いちばん強い相手",
    "seeds": "くり返し",
    "limit": "成り立たないところ",
}
KEPT = "claims"
"""Where a page's are in what Sphinx keeps of it, and forgets with it."""
NUMBER = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])", re.ASCII)
OUTPUT = re.compile(r"^(`{3,}|~{3,})\{testoutput\}.*?^\1", re.MULTILINE | re.DOTALL)
RECORD = re.compile(r"[\w/.]*\w\.json")


class claims(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the list until all pages are read."""


class Claim(SphinxDirective):
    """A claim; each option says one thing that could have refuted it."""

    has_content = True
    option_spec = dict.fromkeys(PARTS, directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Return a folded box, and keep what is in it for the list."""
        if missing := [name for name in PARTS if name not in self.options]:
            raise self.error(f"a claim needs {', '.join(f'`:{name}:`' for name in missing)}")
        self._check_numbers()
        rows = [
            nodes.paragraph("", "", nodes.strong("", "", *self._inline("\n".join(self.content))))
        ]
        for name, label in PARTS.items():
            term = nodes.strong("", f"{label}: ", classes=["claim-part"])
            rows.append(nodes.paragraph("", "", term, *self._inline(self.options[name])))
        kept = self.env.metadata[self.env.docname].setdefault(KEPT, [])
        kept.extend(row.deepcopy() for row in rows)
        title = nodes.title("", "主張と反証")
        return [nodes.admonition("", title, *rows, classes=["claim", "dropdown"])]

    def _inline(self, text: str) -> list[nodes.Node]:
        found, messages = self.parse_inline(text, lineno=self.lineno)
        return [*found, *messages]

    def _check_numbers(self) -> None:
        path = Path(self.env.doc2path(self.env.docname))
        found = set(printed(path))
        said = "\n".join([*self.content, *self.options.values()])
        for number in NUMBER.findall(said):
            if Decimal(number) not in found:
                place = f"{path}:{self.lineno}"
                logger.warning("no cell or record of the page has %s", number, location=place)


def printed(path: Path) -> Iterator[Decimal]:
    """Yield the numbers in a page's outputs, and in the records that it names."""
    text = path.read_text(encoding="utf-8")
    records = [path.parent / name for name in set(RECORD.findall(text))]
    texts = [found[0] for found in OUTPUT.finditer(text)]
    texts += [file.read_text(encoding="utf-8") for file in records if file.is_file()]
    for each in texts:
        yield from map(Decimal, NUMBER.findall(each))


class Claims(SphinxDirective):
    """The list of all claims."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        return [claims()]


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the claims where the mark is, in the order of the book."""
    metadata = app.env.metadata
    for mark in list(doctree.findall(claims)):
        body: list[nodes.Node] = []
        for name in [name for name in app.env.collect_relations() if KEPT in metadata[name]]:
            link = app.builder.get_relative_uri(docname, name)
            title = app.env.titles[name].astext()
            reference = nodes.reference("", title, internal=True, refuri=link)
            body.append(nodes.rubric("", "", reference))
            body += [row.deepcopy() for row in metadata[name][KEPT]]
        box = nodes.container("", *body, classes=["claims"])
        mark.replace_self(box)
        app.env.resolve_references(box, docname, app.builder)  # type: ignore[arg-type]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_node(claims)
    app.add_directive("claim", Claim)
    app.add_directive("claims", Claims)
    app.connect("doctree-resolved", fill_in)
