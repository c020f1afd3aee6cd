"""Runs pages under other conditions; tells how far numbers vary and what tolerance they need.

Each condition keeps its own results, so that only pages that have changed run again.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import TYPE_CHECKING

from bookproof import report
from bookproof.compare import paired_numbers
from bookproof.machine import features
from bookproof.run import run_outdated
from bookproof.store import Results
from bookproof.tolerance import PRECISE, Tolerance, kind, last_digit, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bookproof.compare import Verdict
    from bookproof.page import Expected, Page
    from bookproof.result import Run
    from bookproof.settings import Condition

ENOUGH, TOO_MUCH = 2, 10
"""The tolerance of a number is at least twice the range that was seen; ten times is too much."""
BOUNDLESS = 10**6
"""How many times as large as all numbers of a block no tolerance is proposed."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a block, as the conditions print it."""

    place: int
    """Counted from 1."""
    want: str
    seen: tuple[str, ...]
    may_differ: bool
    allowed: Decimal
    unit: Decimal

    @property
    def spread(self) -> Decimal:
        """How far apart any two of the values are."""
        values = [value(number) for number in (self.want, *self.seen)]
        finite = [each for each in values if each.is_finite()] or [Decimal(0)]
        return PRECISE.subtract(max(finite), min(finite))

    @property
    def needed(self) -> Decimal:
        """The tolerance that is enough."""
        return max(ENOUGH * self.spread, self.unit)

    @property
    def is_free(self) -> bool:
        """Whether it may be off by a unit at least."""
        return self.may_differ and self.allowed >= self.unit

    def describe(self) -> str:
        """Say what was seen."""
        return f"number {self.place}: {', '.join(dict.fromkeys(self.seen))} (page: {self.want})"


class Block:
    """A block of a page, and what its cell prints under each condition."""

    def __init__(self, verdicts: Mapping[str, Verdict]) -> None:
        self.verdict = next(iter(verdicts.values()))
        """One of them: they are all of one block."""
        self.numbers = numbers(self.verdict.wanted, [one.got for one in verdicts.values()])
        self.wrong = {name: verdict for name, verdict in verdicts.items() if not verdict.ok}
        """The conditions under which the output is not the page's."""

    def too_tight(self) -> list[Number]:
        """Return the numbers that vary and whose tolerance is too small."""
        return [n for n in self.numbers if n.spread and n.may_differ and n.allowed < n.needed]

    def too_loose(self) -> bool:
        """Whether all numbers have a much larger tolerance than they need."""
        own = [n for n in self.numbers if n.is_free and n.needed]
        return bool(own) and all(number.allowed > TOO_MUCH * number.needed for number in own)

    def proposal(self) -> str:
        """Return the option that gives each number that varies, or may, the tolerance it needs."""
        own = [n for n in self.numbers if n.needed and (n.spread or n.is_free)]
        with localcontext(PRECISE):  # in which a needed amount is an infinite share of 0
            sized = [(n.needed, value(n.want).copy_abs()) for n in own]
            atol = max((needed for needed, _ in sized), default=Decimal(0))
            if not 0 < atol <= BOUNDLESS * max(Decimal(1), *(size for _, size in sized)):
                return ""  # it would allow any number
            rtol = max(needed / size for needed, size in sized)
            # how many times the tolerance that it needs one of the others gets
            by_atol = max(atol / needed for needed, _ in sized)
            by_rtol = max(rtol * size / needed for needed, size in sized)
            if rtol < 1 and by_rtol < by_atol:
                return f":rtol: {rounded(rtol)}"
        return f":atol: {rounded(atol)}"


def conditions_of(
    pages: Sequence[Page], *, rare: bool
) -> tuple[dict[str, list[tuple[Page, Condition]]], dict[str, str]]:
    """Return the pages by condition, and the conditions that this processor lacks, with what."""
    found: dict[str, list[tuple[Page, Condition]]] = defaultdict(list)
    lacking = {}
    for page in pages:
        for name, condition in page.settings.conditions.items():
            if condition.needs and condition.needs not in features():
                lacking[name] = condition.needs
            elif rare or not condition.rare:
                found[name].append((page, condition))
    return found, lacking


