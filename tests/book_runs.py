"""Runs pages in this process, and watches the processes that run them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psutil
from book_project import page

from snn_docs.book import kernel
from snn_docs.book.page import read_page
from snn_docs.book.run import run_pages
from snn_docs.book.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from snn_docs.book.compare import Status
    from snn_docs.book.run import Run

SECONDS = "mystnb:\n  execution_timeout: {}\n"
SEGFAULT = "import ctypes\nctypes.string_at(0)"
# The engine of regular expressions never lets another thread of Python run.
HOLDS_THE_LOCK = "import re\nre.match('(a+)+$', 64 * 'a' + 'b')"


def write(folder: Path, *cells: str, name: str = "page.md", front: str = "") -> Path:
    """Write a page; its first line of code is the tenth, and one more for each of `front`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(*cells, front=front), encoding="utf-8")
    return path


def run(*paths: Path, modules: Sequence[str] = (), **options: object) -> list[Run]:
    """Run pages, in kernels that import nothing unless told so."""
    settings = Settings(modules=tuple(modules))
    return run_pages([read_page(path, settings) for path in paths], **options)


def statuses(done: Run) -> list[Status]:
    return [verdict.status for verdict in done.verdicts]


def printed(done: Run) -> list[str]:
    """What each cell put out."""
    return [verdict.got.removesuffix("\n") for verdict in done.verdicts]


def template(modules: Sequence[str] = ()) -> kernel.Template:
    """Return the template of the kernels that `run` starts."""
    return kernel.template(modules, kernel.environment())


def until(condition: Callable[[], object], seconds: int = 60) -> None:
    """Wait for something, but not for ever."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive_with(name: str, value: str) -> list[int]:
    """Return the processes that were started with an environment variable."""
    return [pid for pid in psutil.pids() if pid != os.getpid() and _has(pid, name, value)]


def _has(pid: int, name: str, value: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
