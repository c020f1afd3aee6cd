"""The directive ``{book-checks}``: a table of what was checked in this build, page by page.

The book names the columns that it wants, in its own language and order::

    ```{book-checks}
    :page: Page
    :checked: Outputs checked
    :wrong: Not as the book says
    :total: All pages
    ```

Where something is wrong, the table says above itself that this is no build to publish; only there
does it have its column ``wrong``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from bookproof import report
from bookproof.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from bookproof.result import Run

COUNTS = ("cells", "checked", "recorded", "figures", "wrong")
"""The columns besides ``page``."""
HELD = "book_checks"
"""Where the metadata of a page says which counts its table holds; Sphinx keeps and merges it."""


class checks(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the table until the counts of all pages are known."""


class BookChecks(SphinxDirective):
    """The directive. Each option names a column; ``total`` names a last row with the sums."""

    option_spec = dict.fromkeys(("page", *COUNTS, "total"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        self.env.metadata[self.env.docname][HELD] = None
        mark = checks(labels={"page": "Page"} | self.options)
        self.set_source_info(mark)
        return [mark]


def counts(run: Run) -> dict[str, int]:
    """Return what the table says of a page."""
    outputs = [
        output for cell in run.page.cells for output in run.notebook.cells[cell.index].outputs
    ]
    kinds = [output.get("data", {}) for output in outputs]
    return {
        "book_cells": len(run.page.cells),
        "book_checked": run.checked,
        "book_recorded": run.recorded,
        "book_figures": sum(any(kind.startswith("image/") for kind in data) for data in kinds),
        "book_wrong": len(report.wrong([run])),
    }


def note_changes(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages whose tables do not hold the counts as they are now: they are written."""
    now = _rows(env)
    old = [name for name, about in env.metadata.items() if HELD in about and about[HELD] != now]
    for name in old:
        env.metadata[name][HELD] = now
    return old


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table where its mark is."""
    for mark in list(doctree.findall(checks)):
        labels = dict(mark["labels"])
        total = labels.pop("total", None)
        rows = _rows(app.env)
        wrong = sum(found["wrong"] for _, _, found in rows)
        names = [name for name in labels if name != "page" and (wrong or name != "wrong")]
        body = [
            [_link(app, docname, name, title), *(nodes.Text(str(found[n])) for n in names)]
            for name, title, found in rows
        ]
        if total is not None:
            sums = [sum(found[name] for _, _, found in rows) for name in names]
            body.append([nodes.strong(total, total), *(nodes.Text(str(n)) for n in sums)])
        heads = [nodes.Text(labels[name]) for name in ("page", *names)]
        text = (WORDS | app.config.book_words)["unfit"].replace("{n}", str(wrong))
        unfit = [nodes.paragraph("", text, classes=["book-unfit"])] if wrong else []
        mark.replace_self([*unfit, _counted(heads, body)])


def _rows(env: BuildEnvironment) -> list[tuple[str, str, dict[str, int]]]:
    """Return the pages that were run, in the order of the book: name, title and counts."""
    records: Mapping[str, dict[str, Any]] = getattr(env, "book_runs", {})
    order = dict.fromkeys((*env.collect_relations(), *sorted(records)))
    return [
        (name, env.titles[name].astext(), {n: records[name].get(f"book_{n}", 0) for n in COUNTS})
        for name in order
        if name in records
    ]


def _link(app: Sphinx, here: str, name: str, title: str) -> nodes.Node:
    return nodes.reference(
        title, title, internal=True, refuri=app.builder.get_relative_uri(here, name)
    )


def _counted(heads: Sequence[nodes.Node], body: Sequence[Sequence[nodes.Node]]) -> nodes.table:
    """Return a table with all but its first column to the right, as numbers stand."""

    def row(cells: Sequence[nodes.Node]) -> nodes.row:
        classes = [[], *([["text-right"]] * (len(cells) - 1))]
        entries = [
            nodes.entry("", nodes.paragraph("", "", cell), classes=own)
            for cell, own in zip(cells, classes, strict=True)
        ]
        return nodes.row("", *entries)

    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    group += nodes.thead("", row(heads))
    group += nodes.tbody("", *map(row, body))
    return nodes.table("", group, classes=["book-checks", "colwidths-auto"])


def setup(app: Sphinx) -> None:
    """Register the directive and its hooks."""
    app.add_node(checks)
    app.add_directive("book-checks", BookChecks)
    app.connect("env-updated", note_changes)
    app.connect("doctree-resolved", fill_in)