def run_under(
    name: str,
    pages: Iterable[tuple[Page, Condition]],
    log: Callable[[str], object] = lambda _: None,
) -> list[Run]:
    """Run pages under a condition, as far as they have changed since they last ran under it."""
    folder = re.sub(r"\W+", "-", name)
    own = []
    for page, condition in pages:
        settings = dataclasses.replace(
            page.settings, environment=condition.environment, start=condition.start
        )
        if settings != page.settings:  # else it is what the book's own builds keep
            settings = dataclasses.replace(
                settings, results=settings.results / "conditions" / folder
            )
        own.append(dataclasses.replace(page, settings=settings))
    return run_outdated(own, Results(), log=log)


def numbers(block: Expected, outputs: Sequence[str]) -> list[Number]:
    """Return the numbers of a block, if in none of the outputs anything else differs."""
    rows = [paired_numbers(block, got) for got in outputs]
    if not all(rows):
        return []
    tolerance = block.tolerance or Tolerance()
    found = []
    for place, pairs in enumerate(zip(*rows, strict=True), 1):
        want, _, may_differ = pairs[0]
        seen = tuple(got for _, got, _ in pairs)
        allowed = tolerance.allowed(want)
        # inf and nan have none, whatever the block says
        may_differ = may_differ and allowed.is_finite()
        found.append(Number(place, want, seen, may_differ, allowed, _unit(want, tolerance)))
    return found


def blocks(runs: Mapping[str, Sequence[Run]]) -> list[Block]:
    """Return the blocks of the pages, each with its outputs under all conditions."""
    found: dict[tuple[Path, int], dict[str, Verdict]] = defaultdict(dict)
    for name, each in runs.items():
        for verdict in (verdict for run in each for verdict in run.verdicts):
            if verdict.cell.expected and not verdict.reason:
                found[verdict.page.path, verdict.cell.index][name] = verdict
    return [Block(verdicts) for verdicts in found.values()]


def findings(found: Sequence[Block]) -> list[str]:
    """Say of each block what varies, what is wrong, and what tolerance would be right."""
    lines = []
    for block in found:
        place = report.block_location(block.verdict)
        varying = [number for number in block.numbers if number.spread]
        lines += [f"{place}: {number.describe()}" for number in varying]
        for number in block.too_tight():
            lines.append(
                f"{place}: number {number.place} ({number.want}) has a tolerance of "
                f"{_shown(number.allowed)}, but needs {_shown(number.needed)}; "
                f"write {block.proposal()}"
            )
        if block.too_loose():
            lines.append(
                f"{place}: the tolerance is more than {TOO_MUCH} times what was needed; "
                f"{block.proposal()} would do"
            )
        for names, verdict in _alike(block.wrong):
            lines.append(f"under {names}:\n{report.describe(verdict)}")
            if not verdict.page.has_lines:
                lines.append("  Or tag the cell nbval-ignore-output, to leave it out.")
            elif proposed := block.proposal() if varying else "":
                lines.append(f"  Or give it a tolerance: {proposed}")
            lines.append("")
    return lines


def _alike(wrong: Mapping[str, Verdict]) -> list[tuple[str, Verdict]]:
    """Join the conditions under which a cell is wrong in the same way."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name, verdict in wrong.items():
        groups[verdict.got].append(name)
    return [(", ".join(names), wrong[names[0]]) for names in groups.values()]


def _unit(number: str, tolerance: Tolerance) -> Decimal:
    """Return the least by which a number can be off: one that is counted, or a last digit."""
    if kind(number) == "integer":
        return Decimal(1)
    if tolerance.unit:
        return tolerance.unit
    # torch and numpy write whole floats as 1., and 0e+00 has no last digit
    whole = number.rstrip("j").endswith(".") or ("e" in number.lower() and not value(number))
    return Decimal(0) if whole else last_digit(number)


def rounded(amount: Decimal) -> str:
    """Write an amount with two digits, rounded up."""
    with localcontext(PRECISE):
        place = Decimal(1).scaleb(amount.adjusted() - 1)
        return _shown(amount.quantize(place, ROUND_CEILING))


def _shown(amount: Decimal) -> str:
    return f"{amount.normalize():f}" if amount.adjusted() >= -5 else f"{amount.normalize():e}"  # noqa: PLR2004
