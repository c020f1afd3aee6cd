"""Turns verdicts into what a person reads: file and line, source, difference, next step.

The build at its end, the commands and pytest's tests say it. On the page,
`bookproof.extension.notes` does.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import shlex
import sys
from collections import Counter
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from bookproof.compare import Status, as_on_page, far_numbers, matches
from bookproof.files import shown_path
from bookproof.outputs import normalize
from bookproof.result import RAN_TOO_LONG
from bookproof.tolerance import PRECISE, value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from bookproof.compare import Verdict
    from bookproof.page import Cell, Page
    from bookproof.result import Run

UNSTEADY = (
    "the cell does not print the same in a second run, so its block was left as it is; seed what "
    "is random, print less, or let the block allow for it (:options: +ELLIPSIS, :rtol:, +SKIP)"
)
NO_TOLERANCE = (
    "no tolerance: a notebook has no place for one; tag a cell nbval-ignore-output to leave it out"
)
NOTHING_STORED = (
    "nothing is compared, since it holds no output that can be read; to store what its cells "
    "print, accept it by its name"
)
FAILS = "left as it is, since a cell fails; mend it, and accept the page by its name"
FAILS_AGAIN = (
    "left as it is, since that cell failed in a second run; mend it, and accept the page again"
)
UNPINNED = "nothing to accept, since it has no block; name the page itself to give it some"
CELLS = {Status.FAILED, Status.NOT_RUN}
"""What is wrong with a cell itself, whatever its block says."""
REWRITTEN = {Status.DIFFERS, Status.UNEXPECTED, Status.MISSING}
"""What is wrong with what a page says, so that it can say what came instead."""
MOST_LINES = 60
"""Lines of a difference or of a traceback that are shown."""
LONG_LINE = 300
"""Letters of a line that are shown in the difference of a file: a picture's are a million."""
MOST_NUMBERS = 5
"""Numbers of a difference that are shown one by one."""


MOST_PAGES = 5
"""Pages that a command names one by one."""
BUILT = "The book is built all the same, to be read: at each of these cells, its page shows both."
ROUNDING = """\
If the book is new to this kind of processor, numbers may have moved by rounding alone: processors
add in different orders. Then nothing is broken, and the tolerance of these numbers is too small."""
UNFIT = "Until both agree, this is no build to publish."


def describe(verdict: Verdict) -> str:
    """Describe a verdict for a person, location first."""
    return f"{location(verdict)}: {describe_at(verdict)}"


def location(verdict: Verdict) -> str:
    """Return ``path:line`` of what is wrong, relative to the working directory if possible."""
    return place(verdict.page, _line(verdict))


def block_location(verdict: Verdict) -> str:
    """Return ``path:line`` of a cell's block, or of the cell where it has none."""
    return place(verdict.page, (verdict.cell.expected or verdict.cell).line)


def place(page: Page, line: int) -> str:
    """Return ``path:line``, or ``path:cell number`` in a notebook, whose lines nobody knows."""
    return f"{shown_path(page.path)}:{'' if page.has_lines else 'cell '}{line}"


def describe_at(verdict: Verdict) -> str:
    """Describe a verdict without its location."""
    headline, body, advice = _parts(verdict)
    number = _line(verdict) if verdict.page.has_lines else 1
    # not splitlines: a form feed or U+2028 ends no line of the file
    lines = (verdict.page.text if verdict.page.has_lines else verdict.cell.source).split("\n")
    source = f"  {number} | {shortened(lines[number - 1].rstrip())}"
    shown = [f"    {line}".rstrip() for line in cut(body, MOST_LINES)]
    return "\n".join([headline, source, "", *shown, "", f"  {advice}"])


def summarize(runs: Sequence[Run]) -> str:
    """Say in one line how many outputs were right, and how many cells were not."""
    statuses = [verdict.status for run in runs for verdict in run.verdicts]
    counts = {
        "pages": len(runs),
        "run now": sum(not run.kept for run in runs),
        "outputs that match": statuses.count(Status.MATCHES),
        "outputs skipped": statuses.count(Status.SKIPPED),
        "outputs recorded": sum(run.recorded for run in runs),
        "wrong cells": len(wrong(runs)),
        "cells not reached": statuses.count(Status.NOT_RUN),
    }
    rare = {"outputs skipped", "outputs recorded"}
    return ", ".join(f"{n}: {count}" for n, count in counts.items() if count or n not in rare)


