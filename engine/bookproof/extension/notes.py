"""What a page says at a cell besides its output: that it is a record, or not what the book says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

from bookproof import report
from bookproof.compare import Status, as_printed
from bookproof.outputs import printed
from bookproof.words import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sphinx.config import Config

    from bookproof.compare import Verdict
    from bookproof.result import Run

DIFFERS = "book-differs"
"""The class of the notes at cells that are not as the book says; their ids begin so, too."""
MOST_LINES = 20
"""Lines that a note shows. The terminal shows more."""
LINES = {
    Status.DIFFERS: "differs",
    Status.MISSING: "differs",
    Status.UNEXPECTED: "unsaid",
    Status.FAILED: "broke",
    Status.NOT_RUN: "skipped",
}
"""The word that says what is so."""


def add(config: Config, doctree: nodes.document, run: Run) -> None:
    """Say at each cell that its output is a record, or what the book says and what came here."""
    words = WORDS | config.book_words
    reported = report.wrong([run])
    found = {v.cell.index: v for v in run.verdicts if v.missing or not v.ok}
    cells = [n for n in doctree.findall(nodes.container) if n.get("nb_element") == "cell_code"]
    for cell in cells:
        verdict = found.get(cell["cell_index"])
        if verdict and verdict.missing:
            for output in cell.findall(nodes.container):
                if output.get("nb_element") == "cell_code_output":
                    text = words["recorded"].replace("{packages}", ", ".join(verdict.missing))
                    output.append(nodes.paragraph("", text, classes=["book-recorded"]))
        elif verdict:
            note = _note(words, verdict, run)
            if verdict in reported:
                note["ids"].append(f"{DIFFERS}-{reported.index(verdict) + 1}")
            cell.parent.insert(cell.parent.index(cell) + 1, note)


def places(doctree: nodes.document) -> list[str]:
    """Return the ids of the notes at wrong cells, for links that lead there."""
    found = doctree.findall(nodes.container)
    return [name for note in found if DIFFERS in note["classes"] for name in note["ids"]]


def _note(words: Mapping[str, str], verdict: Verdict, run: Run) -> nodes.container:
    """Return a note: what is so, and the lines that differ."""
    texts = [words[LINES[verdict.status]]]
    if report.differs_in_numbers(verdict):
        texts.append(words["rounding"])
    lines = report.cut(_lines(verdict, run), MOST_LINES)
    if lines:
        texts.append(words["lines"])
    text = "\n".join(lines)
    # without a source of its own, it is not taken for code whose colours are to be found
    shown = [nodes.literal_block("", "", nodes.Text(text), classes=["book-printed"])]
    paragraphs = [nodes.paragraph("", line) for line in texts]
    return nodes.container("", *paragraphs, *(shown if lines else []), classes=[DIFFERS])


def _lines(verdict: Verdict, run: Run) -> list[str]:
    """Return the lines of what the book says, and of what came instead."""
    expected, came = verdict.cell.expected, ""
    match verdict.status:
        case Status.DIFFERS | Status.MISSING:
            return report.differing_lines(verdict)
        case Status.FAILED:
            outputs = run.notebook.cells[verdict.cell.index].outputs
            errors = [output for output in outputs if output.output_type == "error"]
            came = printed(errors[-1:]) or verdict.got  # which is a traceback, or has none
    want = as_printed(expected.text, expected.flags).splitlines() if expected else []
    return [*(f"-{line}" for line in want), *(f"+{line}" for line in came.splitlines())]
