"""Watches a small book as `make watch` does."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from book_runs import PATIENCE
from mystnb import FRONT_MATTER

from bookproof.server import watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONF = """\
extensions = ["myst_nb", "bookproof"]
exclude_patterns = ["_build"]
html_theme = "basic"
book_modules = []
"""
PAGE = FRONT_MATTER + "# Title\n\n```{code-cell}\nprint(1 + 1)\n```\n\n```{testoutput}\n2\n```\n"


class Watcher:
    """The process, and what it has said so far."""

    def __init__(self, book: Path, *arguments: str, **options: object) -> None:
        self.folder = book
        command = [sys.executable, "-m", "bookproof", "watch", *arguments]
        self.process = subprocess.Popen(
            [*command, "-q", ".", "_build/html"],
            cwd=book,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        said = self.until("the book is at")
        self.address = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]

    def until(self, word: str) -> str:
        """Wait for a line that holds a word, and return what was said till then."""
        said = []
        for line in self.process.stdout:
            said.append(line)
            if word in line:
                return "".join(said)
            if word != "saved" and line.startswith(("built in", "failed in")):
                break
        return pytest.fail(f"the watcher built or ended without saying {word!r}, but: {said}")

    def stop(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, rest
        assert "Traceback" not in rest


class Builds:
    """The standard input of a server: a line for each build."""

    def __init__(self) -> None:
        self.lines: Queue[str] = Queue()
        self.readline = self.lines.get

    def end_one(self, *messages: dict[str, str], **words: str) -> None:
        told = {"messages": messages, **({"words": words} if words else {})}
        self.lines.put(json.dumps(told) + "\n")


@contextmanager
def told_of(site: watched.Site, builds: Builds) -> Iterator[int]:
    """Serve a site whose builds are told of, without being done; give the port."""
    ports: Queue[int] = Queue()
    thread = Thread(target=lambda: asyncio.run(watched.serve(site, 0, ports.put, builds)))
    thread.start()
    yield ports.get()
    builds.lines.put("")
    thread.join()
