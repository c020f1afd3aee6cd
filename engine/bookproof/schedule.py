"""Decides when a page runs: how many at once, which of them alone, and which after others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bookproof import machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from bookproof.page import Page

HELD = 500_000_000
"""Bytes of memory that a page may hold: eight of a public book held 3.4 GB."""


def most_at_once() -> int:
    """Return how many pages run at once where the book does not say: as many as memory is for.

    More than processors, since a kernel that starts mostly waits.
    """
    return max(1, int(min(4 * machine.processors(), machine.memory() / HELD)))


class Turns:
    """The turns of pages that are to run."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = {page.path.resolve(): page for page in pages}
        self.ended = {path: asyncio.Event() for path in self.pages}
        told = [page.settings.at_once for page in pages if page.settings.at_once]
        # pages may be of several books: the most careful one counts
        self.most = min(told) if told else most_at_once()
        self.share = max(1, min(self.most, len(pages)) / machine.processors())
        """How many pages each processor may run at the same time, so how much longer one takes."""
        self.slots, self.alone = asyncio.Semaphore(self.most), asyncio.Lock()

    @asynccontextmanager
    async def turn(self, page: Page) -> AsyncIterator[bool]:
        """Wait until a page may run, and say whether it can: not if it comes after itself."""
        path = page.path.resolve()
        circle = path in all_before(page, self.pages)
        async with AsyncExitStack() as stack:
            stack.callback(self.ended[path].set)
            for earlier in page.after:
                if earlier in self.pages and not circle:
                    await self.ended[earlier].wait()
            if page.alone:  # two that hold some slots each would wait for each other for ever
                await stack.enter_async_context(self.alone)
            for _ in range(self.most if page.alone else 1):
                await stack.enter_async_context(self.slots)
            yield not circle


def all_before(page: Page, pages: Mapping[Path, Page]) -> set[Path]:
    """Return which of some pages are to end before one, also over others."""
    found: set[Path] = set()
    todo = [page]
    while todo:
        new = (pages.keys() & todo.pop().after) - found
        found |= new
        todo += [pages[path] for path in new]
    return found
