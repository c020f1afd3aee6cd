"""Rewrites the expected outputs of a page from what its cells printed in two runs.

A new block says what both runs share: addresses and times become ``...``, numbers that differ a
little get a tolerance, and what differs otherwise is not compared.
"""

from __future__ import annotations

import dataclasses
import doctest
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from bookproof.compare import Status, matches
from bookproof.outputs import with_outputs
from bookproof.page import BLOCK, FLAGS, Expected, PageError, parse_page
from bookproof.report import is_rewritten
from bookproof.run import run_pages
from bookproof.tolerance import INTEGERS, Tolerance, kind, value
from bookproof.vary import ENOUGH, numbers, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bookproof.compare import Verdict
    from bookproof.page import Cell, Page
    from bookproof.result import Run

UNSTEADY = "it prints something else in a second run"
DURATION = "it prints how long something took"
SPLIT = "; what else it prints can be compared in a cell of its own"
HIDDEN = {"hide-output", "hide-cell"}
"""The tags by which MyST-NB folds what a cell prints."""
COMMAND = re.compile(r"^\s*(?:!|%(?:pip|conda)\b|%%(?:bash|sh|script|cmd)\b)", re.MULTILINE)
TIMED = re.compile(r"^\s*%%?time(?:it)?\b", re.MULTILINE)
CLOCK = re.compile(r"%time|\b(?:time|datetime|perf_counter|monotonic|process_time)\b")
STOPWATCH = re.compile(r"\b(?:perf_counter|monotonic|process_time)|\btime(?:\.time)?\(\)")
"""What a cell measures time by: two runs may take equally long by chance."""
UNHELD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
"""The characters that a block can't hold, or that no page is to have."""
VOLATILE = re.compile(
    r"""
    0x[0-9a-fA-F]{6,}                                                # an address
    | (?:[A-Z][a-z]{2}[ ]){1,2}[ ]?\d\d?[ ]\d\d:\d\d:\d\d(?:[ ]\d{4})?   # as ctime writes a time
    | (?:\d{4}-\d\d-\d\d[ T])?\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?![\w:])
    | \d{4}-\d\d-\d\d(?![\w-])
    | datetime\.\w+\([\d, ]+\)
    | (?<![\d.])\d[\d.]*+(?:e[-+]?\d+)?[ ]?(?:[nmuµμ]?s|secs?|seconds?|min|minutes?)(?!\w)
    | (?P<kept>\b(?i:time|elapsed|took|duration|seconds)\b[^\d\n]{0,12})\d[\d.]*(?:e[-+]?\d+)?
    """,
    re.VERBOSE,
)
"""What no two runs need print alike: addresses, moments and how long something took."""
SLIGHT, RESIDUE = Decimal("0.01"), Decimal("1e-6")
"""The share of a number, or the amount, by which it may differ between two runs to be pinned."""


@dataclass(frozen=True, slots=True)
class Pin:
    """What a new block says, and why it says less than the whole output, if it does."""

    text: str
    options: tuple[str, ...] = ()
    reason: str = ""


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
    for verdict in left_over(run, after):
        if verdict.cell.index in new:
            raise PageError(
                page.path, verdict.cell.line, "the cell prints what a {testoutput} block can't "
                "hold (a control character?); print its repr() instead"
            )  # fmt: skip
    return after


def left_over(run: Run, after: Page) -> list[Verdict]:
    """Return the cells of which a page that was rewritten does not say what they print."""
    cells = zip(run.verdicts, after.cells, strict=True)
    return [v for v, cell in cells if is_rewritten(v) and not _says(cell, v.got)]


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
    wanted, old = verdict.wanted, verdict.cell.expected
    model = lines[wanted.end - 1].strip("\r")
    indent = model[: -len(model.lstrip())]
    kept = [line.strip() for line in lines[wanted.line : wanted.text_line - 1]]
    # a new tolerance takes the place of the old one
    dropped = re.compile(r"$|:[ar]tol:" if pin.options else "$")
    options = [*pin.options, *(line for line in kept if not dropped.match(line))]
    body = [f"{indent}{line}".rstrip() for line in _body(pin.text, options)]
    fence = indent + _fence(pin.text, model.strip())
    between = [""] if options and body else []
    block = [f"{fence}{BLOCK}", *options, *between, *body, fence]
    end = "\r" * lines[wanted.end - 1].endswith("\r")
    return [line + end for line in ([] if old else [""]) + block]


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


