"""Rewrites the expected outputs of a page from what its cells printed."""

from __future__ import annotations

import doctest
import re
from typing import TYPE_CHECKING

from bookproof.compare import Status, matches
from bookproof.page import BLOCK, PageError, parse_page
from bookproof.pin import Pin, pin
from bookproof.report import is_rewritten
from bookproof.run import run_pages
from bookproof.stored import with_outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bookproof.compare import Verdict
    from bookproof.page import Cell, Page
    from bookproof.result import Run


def accepted(run: Run, new: Mapping[int, Pin]) -> Page:
    """Return the page with new blocks, by the places of their cells, and nothing else changed.

    It refuses an output that a block can't hold, such as one with an odd control character.
    """
    page, text = run.page, run.page.text
    if page.has_lines:
        text = with_blocks(page.text, run.verdicts, new)
    elif new:
        cells = {index: run.notebook.cells[index].outputs for index in new}
        text = with_outputs(text, cells, {index for index, pin in new.items() if pin.reason})
    after = parse_page(page.path, text, page.settings)
    for verdict, cell in zip(run.verdicts, after.cells, strict=True):
        if verdict.cell.index in new and not _says(cell, verdict.got):
            raise PageError(
                page.path, verdict.cell.line, "the cell prints what a {testoutput} block can't "
                "hold (a control character?); print its repr() instead"
            )  # fmt: skip
    return after


def run_again(runs: Sequence[Run]) -> dict[Page, Run]:
    """Run pages a second time.

    That is in ordinary kernels, so that the second run shares no state and no addresses with the
    first.
    """
    pages = [run.page for run in runs]
    return dict(zip(pages, run_pages(pages, warm=False), strict=True))


def pins(run: Run, second: Run) -> dict[int, Pin]:
    """Return what is to be written for each cell: what two runs share.

    A block that is there already is left to its author if the cell prints something else in the
    second run.
    """
    return {
        verdict.cell.index: Pin(verdict.got) if has_block(verdict) else pin(verdict, other)
        for verdict, other in zip(run.verdicts, second.verdicts, strict=True)
        if is_rewritten(verdict) and not (has_block(verdict) and verdict.got != other.got)
    }


def has_block(verdict: Verdict) -> bool:
    """Whether a page says of a cell what it prints: an output in a notebook's file is no block."""
    return verdict.page.has_lines and verdict.cell.expected is not None


def with_blocks(text: str, verdicts: Iterable[Verdict], new: Mapping[int, Pin]) -> str:
    """Return a text with new blocks, by the places of their cells, instead of the old ones."""
    lines = text.split("\n")
    rewritten = [verdict for verdict in verdicts if verdict.cell.index in new]
    # from the end, so that the lines before a change keep their numbers
    for verdict in sorted(rewritten, key=lambda verdict: verdict.wanted.line, reverse=True):
        wanted = verdict.wanted
        if verdict.status is Status.MISSING:  # the blank lines before its block go, too
            lines[verdict.cell.end : wanted.end] = []
        else:
            lines[wanted.line - 1 : wanted.end] = _block(verdict, new[verdict.cell.index], lines)
    return "\n".join(lines)


def _block(verdict: Verdict, pin: Pin, lines: list[str]) -> list[str]:
    """Return the lines of the new block, in the style of the old one or of the cell."""
    wanted = verdict.wanted
    model = lines[wanted.end - 1]
    indent, end = re.match(r" *", model)[0], "\r" * model.endswith("\r")  # type: ignore[index]
    name = lines[wanted.line - 1].partition(BLOCK)[2].rstrip() if verdict.cell.expected else ""
    kept = lines[wanted.line : wanted.text_line - 1]
    block = _fenced(pin, kept, f"{indent}{model.strip()}", name)
    return [line + end for line in ([] if verdict.cell.expected else [""]) + block]


def _fenced(pin: Pin, kept: list[str], model: str, name: str) -> list[str]:
    """Return the lines of a block, whose fence is like another one and as long as is needed."""
    indent = " " * (len(model) - len(model.lstrip()))
    fence = indent + _fence(pin.text, model.strip())
    old = [line.strip() for line in kept if line.strip()]
    if pin.options:  # which give another tolerance, if any
        old = [line for line in old if not re.match(r":[ar]tol:", line)]
    options = [*pin.options, *old]
    body = [f"{indent}{line}".rstrip() for line in _body(pin.text, options)]
    between = [""] if options and body else []
    return [f"{fence}{BLOCK}{name}", *options, *between, *body, fence]


def _body(got: str, options: list[str]) -> list[str]:
    """Return the output's lines such that MyST reads them as text, none as an option."""
    body = got.splitlines()
    if body and not body[0]:
        body[0] = "<BLANKLINE>"
    if body and not options and body[0].startswith((":", "---")):
        body = ["---", "---", *body]
    return body


def _fence(got: str, fence: str) -> str:
    longest = max((len(run) for run in re.findall(r"^\s*(`+|~+)", got, re.MULTILINE)), default=0)
    return fence[0] * max(len(fence), longest + 1)


def _says(cell: Cell, got: str) -> bool:
    if cell.expected and cell.expected.flags & doctest.SKIP:
        return True
    return matches(cell.expected, got) if cell.expected else not got
