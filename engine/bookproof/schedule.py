"""Decides when a page runs: how many at once, which of them alone, and which after others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bookproof import machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

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

    def earlier(self, page: Page) -> list[Path]:
        """Return the pages that come before one, as far as they run now."""
        return [path for path in page.after if path in self.pages]

    def _circle(self, page: Page) -> bool:
        """Whether a page comes, over others, after itself."""
        start, seen = page.path.resolve(), set[Path]()
        todo = self.earlier(page)
        while todo:
            path = todo.pop()
            if path == start:
                return True
            if path not in seen:
                seen.add(path)
                todo += self.earlier(self.pages[path])
        return False

    @asynccontextmanager
    async def turn(self, page: Page) -> AsyncIterator[bool]:
        """Wait until a page may run, and say whether it can: not if it comes after itself."""
        circle = self._circle(page)
        try:
            if not circle:
                for path in self.earlier(page):
                    await self.ended[path].wait()
            async with self._slots(page):
                yield not circle
        finally:
            self.ended[page.path.resolve()].set()

    @asynccontextmanager
    async def _slots(self, page: Page) -> AsyncIterator[None]:
        """Take a slot, or, for a page that runs alone, all: one such page after the other."""
        taken = 0
        try:
            if page.alone:
                # two that hold some slots each would wait for each other for ever
                async with self.alone:
                    for _ in range(self.most):
                        await self.slots.acquire()
                        taken += 1
            else:
                await self.slots.acquire()
                taken = 1
            yield
        finally:
            for _ in range(taken):
                self.slots.release()
