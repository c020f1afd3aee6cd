"""What a page says at a cell besides its output: that it is a record, or not what the book says."""

from __future__ import annotations

import dataclasses
import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from babel import Locale
from babel.lists import format_list
from babel.localedata import locale_identifiers
from docutils import nodes

from bookproof import report
from bookproof.compare import Status, as_on_page
from bookproof.extension.table import table
from bookproof.outputs import ANSI, printed
from bookproof.result import as_printed
from bookproof.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sphinx.config import Config

    from bookproof.compare import Verdict
    from bookproof.page import Expected
    from bookproof.result import Run

DIFFERS = "book-differs"
"""The class of the notes at cells that are not as the book says; their ids begin so, too."""
MOST_ROWS = 10
MOST_LINES = 12
"""What a note shows at most: rows, and lines in one of them. The terminal shows more."""
MOST_LETTERS = 2000
"""Letters of two lines whose words are compared: that takes the longer, the more alike they are."""
WORD = re.compile(r"[A-Za-z0-9_.+-]+|\s+|[^A-Za-z0-9_.+\s-]+")
Pieces = list[tuple[str, bool]]
"""A text in pieces, and whether each of them is to be marked."""
LINES = {
    Status.DIFFERS: "differs",
    Status.MISSING: "differs",
    Status.UNEXPECTED: "unsaid",
    Status.FAILED: "broke",
    Status.NOT_RUN: "skipped",
}
"""The word that says what is so."""


def tell(config: Config, doctree: nodes.document, run: Run) -> None:
    """Say at each cell that its output is a record, or what the book says and what came here."""
    words = WORDS | config.book_words
    reported = report.wrong([run])
    told = {v.cell.index: v for v in run.verdicts if v.missing or not v.ok}
    for cell in cells(doctree):
        verdict = told.get(cell["cell_index"])
        if verdict and verdict.missing:
            for output in cell.findall(nodes.container):
                if output.get("nb_element") == "cell_code_output":
                    output.append(_record(config, verdict.missing))
        elif verdict:
            note = _note(words, verdict, run)
            if verdict in reported:
                note["ids"].append(f"{DIFFERS}-{reported.index(verdict) + 1}")
            cell.parent.insert(cell.parent.index(cell) + 1, note)


def places(doctree: nodes.document) -> list[str]:
    """Return the ids of the notes at wrong cells, for links that lead there."""
    found = doctree.findall(nodes.container)
    return [name for note in found if DIFFERS in note["classes"] for name in note["ids"]]


def cells(doctree: nodes.document) -> list[nodes.container]:
    """Return the code cells of a page, as MyST-NB has made them."""
    found = doctree.findall(nodes.container)
    return [cell for cell in found if cell.get("nb_element") == "cell_code"]


def _record(config: Config, packages: Sequence[str]) -> nodes.paragraph:
    """Return a note, with a list of packages in its language where its text has ``{packages}``."""
    before, _, after = (WORDS | config.book_words)["recorded"].partition("{packages}")
    locale = Locale.negotiate([config.language], locale_identifiers()) or "en"
    _, *between = format_list(["\0"] * len(packages), locale=locale).split("\0")
    content: list[nodes.Node] = [nodes.Text(before)]
    for name, text in zip(packages, between, strict=True):
        content += [nodes.literal(name, name), nodes.Text(text)]
    content.append(nodes.Text(after))
    return nodes.paragraph("", "", *content, classes=["book-recorded"])


def _note(words: Mapping[str, str], verdict: Verdict, run: Run) -> nodes.container:
    lines = [words[LINES[verdict.status]]]
    if report.differs_in_numbers(verdict):
        lines.append(words["rounding"])
    said = [nodes.paragraph("", line) for line in lines]
    rows = [(_cut(want), _cut(came)) for want, came in _rows(verdict, run)]
    marking = verdict.cell.expected if verdict.status is Status.DIFFERS else None
    shown = [_table(words, marking, rows)] if rows else []
    return nodes.container("", *said, *shown, classes=[DIFFERS])


def _rows(verdict: Verdict, run: Run) -> Iterator[tuple[str, str]]:
    """Yield what the book says, and what came instead."""
    expected = verdict.cell.expected
    match verdict.status:
        case Status.DIFFERS | Status.MISSING:
            yield from report.side_by_side(verdict)
        case Status.FAILED:
            outputs = run.notebook.cells[verdict.cell.index].outputs
            errors = [output for output in outputs if output.output_type == "error"]
            came = printed(errors[-1:]) or verdict.got  # which is a traceback, or has none
            yield (as_printed(expected) if expected else "", came.rstrip("\n"))
        case Status.NOT_RUN if expected:
            yield as_printed(expected), ""


def _table(
    words: Mapping[str, str], expected: Expected | None, rows: list[tuple[str, str]]
) -> nodes.table:
    """Return the rows below headings that say whose they are."""
    heads = [nodes.paragraph("", words[name]) for name in ("says", "came")]
    body = [_row(words, expected, *row) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        body.append([nodes.paragraph("", "…"), nodes.paragraph("", "…")])
    return table(heads, body)


def _row(
    words: Mapping[str, str], expected: Expected | None, want: str, got: str
) -> list[nodes.Element]:
    """Return two texts with what differs marked, if they are of one line each."""
    texts: tuple[Pieces, Pieces] = [(want, False)], [(got, False)]
    if expected and want and got and "\n" not in want + got and len(want + got) < MOST_LETTERS:
        texts = _marked(expected, want, got)
    return [_text(words, text) for text in texts]


def _cut(text: str) -> str:
    lines = ANSI.sub("", text).split("\n")
    return "\n".join([*lines[:MOST_LINES], "…"] if len(lines) > MOST_LINES else lines)


def _marked(expected: Expected, want: str, got: str) -> tuple[Pieces, Pieces]:
    """Cut two lines into pieces, and mark those that make the difference."""
    wants, gots = WORD.findall(want), WORD.findall(got)
    near = as_on_page(dataclasses.replace(expected, text=want), got).rstrip("\n")
    fitted = WORD.findall(near)
    if len(fitted) != len(gots):  # a tolerance lets the cell set its numbers apart otherwise
        fitted = gots
    left, right = Pieces(), Pieces()
    words = SequenceMatcher(None, wants, fitted, autojunk=False)
    for kind, a, b, c, d in words.get_opcodes():
        left.append(("".join(wants[a:b]), kind != "equal"))
        right.append(("".join(gots[c:d]), kind != "equal"))
    return left, right


def _text(words: Mapping[str, str], pieces: Pieces) -> nodes.Element:
    """Return a text as it was printed, with its marks, or what says that there is none."""
    if not any(text for text, _ in pieces):
        return nodes.paragraph("", words["nothing"])
    shown: list[Any] = [
        nodes.strong(text, text) if mark else nodes.Text(text) for text, mark in pieces if text
    ]
    # without a source of its own, it is not taken for code whose colours are to be found
    return nodes.literal_block("", "", *shown, classes=["book-printed"])
