"""Finds what of an output a page's first block can say: what two runs of it share.

Addresses and times become ``...``, numbers that differ a little get a tolerance, and what differs
otherwise is not compared.
"""

from __future__ import annotations

import dataclasses
import doctest
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from bookproof.compare import matches
from bookproof.page import FLAGS, Expected
from bookproof.tolerance import INTEGERS, Tolerance, kind, parts
from bookproof.vary import ENOUGH, numbers, rounded

if TYPE_CHECKING:
    from bookproof.compare import Verdict

UNSTEADY = "it prints something else in a second run"
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


def pin(first: Verdict, second: Verdict, today: str = "") -> Pin:
    """Return the block for a cell, from what it printed in two runs."""
    if reason := _left_out(first):
        return _skipped(reason)
    masked = _masked(first, second, today or time.strftime("%Y-%m-%d"))
    if masked not in ("", first.got):
        if not first.page.has_lines or not masked.strip(".\n"):
            return _skipped("it prints an address or a time")
        return Pin(masked, (":options: +ELLIPSIS",), "... stands for its addresses or times")
    if first.got == second.got:
        return Pin(first.got)
    if first.page.has_lines and (options := _tolerance(first, second)):
        told = f"its numbers differ a little in a second run: {', '.join(options)}"
        return Pin(first.got, options, told)
    return _skipped(UNSTEADY)


def _skipped(reason: str) -> Pin:
    return Pin("", (":options: +SKIP", f":reason: {reason}"), f"not compared: {reason}")


def _left_out(verdict: Verdict) -> str:
    """Say why a cell is not compared, whatever it prints."""
    tags = verdict.page.notebook.cells[verdict.cell.index].metadata.get("tags", ())
    if COMMAND.search(verdict.cell.source):
        return "it runs a command of the system"
    if TIMED.search(verdict.cell.source):
        return "it prints how long something took"
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
    varying = [(number.spread, _size(number.want)) for number in found if number.spread]
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


def _size(number: str) -> Decimal:
    return max(abs(Decimal(part)) for part in parts(number))
