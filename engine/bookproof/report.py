"""Turns verdicts into what a person reads: file and line, source, difference, next step.

`bookproof.result.judged` gives them, by `bookproof.compare.judge`. Who says it: the build at its
end (`bookproof.extension.build.Build.finish`), the commands (`bookproof.commands`,
`bookproof.vary`) and the test of a cell (`bookproof.pytest_plugin`). On the page,
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
from decimal import Decimal, localcontext
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from bookproof.compare import Status, as_on_page, far_numbers, matches
from bookproof.files import shown_path
from bookproof.outputs import normalize
from bookproof.result import as_printed
from bookproof.tolerance import PRECISE, distance, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
FAILURE_SAID = "the cell fails, and that is what is expected now (nb_execution_allow_errors)"
UNPINNED = "nothing to accept, since it has no block; name the page itself to give it some"
RAN_TOO_LONG = "the cell ran longer than"
"""How what is told of a cell begins that took too long."""
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


def describe(verdict: Verdict) -> str:
    """Describe a verdict for a person, location first."""
    return f"{location(verdict)}: {describe_at(verdict)}"


def location(verdict: Verdict) -> str:
    """Return ``path:line`` of what is wrong, relative to the working directory if possible."""
    return _place(verdict.page, verdict.page.path, _line(verdict))


def cell_location(page: Page, cell: Cell) -> str:
    """Return ``path:line`` of a cell, relative to the working directory if possible."""
    return _place(page, page.path, cell.line)


def block_location(verdict: Verdict) -> str:
    """Return ``path:line`` of a cell's block, or of the cell where it has none."""
    expected = verdict.cell.expected
    if expected is None:
        return cell_location(verdict.page, verdict.cell)
    return _place(verdict.page, verdict.page.path, expected.line)


def _place(page: Page, path: Path, line: int) -> str:
    """Return ``path:line``, or ``path:cell number`` in a notebook, whose lines nobody knows."""
    return f"{shown_path(path)}:{'' if page.has_lines else 'cell '}{line}"


def describe_at(verdict: Verdict) -> str:
    """Describe a verdict without its location."""
    headline, body, advice = _parts(verdict)
    number = _line(verdict) if verdict.page.has_lines else 1
    # not splitlines: a form feed or U+2028 ends no line of the file
    lines = (verdict.page.text if verdict.page.has_lines else verdict.cell.source).split("\n")
    source = f"  {number} | {shortened(lines[number - 1].rstrip())}"
    shown = [f"    {line}".rstrip() for line in _cut(body, MOST_LINES)]
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
    reasons = Counter(
        _unchecked(verdict, cell)
        for run, after in accepted
        for verdict, cell in zip(run.verdicts, after.cells, strict=True)
        if cell.expected or verdict.status in CELLS or run.notebook.cells[cell.index].outputs
    )
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


def ended(run: Run, before: str = "", after: str = "") -> str:
    """Say that a page has ended, why it ran again, and why it will run again, if it will."""
    line = f"{shown_path(run.page.path)}: {run.seconds:.1f} s"
    line += f" (again, since {before})" if before else ""
    return line + (f" (not kept: {after})" if after else "")


def wrong(runs: Sequence[Run]) -> list[Verdict]:
    """Return what to report: the wrong cells, but not those that another one kept from running."""
    reported: list[Verdict] = []
    for run in runs:
        found = [verdict for verdict in run.verdicts if not verdict.ok]
        reported += [v for v in found if v.status is not Status.NOT_RUN] or found
    return reported


def python() -> str:
    """Return how to call the Python that runs here."""
    here = f"{Path.cwd()}{os.sep}"
    return shlex.quote(sys.executable.removeprefix(here))


def difference(verdict: Verdict) -> list[str]:
    """Return the lines that differ, with their neighbours, and the numbers that do."""
    lines = difflib.unified_diff(*_fitted(verdict), lineterm="", n=1)
    shown = [shortened(line) for line in lines if not line.startswith(("--- ", "+++ ", "@@"))]
    numbers = _numbers(verdict)
    return [*_cut(shown, MOST_LINES - len(numbers) - 1), *numbers]


def is_rewritten(verdict: Verdict) -> bool:
    """Whether `accept` can make a cell right."""
    return verdict.status in REWRITTEN


def differs_in_numbers(verdict: Verdict) -> bool:
    """Whether a cell prints what the page says but for some numbers."""
    differs = verdict.status is Status.DIFFERS
    return differs and bool(far_numbers(verdict.wanted, verdict.got))


def side_by_side(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the lines that differ: as the page has them, and as the cell printed them."""
    texts = as_printed(verdict.wanted), verdict.got
    want, got = (text.rstrip("\n").split("\n") for text in texts)
    _, fitted = _both(verdict)
    if len(fitted) != len(got):  # a tolerance lets the cell break its lines elsewhere
        fitted = got
    rows, blocks = [], difflib.SequenceMatcher(None, want, fitted, autojunk=False)
    for kind, a, b, c, d in blocks.get_opcodes():
        if kind == "replace" and b - a == d - c:
            rows += [
                (w, g)
                for w, g in zip(want[a:b], got[c:d], strict=True)
                if not matches(dataclasses.replace(verdict.wanted, text=w), f"{g}\n")
            ]
        elif kind != "equal":
            rows.append(("\n".join(want[a:b]), "\n".join(got[c:d])))
    return rows or [("\n".join(want), "\n".join(got))]


def _both(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Return the lines of the page and of the cell; numbers that are near enough do not differ."""
    got = as_on_page(verdict.wanted, verdict.got)
    return normalize(verdict.wanted.text).splitlines(), got.splitlines()


def _fitted(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Return the lines of both, with the page's where the cell's, from either end, match them."""
    want, got = _both(verdict)
    near = dataclasses.replace(verdict.wanted, tolerance=None)
    for side in range(min(len(want), len(got))):
        for place in (side, -1 - side):
            if matches(dataclasses.replace(near, text=want[place]), f"{got[place]}\n"):
                got[place] = want[place]
    return want, got


def _cut(lines: list[str], most: int) -> list[str]:
    """Cut lines where it matters least: the last one of a traceback says what the error is."""
    if len(lines) <= most:
        return lines
    half = most // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} lines left out …", *lines[-half:]]


def _numbers(verdict: Verdict) -> list[str]:
    """Say which numbers differ and by how much, if nothing else does."""
    far = far_numbers(verdict.wanted, verdict.got)
    told = [
        f"number {place}: {want} on the page, {got} from the cell{_apart(want, got)}"
        for place, want, got in far[:MOST_NUMBERS]
    ]
    if len(far) > len(told):
        told.append(f"… and {len(far) - len(told)} more")
    return ["", *told] if told else []


def _apart(want: str, got: str) -> str:
    """Say how far apart two numbers are, if that is a number."""
    with localcontext(PRECISE):
        here, there = ([Decimal(part) for part in parts(number)] for number in (want, got))
        by, size = distance(here, there), distance(here, [])
        if not math.isfinite(float(by)):
            return ""
        if not by:
            return " (the same value, written differently)"
        two = f"{float(by / size * 100):.2g}" if size else ""  # digits; 140, not 1.4e+02
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
