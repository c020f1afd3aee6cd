"""What a build says at its end, once, where the book and the computer that builds it differ."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bookproof import report
from bookproof.files import shown_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from bookproof.compare import Verdict
    from bookproof.page import Page

MOST_PAGES = 5
"""Pages that a command names one by one."""
BUILT = "The book is built all the same, to be read: at each of these cells, its page shows both."
ROUNDING = """\
If the book is new to this kind of processor, numbers may have moved by rounding alone: processors
add in different orders. Then nothing is broken, and the tolerance of these numbers is too small."""
UNFIT = "Until both agree, this is no build to publish."


def conclude(
    wrong: Mapping[Page, Sequence[Verdict]], built: Mapping[Page, Path | None], book: Path
) -> str:
    """List the cells that differ, and say how to look at them, and what can be done.

    ``built`` has the file of each page that was built as one.
    """
    can = {page: found for page, found in wrong.items() if any(map(report.is_rewritten, found))}
    moved = [page for page, found in can.items() if any(map(report.differs_in_numbers, found))]
    command = f"{report.python()} -m bookproof"
    cells, pages = _counted(sum(map(len, wrong.values())), "cell"), _counted(len(wrong), "page")
    told = [
        f"this computer and the book differ at {cells} of {pages}:",
        *(_listed(page, found, built.get(page)) for page, found in wrong.items()),
        *([BUILT] if any(built.values()) else []),
        f"  to see the differences again:   {command} check {_named(wrong, book)}",
    ]
    if can:
        told += [f"  to let the pages say what came: {command} accept {_named(can, book)}"]
    if moved:
        where = _named(moved, book)
        told += [ROUNDING, f"  to measure how far they move:   {command} vary {where}"]
    return "\n".join([*told, UNFIT])


def _named(pages: Collection[Page], book: Path) -> str:
    """Return pages as a command takes them: the book, where they are many."""
    names = [shown_path(page.path) for page in pages]
    return shlex.join(names if len(names) <= MOST_PAGES else [shown_path(book)])


def _listed(page: Page, wrong: Sequence[Verdict], built: Path | None) -> str:
    """Return a page's line: the lines of its wrong cells, and where to look at them."""
    name = shown_path(page.path)
    lines = ", ".join(report.location(verdict).removeprefix(f"{name}:") for verdict in wrong)
    seen = f"  {shown_path(built)}" if built else ""
    return f"  {name}:{lines} ({_counted(len(wrong), 'cell')}){seen}"


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"