def pin(first: Verdict, second: Verdict, today: str = "") -> Pin:
    """Return the block for a cell, from what it printed in two runs."""
    if reason := _left_out(first):
        return _skipped(reason, SPLIT if reason == DURATION else "")
    masked = _masked(first, second, today or time.strftime("%Y-%m-%d"))
    if masked not in ("", first.got):
        if not first.page.has_lines or not masked.strip(".\n"):
            return _skipped("it prints an address or a time")
        return Pin(masked, (":options: +ELLIPSIS",), "... stands for its addresses or times")
    if first.got == second.got:
        return Pin(first.got)
    if first.page.has_lines and (options := _tolerance(first, second)):
        reason = f"its numbers differ a little in a second run: {', '.join(options)}"
        return Pin(first.got, options, reason)
    return _skipped(UNSTEADY, SPLIT if CLOCK.search(first.cell.source) else "")


def _skipped(reason: str, more: str = "") -> Pin:
    return Pin("", (":options: +SKIP", f":reason: {reason}"), f"not compared: {reason}{more}")


def _left_out(verdict: Verdict) -> str:
    """Say why a cell is not compared, whatever it prints."""
    tags = verdict.page.notebook.cells[verdict.cell.index].metadata.get("tags", ())
    if COMMAND.search(verdict.cell.source):
        return "it runs a command of the system"
    if TIMED.search(verdict.cell.source):
        return DURATION
    if verdict.page.has_lines and UNHELD.search(verdict.got):
        return "it prints a control character"
    return "the page hides it" if verdict.page.has_lines and HIDDEN.intersection(tags) else ""


def _masked(first: Verdict, second: Verdict, today: str) -> str:
    """Put ``...`` for what varies, if two texts differ in nothing else; else return nothing."""
    got, other, timed = first.got, second.got, STOPWATCH.search(first.cell.source)
    found = zip(VOLATILE.finditer(got), VOLATILE.finditer(other), strict=False)
    year, month, day = map(int, today.split("-"))
    now = re.compile(rf"{today}|\({year}, {month}, {day}\b")

    def mask(here: re.Match[str]) -> str:
        there = next(found, (here, here))[1]
        varies = (
            timed or here[0] != there[0] or here[0].startswith("0x") or bool(now.search(here[0]))
        )
        return f"{here['kept'] or ''}..." if varies else here[0]

    text = VOLATILE.sub(mask, got)
    expected = Expected(1, 1, 1, text.removesuffix("\n"), FLAGS | doctest.ELLIPSIS)
    return text if matches(expected, got) and matches(expected, other) else ""


def _tolerance(first: Verdict, second: Verdict) -> tuple[str, ...]:
    """Return a block's options that give its numbers a tolerance, if they differ by rounding."""
    if CLOCK.search(first.cell.source):
        return ()
    bare = Expected(1, 1, 1, first.got.removesuffix("\n"), FLAGS)
    found = numbers(bare, [first.got, second.got])
    varying = [(number.spread, value(number.want).copy_abs()) for number in found if number.spread]
    exact = (INTEGERS,) if any(kind(number.want) == "integer" for number in found) else ()
    if not varying or any(spread > max(RESIDUE, SLIGHT * size) for spread, size in varying):
        return ()
    name, apart = "rtol", max(spread / size if size else spread for spread, size in varying)
    if apart > SLIGHT:
        name, apart = "atol", max(spread for spread, _ in varying)
    amount = rounded(ENOUGH * apart)
    tolerance = Tolerance(exact=exact, **{name: Decimal(amount)})
    holds = matches(dataclasses.replace(bare, tolerance=tolerance), second.got)
    return (f":{name}: {amount}", *(f":exact: {each}" for each in exact)) if holds else ()