def tally(accepted: Iterable[tuple[Run, Page]]) -> str:
    """Say how many of the cells that put something out are checked now, and why the others not."""
    shown = [
        (verdict, cell)
        for run, after in accepted
        for verdict, cell in zip(run.verdicts, after.cells, strict=True)
        if cell.expected
        or verdict.status in CELLS
        or run.notebook.cells[verdict.cell.index].outputs
    ]
    reasons = Counter(_unchecked(*one) for one in shown)
    checked = reasons.pop("", 0)
    line = f"{checked} of {checked + reasons.total()} cells checked"
    because = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
    return f"{line}; {reasons.total()} not, because {because}" if because else line


def _unchecked(verdict: Verdict, cell: Cell) -> str:
    """Say why a cell is not checked after `accept` has written what it can, if so."""
    if verdict.status in CELLS:
        return "it or one before it fails"
    if verdict.missing:
        return verdict.reason
    if cell.expected:
        left = is_rewritten(verdict) and cell.expected.text == verdict.wanted.text
        return cell.expected.reason or ("it was left as it is" if left else "")
    return "it has no block" if verdict.got else "it shows no text"


def is_unpinned(run: Run) -> bool:
    """Whether a page says nothing of what its cells print, where it could."""
    return run.page.compared and any(verdict.status is Status.UNCHECKED for verdict in run.verdicts)


def skipped(runs: Sequence[Run]) -> list[str]:
    """Return a line for each output that was not compared, and each cell not run: where and why."""
    empty = [
        f"{shown_path(run.page.path)}: {NOTHING_STORED}"
        for run in runs
        if not run.page.has_lines and is_unpinned(run)
    ]
    return empty + [
        f"{block_location(verdict)}: {verdict.status}: {verdict.reason}"
        for run in runs
        for verdict in run.verdicts
        if verdict.reason
    ]


def shortened(line: str) -> str:
    """Return a line of a difference such that a terminal can show it."""
    cut = f"{line[:LONG_LINE]}… ({len(line)} letters)"
    return line if len(line) <= LONG_LINE else cut


def wrong(runs: Sequence[Run]) -> list[Verdict]:
    """Return what to report: the wrong cells, but not those that another one kept from running."""
    verdicts = (verdict for run in runs for verdict in run.verdicts)
    return [v for v in verdicts if not v.ok and v.status is not Status.NOT_RUN]


def python() -> str:
    """Return how to call the Python that runs here."""
    here = f"{Path.cwd()}{os.sep}"
    return shlex.quote(sys.executable.removeprefix(here))


def difference(verdict: Verdict) -> list[str]:
    """Return the lines that differ, with their neighbours, and the numbers that do."""
    numbers = _numbers(verdict)
    return [*cut(differing_lines(verdict), MOST_LINES - len(numbers) - 1), *numbers]


def differing_lines(verdict: Verdict) -> list[str]:
    """Return the lines that differ, with their neighbours: the page's with -, the cell's with +."""
    lines = list(difflib.unified_diff(*_fitted(verdict), lineterm="", n=1))
    return [shortened(line) for line in lines[2:] if not line.startswith("@@")]


def is_rewritten(verdict: Verdict) -> bool:
    """Whether `accept` can make a cell right."""
    return verdict.status in REWRITTEN


def differs_in_numbers(verdict: Verdict) -> bool:
    """Whether a cell prints what the page says but for some numbers."""
    return verdict.status is Status.DIFFERS and bool(far_numbers(verdict.wanted, verdict.got))


