"""Folders that kernels have for themselves; those that a killed run has left are removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # on Windows, a folder that is left stays
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "book-"
"""How their names start."""
LOCK = ".bookproof"
"""The file in each of them that is locked as long as its run goes on."""
YOUNG = 60
"""Seconds that a folder may be there before it is locked."""
LONGEST = 70
"""Bytes of a folder that sockets may be in: an address has 103 at most, some of them our own."""
_locks: dict[str, int] = {}


def make() -> str:
    """Make a folder, and remove those that nobody has any more. It is to be given to `remove`."""
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > LONGEST:
        parent = "/tmp"  # noqa: S108
    _sweep(Path(parent))
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    _locks[folder] = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)  # noqa: PTH118
    if fcntl:
        with suppress(OSError):  # some file systems know no locks
            fcntl.flock(_locks[folder], fcntl.LOCK_EX | fcntl.LOCK_NB)
    return folder


def remove(folder: str) -> None:
    """Remove a folder that was made."""
    os.close(_locks.pop(folder))
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder for a while."""
    folder = make()
    try:
        yield Path(folder)
    finally:
        remove(folder)


def _sweep(parent: Path) -> None:
    """Remove the folders of runs that were killed: old ones of this user's that nobody locks."""
    for lock in parent.glob(f"{PREFIX}*/{LOCK}") if fcntl else ():
        with suppress(OSError):
            about = lock.stat()
            if about.st_uid != os.getuid() or time.time() - about.st_mtime < YOUNG:
                continue
            handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            finally:
                os.close(handle)
