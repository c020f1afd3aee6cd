"""Servers of live cells in this process, and the kernels that they have started."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager, suppress

import psutil
from book_runs import PATIENCE

from bookproof.kernels import warm
from bookproof.server import live


class Server:
    def __init__(self, book):
        self.book, self.opened = book, threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))
        self.thread.start()
        assert self.opened.wait(PATIENCE)

    async def serve(self):
        self.loop, self.task = asyncio.get_running_loop(), asyncio.current_task()

        def opened(door):
            self.door = door
            self.opened.set()

        with suppress(asyncio.CancelledError):
            await live.serve(self.book, opened)

    @property
    def secret(self):
        return re.search(r'name="secret" value="([^"]+)"', self.door.file.read_text())[1]

    def stop(self):
        """Press Ctrl-C. Once is enough."""
        if not self.thread.is_alive():
            return
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextmanager
def served(book):
    server = Server(book)
    try:
        yield server
    finally:
        server.stop()


def kernels(modules=()):
    """Return the processes that a template has forked, and theirs."""
    template = warm.template(modules, warm.environment())
    return psutil.Process(template.process.pid).children(recursive=True)