def _fitted(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Return the lines of both, with the page's where the cell's, from either end, match them."""
    want = normalize(verdict.wanted.text).splitlines()
    got = as_on_page(verdict.wanted, verdict.got).splitlines()
    near = dataclasses.replace(verdict.wanted, tolerance=None)
    for side in range(min(len(want), len(got))):
        for place in (side, -1 - side):
            if matches(dataclasses.replace(near, text=want[place]), f"{got[place]}\n"):
                got[place] = want[place]
    return want, got


def cut(lines: list[str], most: int) -> list[str]:
    """Cut lines where it matters least: the last one of a traceback says what the error is."""
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} lines left out …", *lines[-half:]]


def _numbers(verdict: Verdict) -> list[str]:
    """Say which numbers differ and by how much, if nothing else does."""
    far = far_numbers(verdict.wanted, verdict.got)
    lines = [
        f"number {place}: {want} on the page, {got} from the cell{_apart(want, got)}"
        for place, want, got in far[:MOST_NUMBERS]
    ]
    if len(far) > len(lines):
        lines.append(f"… and {len(far) - len(lines)} more")
    return ["", *lines] if lines else []


def _apart(want: str, got: str) -> str:
    """Say how far apart two numbers are, if that is a number."""
    here, there = value(want), value(got)
    by = PRECISE.subtract(here, there).copy_abs()
    if not math.isfinite(float(by)):
        return ""
    if not by:
        return " (the same value, written differently)"
    two = f"{float(by / here.copy_abs() * 100):.2g}" if here else ""  # digits; 140, not 1.4e+02
    share = f", {float(two):g} %" if two else ""
    return f" (differs by {float(by):.6g}{share})"


def _line(verdict: Verdict) -> int:
    """Return the page's line that is wrong: in a block, the first one that differs."""
    expected = verdict.cell.expected
    if verdict.line is not None:
        return verdict.line
    if expected is None or verdict.status in CELLS:
        return verdict.cell.line
    if verdict.status is Status.MISSING:
        return expected.line
    want, got = _fitted(verdict)
    same = len(commonprefix([want, got]))  # noqa: RUF071 (of two lists: whole lines)
    return min(expected.text_line + same, expected.end)


def _parts(verdict: Verdict) -> tuple[str, list[str], str]:
    """Return the headline, the lines below it and the advice."""
    accept = f"{python()} -m bookproof accept {shlex.quote(shown_path(verdict.page.path))}"
    start = f"The cell starts at line {verdict.cell.line}. " if verdict.page.has_lines else ""
    match verdict.status:
        case Status.DIFFERS:
            return (
                "the cell does not print what the page says (- page, + cell)",
                difference(verdict),
                f"{start}Mend the code, or, if the new output is right: {accept}",
            )
        case Status.UNEXPECTED if not verdict.page.has_lines:
            return (
                "the cell prints, but no output of it is stored",
                difference(verdict),
                f"If the output is right: {accept}",
            )
        case Status.UNEXPECTED:
            return (
                "the cell prints, but no {testoutput} block follows it",
                difference(verdict),
                f"Write the block, or, if the output is right: {accept}",
            )
        case Status.MISSING:
            return (
                "the page says what the cell prints, but the cell prints nothing",
                difference(verdict),
                f"{start}Mend the code, or delete the block: {accept}",
            )
        case Status.FAILED:
            return "the cell failed", verdict.got.splitlines(), _mend(verdict)
        case _:
            return ("the cell was not run", [], "Mend the cell before it that failed.")


def _mend(verdict: Verdict) -> str:
    """Return the advice for a cell that failed."""
    if verdict.got.startswith(RAN_TOO_LONG):
        more = "nb_execution_timeout; in Jupyter Book's _config.yml, execute: timeout"
        return f"Give the cell more time ({more}), or less to do."
    return "Mend the code, or, if the error is meant, tag the cell: :tags: [raises-exception]"


def conclude(
    wrong: Mapping[Page, Sequence[Verdict]], built: Mapping[Page, Path | None], book: Path
) -> str:
    """List the cells that differ, and say how to look at them, and what can be done.

    ``built`` has the file of each page that was built as one.
    """
    can = {page: found for page, found in wrong.items() if any(map(is_rewritten, found))}
    moved = [page for page, found in can.items() if any(map(differs_in_numbers, found))]
    command = f"{python()} -m bookproof"
    cells = sum(map(len, wrong.values()))
    lines = [
        f"this computer and the book differ (cells: {cells}, pages: {len(wrong)}):",
        *(_listed(page, found, built.get(page)) for page, found in wrong.items()),
        *([BUILT] if any(built.values()) else []),
        f"  to see the differences again:   {command} check {_named(wrong, book)}",
    ]
    if can:
        lines += [f"  to let the pages say what came: {command} accept {_named(can, book)}"]
    if moved:
        where = _named(moved, book)
        lines += [ROUNDING, f"  to measure how far they move:   {command} vary {where}"]
    return "\n".join([*lines, UNFIT])


def _named(pages: Collection[Page], book: Path) -> str:
    """Return pages as a command takes them: the book, where they are many."""
    names = [shown_path(page.path) for page in pages]
    return shlex.join(names if len(names) <= MOST_PAGES else [shown_path(book)])


def _listed(page: Page, wrong: Sequence[Verdict], built: Path | None) -> str:
    """Return a page's line: the lines of its wrong cells, and where to look at them."""
    name = shown_path(page.path)
    lines = ", ".join(location(verdict).removeprefix(f"{name}:") for verdict in wrong)
    seen = f"  {shown_path(built)}" if built else ""
    return f"  {name}:{lines}{seen}"
