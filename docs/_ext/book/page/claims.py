"""A page's claim, and what could have refuted it: ``{claim}`` on the page, ``{claims}`` for all.

The list is a table, in the order of what claims rest on, which ``:rests:`` says of each: ``exact``
(an argument, or all cases), ``seeds 5`` (so many seeds, nothing to choose), ``seeds 5, tuned 3``
(settings chosen on so many others), ``measured`` (times on one computer).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PARTS = {
    "control": "反証になりえた実験",
    "opponent": "いちばん強い相手",
    "seeds": "くり返し",
    "limit": "成り立たないところ",
}
RESTS = re.compile(r"(exact)|(measured)|seeds (\d+)(?:, tuned (\d+))?")
CLAIMED, REFUTED = "主張", "外れるとしたら"
"""The section that an experiment begins with, and what it says of how the claim would fail."""
CLAIM = "ledger-claim"
KEPT = "claims"
"""Where a page's are in what Sphinx keeps of it, and forgets with it."""


class claims(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the list until all pages are read."""


def read_rests(text: str) -> tuple[tuple[int, int, int], str]:
    """Return where a claim stands in the list for what it rests on, and how that is said."""
    found = RESTS.fullmatch(text or "")
    if not found:
        raise ValueError("say exact, measured, seeds 5 or seeds 5, tuned 3")
    exact, measured, seeds, tuned = found.groups()
    if exact:
        return (0, 0, 0), "式、またはすべての場合"
    if measured:
        return (3, 0, 0), "同じ計算機での測定"
    if tuned:
        return (2, -int(tuned), -int(seeds)), f"{seeds}個の種（設定は別の{tuned}個の種で選んだ）"
    return (1, 0, -int(seeds)), f"{seeds}個の種"


class Claim(SphinxDirective):
    """A claim; each option says one thing that could have refuted it."""

    has_content = True
    option_spec = dict.fromkeys(PARTS, directives.unchanged_required) | {"rests": read_rests}

    def run(self) -> list[nodes.Node]:
        """Return a ledger, and keep what is in it for the list."""
        missing = [f"`:{name}:`" for name in self.option_spec if name not in self.options]
        if missing:
            raise self.error(f"a claim needs {', '.join(missing)}")
        claim = nodes.strong("", "", *self._inline("\n".join(self.content)))
        rows: list[nodes.Node] = [nodes.paragraph("", "", claim, classes=[CLAIM])]
        rows += [
            ledger(label, nodes.paragraph("", "", *self._inline(self.options[name])))
            for name, label in PARTS.items()
        ]
        kept = self.env.metadata[self.env.docname].setdefault(KEPT, [])
        plain = nodes.paragraph("", "", *(each.deepcopy() for each in claim.children))
        kept.append((self.options["rests"], plain))  # a whole list in bold stresses nothing
        return rows

    def _inline(self, text: str) -> list[nodes.Node]:
        found, messages = self.parse_inline(text, lineno=self.lineno)
        return [*found, *messages]


class Claims(SphinxDirective):
    """The list of all claims."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        return [claims()]


def ledger(label: str, *said: nodes.Node) -> nodes.definition_list:
    """Write a row: what is asked, and the answer."""
    row = nodes.definition_list_item("", nodes.term("", label), nodes.definition("", *said))
    return nodes.definition_list("", row, classes=["ledger"])


def open_with_claim(_app: Sphinx, doctree: nodes.document) -> None:
    """Set the claim that an experiment opens with as a ledger begins, and say it there alone."""
    for section in doctree.findall(nodes.section):
        title, *said = section.children
        if title.astext() != CLAIMED or not isinstance(title, nodes.title):
            continue
        section["classes"].append("book-claim")
        repeated = [each for each in doctree.findall(nodes.paragraph) if CLAIM in each["classes"]]
        if len(repeated) == 1:
            repeated[0].parent.remove(repeated[0])
        for before, after in zip(said, [*said[1:], None], strict=True):
            if isinstance(before, nodes.paragraph) and before.astext() == REFUTED and after:
                section.remove(after)
                before.replace_self(ledger(REFUTED, after))
            elif before is said[0] and isinstance(before, nodes.Element):
                before["classes"].append(CLAIM)


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the claims where the mark is, by what they rest on, then in the order of the book."""
    metadata = app.env.metadata
    for mark in list(doctree.findall(claims)):
        rows = []
        for name in [name for name in app.env.collect_relations() if KEPT in metadata[name]]:
            link = app.builder.get_relative_uri(docname, name)
            title = nodes.reference("", app.env.titles[name].astext(), internal=True, refuri=link)
            for (place, said), claim in metadata[name][KEPT]:
                page = nodes.paragraph("", "", title.deepcopy())
                rows.append((place, (claim.deepcopy(), nodes.paragraph("", said), page)))
        rows.sort(key=lambda row: row[0])
        table = as_table([row for _, row in rows])
        mark.replace_self(table)
        app.env.resolve_references(table, docname, app.builder)  # type: ignore[arg-type]


HEAD = {"主張": 50, "よりどころ": 25, "ページ": 25}


def as_table(rows: list[tuple[nodes.paragraph, ...]]) -> nodes.table:
    """Make a table, with its widths in hundredths."""
    group = nodes.tgroup(cols=len(HEAD))
    group.extend(nodes.colspec(colwidth=width) for width in HEAD.values())
    head = nodes.row("", *(nodes.entry("", nodes.paragraph("", title)) for title in HEAD))
    body = [nodes.row("", *(nodes.entry("", cell) for cell in row)) for row in rows]
    group += nodes.thead("", head)
    group += nodes.tbody("", *body)
    return nodes.table("", group, classes=["claims", "colwidths-given"])


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_node(claims)
    app.add_directive("claim", Claim)
    app.add_directive("claims", Claims)
    app.add_css_file("claims.css")
    app.connect("doctree-read", open_with_claim)
    app.connect("doctree-resolved", fill_in)
