"""Compares what a cell printed with what the page expects, and gives a `Verdict`."""

from __future__ import annotations

import doctest
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbformat import NotebookNode

    from snn_docs.book.page import Cell, Expected, Page


class Status(StrEnum):
    """What became of a cell."""

    MATCHES = "matches"
    SILENT = "prints nothing and expects nothing"
    DIFFERS = "differs"
    UNEXPECTED = "prints, but expects nothing"
    MISSING = "expects, but prints nothing"
    FAILED = "raised"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one cell of a page."""

    page: Page
    cell: Cell
    status: Status
    got: str
    """What the cell printed, or why it failed."""

    @property
    def ok(self) -> bool:
        """Whether the page is right about this cell."""
        return self.status in {Status.MATCHES, Status.SILENT}


class _Checker(doctest.OutputChecker):
    def _toAscii(self, s: str) -> str:  # noqa: N802
        # doctest folds 膜 and the six characters \u819c into one: here they differ
        return s


def judge(page: Page, cell: Cell, outputs: Sequence[NotebookNode]) -> Verdict:
    """Compare a cell's outputs with its block."""
    got, expected = printed(outputs), cell.expected
    if expected is None:
        status = Status.UNEXPECTED if got else Status.SILENT
    elif not got:
        status = Status.MISSING
    else:
        status = Status.MATCHES if matches(expected, got) else Status.DIFFERS
    return Verdict(page, cell, status, got)


def matches(expected: Expected, got: str) -> bool:
    """Whether a printed text is the expected one, under the block's option flags."""
    want = normalize(expected.text)
    if expected.flags & doctest.IGNORE_EXCEPTION_DETAIL and ":" in want:
        want, got = want.split(":", 1)[0] + "\n", got.split(":", 1)[0] + "\n"
    return _Checker().check_output(want, got, expected.flags)


def printed(outputs: Sequence[NotebookNode]) -> str:
    """Return the text that a reader sees: streams, results and errors, but no figures."""
    pieces = [piece for output in outputs if (piece := _text(output))]
    return normalize("\n".join(piece.removesuffix("\n") for piece in pieces))


def normalize(text: str) -> str:
    """Drop trailing blanks of lines and of the text, which no reader sees."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    whole = "\n".join(line.rstrip() for line in lines).rstrip("\n")
    return whole + "\n" if whole else ""


def _text(output: NotebookNode) -> str:
    match output.output_type:
        case "stream":
            return str(output.text)
        case "error":
            return f"{output.ename}: {output.evalue}"
        case _:
            # a figure or a table of HTML also has a plain text, which the page does not show
            return str(output.data["text/plain"]) if set(output.data) == {"text/plain"} else ""
