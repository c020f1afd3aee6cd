"""Compares what a cell printed with what the page expects, and gives a `Verdict`.

`doctest` compares. Where a block gives numbers a tolerance (``:rtol:``, ``:atol:``), the output is
first written as the page would write it: numbers that are near enough become the page's.
"""

from __future__ import annotations

import doctest
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bookproof.outputs import FIGURE, READER_FAILED, normalize, printed
from bookproof.page import FLAGS, Expected
from bookproof.tolerance import NUMBERS, kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbformat import NotebookNode

    from bookproof.page import Cell, Page


class Status(StrEnum):
    """What became of a cell."""

    MATCHES = "matches"
    SILENT = "prints nothing and expects nothing"
    SKIPPED = "not compared"
    UNCHECKED = "prints, and nothing says what"
    DIFFERS = "differs"
    UNEXPECTED = "prints, but expects nothing"
    MISSING = "expects, but prints nothing"
    FAILED = "raised"
    NOT_RUN = "not run"
    RECORDED = "recorded, not run"


RIGHT = {Status.MATCHES, Status.SILENT, Status.SKIPPED, Status.UNCHECKED, Status.RECORDED}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one cell of a page."""

    page: Page
    cell: Cell
    status: Status
    got: str
    """What the cell printed, or why it failed."""
    line: int | None = None
    """The line of the page that failed, where that is known."""
    missing: tuple[str, ...] = ()
    """The packages for lack of which the cell was not run."""

    @property
    def ok(self) -> bool:
        """Whether the page is right about this cell, as far as is known here."""
        return self.status in RIGHT

    @property
    def wanted(self) -> Expected:
        """What the page says that the cell prints: where it has no block, an empty one there."""
        last = self.cell.end
        return self.cell.expected or Expected(last + 1, last + 2, last, "", FLAGS)

    @property
    def reason(self) -> str:
        """Why there was nothing to compare, if there was not."""
        if self.status is Status.RECORDED:
            verb = "is" if len(self.missing) == 1 else "are"
            return f"{', '.join(self.missing)} {verb} not installed"
        return self.wanted.reason if self.status is Status.SKIPPED else ""


class _Checker(doctest.OutputChecker):
    def _toAscii(self, s: str) -> str:  # noqa: N802
        # doctest folds 膜 and the six characters \u819c into one: here they differ
        return s


def judge(page: Page, cell: Cell, outputs: Sequence[NotebookNode]) -> Verdict:
    """Compare a cell's outputs with its block."""
    expected = cell.expected
    figures = [str(output.get("data", {}).get(FIGURE, "")) for output in outputs]
    if broken := [text for text in figures if text.startswith(READER_FAILED)]:
        return Verdict(page, cell, Status.FAILED, broken[0])
    if expected is None:
        got = printed(outputs, _tags(page, cell))
        # without a block, nobody would see what it prints where it does not run
        needs_block = page.strict or (page.has_lines and cell.requires)
        prints = Status.UNEXPECTED if needs_block else Status.UNCHECKED
        return Verdict(page, cell, prints if got else Status.SILENT, got)
    got = printed(outputs)
    if expected.flags & doctest.SKIP:
        status = Status.SKIPPED
    elif not got:
        status = Status.MISSING
    else:
        status = Status.MATCHES if matches(expected, got) else Status.DIFFERS
    return Verdict(page, cell, status, got)


def _tags(page: Page, cell: Cell) -> list[str]:
    """Return a cell's tags, and those that say what its page's configuration hides."""
    metadata = page.notebook.cells[cell.index].metadata
    hides = page.config.get_cell_level_config("remove_code_outputs", metadata, lambda *_: None)
    stderr = page.config.get_cell_level_config("output_stderr", metadata, lambda *_: None)
    hidden = {"remove-output": hides, "remove-stderr": stderr.startswith("remove")}
    return [*metadata.get("tags", ()), *(tag for tag, hide in hidden.items() if hide)]


def matches(expected: Expected, got: str) -> bool:
    """Whether a text is the expected one, under the block's options."""
    want = normalize(expected.text)
    return _Checker().check_output(want, _fit(expected, want, got), expected.flags)


def as_on_page(expected: Expected, got: str) -> str:
    """Write a printed text as the page would: with the page's numbers where they are near enough.

    Under a tolerance the white space is the page's too, if only numbers differ.
    """
    return _fit(expected, normalize(expected.text), got)


def far_numbers(expected: Expected, got: str) -> list[tuple[int, str, str]]:
    """Return the numbers that are not near enough, if nothing else differs.

    Each comes with its place, counted from 1, as the page has it and as the cell printed it.
    """
    pairs = paired_numbers(expected, got)
    return [
        (place, w, g)
        for place, (w, g, may) in enumerate(pairs, 1)
        if not _near(expected, w, g, may)
    ]


def paired_numbers(expected: Expected, got: str) -> list[tuple[str, str, bool]]:
    """Return each number of the page, what the cell printed for it, and whether it may be off.

    There are none if anything but numbers and white space differs.
    """
    want = normalize(expected.text)
    return _pairs(expected, want, got) if _same_words(expected, want, got) else []


def _fit(expected: Expected, want: str, got: str) -> str:
    pairs = _pairs(expected, want, got)
    if not pairs or not expected.tolerance:
        return got
    # torch and numpy pad columns and break lines by the width of the numbers
    fitted = iter([w if _near(expected, w, g, may) else g for w, g, may in pairs])
    free = _same_words(expected, want, got)
    return NUMBERS.sub(lambda _: next(fitted), want if free else got)


def _pairs(expected: Expected, want: str, got: str) -> list[tuple[str, str, bool]]:
    """Pair the numbers of two texts off, if there are as many, and tell which may differ."""
    wants, gots = NUMBERS.findall(want), NUMBERS.findall(got)
    if len(wants) != len(gots):
        return []
    reach = expected.tolerance.reach(want) if expected.tolerance else [False] * len(wants)
    return list(zip(wants, gots, reach, strict=True))


def _same_words(expected: Expected, want: str, got: str) -> bool:
    """Whether two texts differ in nothing but numbers and white space."""
    wanted = as_printed(want, expected.flags)
    words, printed_words = ([s.split() for s in NUMBERS.split(text)] for text in (wanted, got))
    return words == printed_words


def as_printed(want: str, flags: int) -> str:
    """Return the text of a block as a cell prints it, under the block's flags."""
    if flags & doctest.DONT_ACCEPT_BLANKLINE:
        return want
    return re.sub(rf"(?m)^{doctest.BLANKLINE_MARKER}$", "", want)


def _near(expected: Expected, want: str, got: str, may_differ: bool) -> bool:  # noqa: FBT001
    """Whether a printed number may stand for the page's."""
    if want == got or not expected.tolerance or kind(want) != kind(got):
        return want == got
    return may_differ and expected.tolerance.allows(want, got)
