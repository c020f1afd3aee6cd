"""Runs pages in this process, and watches the processes that run them."""

from __future__ import annotations

import os
import time
from itertools import count
from typing import TYPE_CHECKING

import psutil
from book_project import page

from bookproof.kernels import warm
from bookproof.page import read_page
from bookproof.run import run_pages
from bookproof.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bookproof.compare import Status
    from bookproof.result import Run

_numbers = count(100)
PATIENCE = 120
"""More seconds than anything takes on the busiest machine. No test waits them out."""

SECONDS = "mystnb:\n  execution_timeout: {}\n"
SEGFAULT = "import ctypes\nctypes.string_at(0)"
# The engine of regular expressions never lets another thread of Python run.
# What tries to outlive its page: a process that has lost its parent, a shell's job in a session of
# its own, and a child that leads one. Each sleeps for a number of seconds that a test knows it by.
# The filter: from 3.12 on, Python warns of a fork beside threads, and a kernel has threads.
LEAVERS = """
import os, subprocess, warnings
warnings.simplefilter("ignore", DeprecationWarning)
if not (pid := os.fork()):
    if not os.fork():
        os.setsid()
        os.execlp("sleep", "sleep", "{seconds}1")
    os._exit(0)
os.waitpid(pid, 0)
subprocess.run(["sh", "-c", "setsid sleep {seconds}2 >/dev/null 2>&1 &"], check=True)
child = subprocess.Popen(["sleep", "{seconds}3"], start_new_session=True)
seen = ["pgrep", "-f", "^sleep {seconds}"]
while len(subprocess.run(seen, capture_output=True).stdout.split()) < 3:
    pass
print("on", flush=True)
"""
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


def template(modules: Sequence[str] = ()) -> warm.Template:
    """Return the template of the kernels that `run` starts."""
    return warm.template(modules, warm.environment())


def until(condition: Callable[[], object], seconds: int = PATIENCE) -> None:
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


def unique_seconds() -> int:
    """Return a number of seconds, a long time, that no other test gives `LEAVERS`."""
    return os.getpid() * 1000 + next(_numbers)


def sleepers(seconds: int) -> list[list[str]]:
    """Return which of `LEAVERS` sleep, unless they have ended and are not reaped."""
    found = psutil.process_iter(["cmdline", "status"])
    commands = [one.info["cmdline"] for one in found if one.info["status"] != psutil.STATUS_ZOMBIE]
    return [words for words in commands if words and words[-1].startswith(str(seconds))]


def _has(pid: int, name: str, value: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
