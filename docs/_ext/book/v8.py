"""Scripts that run while the site is built, in a V8 that comes as a Python wheel."""

from __future__ import annotations

import atexit
import os
from functools import cache

from py_mini_racer import MiniRacer


def running(script: str) -> MiniRacer:
    """Return a V8 that has run a script, once for each."""
    return started(script, os.getpid())


@cache
def started(script: str, _pid: int) -> MiniRacer:
    """Run a script. Anew in each process: a forked one cannot use its parent's threads."""
    racer = MiniRacer()
    # Left to the interpreter's end, it would wait for a thread that runs no more (Python 3.13).
    atexit.register(racer.close)
    racer.eval(script)
    return racer
